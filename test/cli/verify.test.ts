/**
 * `edge-ner verify` against onnxruntime-web, on tiny exports.
 *
 * Matrices of 36 columns average rounding out less than those of a real model: int8 is given 0.1 here,
 * not the 0.02 that is the default.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { cli, fixture, scratch } from "./run.ts";

const TINY = fixture("tiny-torchscript");
const path = scratch();

interface Row {
  model: string;
  backend: string;
  inputs: number;
  maxAbs: number;
  relativeL2: number;
  entityF1: number;
  entities: { ort: number; ours: number; same: number };
  ok: boolean;
}

test("several exports: every backend is within its limit, entities agree", async () => {
  const models = [TINY, fixture("tiny-dynamo"), `${fixture("tiny-tanh")}/model.onnx`];
  const run = await cli(["verify", ...models, "--max-int8", "0.1", "--json"]);
  assert.is(run.code, 0);
  const { onnxruntimeWeb, results } = JSON.parse(run.stdout) as {
    onnxruntimeWeb: string;
    results: Row[];
  };
  assert.match(onnxruntimeWeb, /^1\./);
  assert.equal(
    results.map(({ model, backend }) => [model, backend]),
    models.flatMap((model) => ["reference", "fp32", "int8"].map((backend) => [model, backend])),
  );
  for (const { backend, relativeL2, maxAbs, entityF1, entities, inputs } of results) {
    assert.ok(inputs > 0);
    // Zero would mean that something was compared with itself.
    assert.ok(relativeL2 > 0 && maxAbs > 0);
    assert.ok(relativeL2 < (backend === "int8" ? 0.1 : 1e-5), `${backend}: ${relativeL2}`);
    if (backend === "int8") continue;
    assert.is(entityF1, 1);
    assert.ok(entities.ort > 0 && entities.same === entities.ort && entities.ours === entities.ort);
  }
});

test("a limit that is exceeded is shown in the table and in the exit code", async () => {
  const { code, stdout, stderr } = await cli([
    "verify",
    TINY,
    "--text",
    "জ্বর",
    "--max-int8",
    "1e-9",
  ]);
  assert.is(code, 1);
  const rows = stdout.split("\n").filter((line) => line.includes("tiny-torchscript"));
  assert.equal(rows.map((row) => /\b(ok|FAIL)\b/.exec(row)?.[1]), ["ok", "ok", "FAIL"]);
  assert.is(stderr, "edge-ner: 1 of 3 comparisons are above their limit\n");
  assert.is((await cli(["verify", TINY, "--text", "জ্বর", "--max-fp32", "0"])).code, 1);
});

test("texts come from options and files; what is too long is cut", async () => {
  writeFileSync(path("texts"), `জ্বর\n\nব্যথা\n${"জ্বর ".repeat(200)}\n`);
  const args = ["--text", "ওষুধ", "--file", path("texts"), "--max-int8", "1"];
  const { code, stdout, stderr } = await cli(["verify", TINY, "--json", ...args]);
  assert.is(code, 0);
  const [{ inputs, tokens }] = JSON.parse(stdout).results;
  assert.is(inputs, 4);
  assert.ok(tokens > 62 && tokens < 62 + 20, `${tokens}`);
  assert.is(stderr, "");
});

test("several models: those that cannot be compared are named and left out", async () => {
  const zoo = (name: string): string => fixture(`zoo/${name}`);
  const args = ["--max-int8", "1", "--text", "জ্বর ও ব্যথা"];
  const models = ["bert-safetensors", "bert-torchscript-17-encoder", "bert-qdynamic-14-u8"].map(
    zoo,
  );
  const { code, stdout, stderr } = await cli(["verify", ...models, ...args]);
  assert.match(
    stderr,
    /^edge-ner: warning: [^\n]*bert-safetensors: left out: [^\n]*a checkpoint[^\n]*\n$/,
  );
  assert.is(code, 0, stdout);
  assert.match(stdout, /2 models compared, 1 left out/);
  assert.is((await cli(["verify", models[0], ...args])).code, 2);
});

test("bad input is refused", async () => {
  writeFileSync(path("blank"), "\n\n");
  for (
    const [args, message] of [
      [[], /missing required argument 'export'/],
      [[TINY, "no-such-folder"], /installed model is called no-such-folder; /],
      [["no-such-folder"], /no file, folder or installed model is called no-such-folder; /],
      [[TINY, "--file", path("blank")], /no text to compare on/],
      [[TINY, "--file", "nope"], /nope: no such file/],
      [[TINY, "--max-fp32", "-1"], /at least 0/],
      [[TINY, "--max-int8", "small"], /at least 0/],
      [[`${TINY}/crf.safetensors`], /no graph to compare/],
    ] as const
  ) {
    const { code, stdout, stderr } = await cli(["verify", ...args]);
    assert.is(stdout, "");
    assert.match(stderr, /^edge-ner: [^\n]+\n$/);
    assert.match(stderr, message);
    assert.is(code, 2);
  }
});

test.run();
