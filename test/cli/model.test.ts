/**
 * `--model NAME`: which file a name stands for.
 *
 * @module
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DEFAULT, MODELS } from "../../models/registry.ts";
import { loadBundle, Ner, writePackage } from "../../mod.ts";
import { cli, fixture } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "edge-ner-names-"));
test.after(() => rmSync(folder, { recursive: true }));

/** A package as npm would install it. */
const installed = join(folder, "node_modules/edge-ner-tiny");
mkdirSync(installed, { recursive: true });
writeFileSync(join(installed, "package.json"), '{ "name": "edge-ner-tiny", "version": "1.0.0" }');
writeFileSync(
  join(installed, "tiny-int8.safetensors"),
  writePackage(await loadBundle(fixture("tiny-torchscript"))),
);

const run = (...args: readonly string[]) =>
  cli(["extract", ...args, "--format", "jsonl"], { input: "জ্বর\n", cwd: folder });

for (const { name, file, types, examples } of MODELS) {
  test(`${name}: the types and examples that its about.json has are its own`, async () => {
    using ner = await Ner.load(new URL(`../../models/${file}`, import.meta.url));
    assert.equal(Object.keys(types).sort(), [...ner.info().types].sort());
    for (const [example, text] of Object.entries(examples)) {
      assert.ok((await ner.extract(text)).length > 0, `nothing is found in ${example}`);
    }
  });

  test(`${name} is found by its name`, async () => {
    const { code, stdout, stderr } = await run("--model", name);
    assert.is(code, 0, stderr);
    if (name === DEFAULT) assert.is(stdout, (await run()).stdout);
  });
}

test("so is a package that is installed where the command runs", async () => {
  const { code, stdout, stderr } = await run("--model", "tiny");
  assert.is(code, 0, stderr);
  assert.is((await run("--model", "edge-ner-tiny")).stdout, stdout);
});

test("a file or folder of that name comes first; what is neither is refused with what to install", async () => {
  cpSync(fixture("tiny-torchscript"), join(folder, DEFAULT), { recursive: true });
  const own = await run("--model", DEFAULT), byPath = await run("--model", `./${DEFAULT}`);
  assert.is(own.code, 0, own.stderr);
  assert.is(own.stdout, byPath.stdout);
  const { code, stderr } = await run("--model", "nothing");
  assert.is(code, 2);
  assert.match(
    stderr,
    /no file, folder or installed model is called nothing; npm install edge-ner-nothing/,
  );
  const byPackage = await run("--model", "edge-ner-nothing");
  assert.match(byPackage.stderr, /npm install edge-ner-nothing if/);
});

test("commands that read a model's files take names, too", async () => {
  const inspect = async (model: string) => {
    const { code, stdout, stderr } = await cli(["inspect", model, "--json"], { cwd: folder });
    assert.is(code, 0, stderr);
    return JSON.parse(stdout).tensors;
  };
  assert.equal(await inspect("tiny"), await inspect(join(installed, "tiny-int8.safetensors")));
});

test("label takes names where other commands do, and paths from its file", async () => {
  mkdirSync(join(folder, "jobs"));
  const model = readFileSync(join(installed, "tiny-int8.safetensors"));
  writeFileSync(join(folder, "jobs/own.safetensors"), model);
  writeFileSync(join(folder, "jobs/notes.jsonl"), '{"text": "জ্বরে প্যারাসিটামল খাওয়া যায়।"}\n');
  const label = async (output: string, model: string) => {
    const config = {
      input: ["notes.jsonl"],
      output,
      labelers: [{ name: "model", kind: "model", model }],
      tokens: model,
      combine: { method: "majority" },
    };
    writeFileSync(join(folder, "jobs/label.yaml"), JSON.stringify(config));
    return await cli(["label", "jobs/label.yaml"], { cwd: folder });
  };
  const report = (output: string) =>
    readFileSync(join(folder, "jobs", output, "report.json"), "utf8");
  for (const [output, model] of [["named", "tiny"], ["placed", "own.safetensors"]] as const) {
    const { code, stderr } = await label(output, model);
    assert.is(code, 0, stderr);
  }
  assert.is(report("named"), report("placed"));
  assert.ok(JSON.parse(report("named")).spans > 0);
  const { code, stderr } = await label("none", "nothing");
  assert.is(code, 2);
  assert.match(stderr, /no file, folder or installed model is called nothing/);
});

test.run();
