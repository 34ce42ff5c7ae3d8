/**
 * The programs of docs/documents.md, docs/deployment.md, docs/errors.md and docs/runtimes.md, as far as this runtime runs them:
 * those of pages and Workers are for `deno task test:chromium` and `deno task test:examples`.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadBundle, Ner, writePackage } from "../../mod.ts";
import { fixture, RUNTIME_ARGS } from "../cli/run.ts";
import { blocksOf, fromSources } from "./page.ts";
import { path, runProgram } from "./run.ts";

/** The first program of a page that has some text. */
function programOf(page: string, part: string): string {
  const found = blocksOf(page).find(({ language, content }) =>
    language === "ts" && content.includes(part)
  );
  if (found === undefined) throw new Error(`${page} has no program with ${part}`);
  return found.content;
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const packed = writePackage(await loadBundle(fixture("tiny-torchscript")));
const TEXT = "জ্বরে প্যারাসিটামল খাওয়া যায়। ";

test("documents.md: a file in pieces gives the entities of the whole", async () => {
  const text = TEXT.repeat(400);
  writeFileSync(path("my-model.safetensors"), packed);
  writeFileSync(path("book.txt"), text);
  const stdout = await runProgram("document.ts", programOf("docs/documents.md", "book.txt"));
  const ner = await Ner.load(path("my-model.safetensors"));
  const found = await ner.extract(text);
  ner.close();
  const want = found.map(({ type, text, start, end }) => `${type} ${text} ${start} ${end}`);
  assert.equal(stdout.trimEnd().split("\n").filter((line) => line !== ""), want);
  assert.ok(want.length > 100);
});

test("errors.md: codes tell what to do", async () => {
  const program = programOf("docs/errors.md", "error.code").replaceAll(
    "console.error",
    "console.log",
  );
  writeFileSync(path("my-model.safetensors"), packed.subarray(0, packed.length - 1));
  assert.is(await runProgram("errors.ts", program), "download it again\n");
  rmSync(path("my-model.safetensors"));
  assert.match(await runProgram("errors.ts", program), /^runtime\/not-found /);
});

test("runtimes.md: the default model by its package", async () => {
  const program = programOf("docs/runtimes.md", "await Ner.load(model)");
  const whole = `import { Ner } from "edge-ner";\n${program}console.log(ner.info().types.join());`;
  assert.match(await runProgram("model.ts", whole), /^MED,|,MED,/);
});

if ("deno" in process.versions) {
  test("deployment.md: a server in Deno", async () => {
    writeFileSync(path("server.ts"), fromSources(programOf("docs/deployment.md", "Deno.serve")));
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(process.execPath, [...RUNTIME_ARGS, path("server.ts")], {
      env: { ...process.env, DENO_SERVE_ADDRESS: `tcp:${address}`, NO_COLOR: "1" },
      stdio: "inherit",
    });
    try {
      const ask = () => fetch(`http://${address}/`, { method: "POST", body: TEXT });
      let response = await ask().catch(() => undefined);
      while (response === undefined && child.exitCode === null) {
        await sleep(50);
        response = await ask().catch(() => undefined);
      }
      assert.ok(response, "it ended before it answered");
      const [{ text, start, end }] = await response.json();
      assert.is(text, TEXT.slice(start, end));
    } finally {
      child.kill();
    }
  });
}

test.run();
