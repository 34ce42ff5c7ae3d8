/**
 * docs/documents.md and docs/deployment.md: their programs, as far as this runtime runs them.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { promisify } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadBundle, Ner, writePackage } from "../../mod.ts";
import { fixture, RUNTIME_ARGS, scratch } from "../cli/run.ts";

const path = scratch(), root = new URL("../../", import.meta.url);
const page = (name: string): string => readFileSync(new URL(`docs/${name}.md`, root), "utf8");
const programOf = (name: string): string =>
  /```ts\n([^]*?)```/.exec(page(name))![1].replace(
    '"edge-ner"',
    `"${new URL("mod.ts", root).href}"`,
  )
    .replace('"edge-ner-meder"', `"${new URL("models/meder/index.js", root).href}"`);

test("documents.md: a file in pieces gives the entities of the whole", async () => {
  const text = "জ্বরে প্যারাসিটামল খাওয়া যায়। ".repeat(400);
  writeFileSync(
    path("my-model.safetensors"),
    writePackage(await loadBundle(fixture("tiny-torchscript"))),
  );
  writeFileSync(path("book.txt"), text);
  writeFileSync(path("document.ts"), programOf("documents"));
  const { stdout } = await promisify(execFile)(process.execPath, [...RUNTIME_ARGS, "document.ts"], {
    cwd: path("."),
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "" },
    maxBuffer: 1 << 26,
  });
  const ner = await Ner.load(path("my-model.safetensors"));
  const found = await ner.extract(text);
  const want = found.map(({ type, text, start, end }) => `${type} ${text} ${start} ${end}`);
  assert.equal(stdout.trimEnd().split("\n").filter((line) => line !== ""), want);
  assert.ok(want.length > 100);
});

test("the pages' links lead to what is there", () => {
  for (const name of ["documents", "deployment", "lexicons", "formats"]) {
    for (const [, target] of page(name).matchAll(/\]\(((?!http)[^)#]+)/g)) {
      assert.ok(readFileSync(new URL(target, new URL("docs/", root))).length > 0, target);
    }
  }
});

test.run();
