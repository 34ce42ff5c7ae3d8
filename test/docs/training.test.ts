/**
 * Every command and program of docs/training.md, run as it stands there.
 *
 * @module
 */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { promisify } from "node:util";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { cli, RUNTIME_ARGS, scratch } from "../cli/run.ts";
import { commands, localProgram, prepare } from "../guide.ts";

const path = scratch();
const folder = path(".");
prepare(folder);

/** What each command must print, by its first words. */
const SAYS: Readonly<Record<string, RegExp>> = {
  vocab: /beginnings and ends of entities, \d+ fall between pieces/,
  train: /Strict scores on the test texts:\n.*FOOD.*micro.*Pack it/s,
  extract: /FOOD/,
  convert: /read back, loaded and run/,
  inspect: /AMOUNT/,
};

for (const args of commands()) {
  test(`edge-ner ${args.join(" ")}`, async () => {
    const { code, stdout, stderr } = await cli(args, { cwd: folder });
    assert.is(code, 0, stderr);
    assert.match(stdout, SAYS[args[0]]);
  });
}

test("the model has learnt what the page says", () => {
  const { test: scores } = JSON.parse(readFileSync(path("run/report.json"), "utf8"));
  assert.ok(scores.micro.mean > 0.8, `strict F1 ${scores.micro.mean}`);
});

test("the program with an adapter beside the model prints entities and what the adapter takes", async () => {
  writeFileSync(path("adapters.js"), localProgram("adapters.js"));
  const { stdout } = await promisify(execFile)(process.execPath, [...RUNTIME_ARGS, "adapters.js"], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: "" },
  });
  assert.match(stdout, /^\[.*type: "FOOD".*\]\n\d+\n$/s);
});

test("the worker answers with entities", async () => {
  writeFileSync(path("worker.js"), localProgram("worker.js"));
  const { default: worker } = await import(new URL(`file://${path("worker.js")}`).href);
  const MODEL = Uint8Array.from(readFileSync(path("recipes.safetensors"))).buffer;
  const body = "Add 200 g of butter.";
  const request = new Request("http://localhost/", { method: "POST", body });
  const response = await worker.fetch(request, { MODEL });
  const found = await response.json() as { type: string; text: string }[];
  assert.ok(found.some(({ type, text }) => type === "FOOD" && text === "butter"));
});

test("the program learns the same types and makes a package", async () => {
  writeFileSync(path("train.js"), localProgram("train.js"));
  const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: "" };
  const { code, stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [...RUNTIME_ARGS, "train.js"],
    { cwd: folder, env },
  ).then((output) => ({ code: 0, ...output }), (error) => error);
  assert.is(code, 0, stderr);
  assert.match(stdout, /^1 [\d.]+ [\d.]+\n(.*\n){7}\[.*type: "FOOD".*\]\n\d+\n$/s);
});

test.run();
