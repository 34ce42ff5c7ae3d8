/**
 * README.md: its commands for a model of one's own, on a tiny one. How it is installed is shown by `deno task test:install`.
 *
 * @module
 */
import { cpSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { fixture } from "../cli/run.ts";
import { callsOf } from "./page.ts";
import { path, run } from "./run.ts";

cpSync(fixture("tiny-torchscript"), path("my-export"), { recursive: true });
writeFileSync(path("documents.txt"), "জ্বরে প্যারাসিটামল খাওয়া যায়।\nকাশি\n");
writeFileSync(
  path("test.jsonl"),
  '{"text": "জ্বর হয়েছে", "entities": [{"type": "DIS", "start": 0, "end": 4}]}\n',
);
writeFileSync(path("predictions.conll"), "a B-DIS B-DIS\nb O B-MED\n");

/** Matrices of 36 columns average rounding out less than those of a real model. */
const TINY: Readonly<Record<string, readonly string[]>> = { verify: ["--max-int8", "0.1"] };

const SAYS: Readonly<Record<string, RegExp>> = {
  convert: /read back, loaded and run/,
  verify: /int8/,
  inspect: /MED/,
  extract: /^\{"text":".*\n\{"text":".*\n$/,
  eval: /micro/,
  export: /model\.onnx/,
};

for (const call of callsOf("README.md")) {
  test(`edge-ner ${call.args.join(" ")}`, async () => {
    const { code, stdout, stderr } = await run({
      ...call,
      args: [...call.args, ...(TINY[call.args[0]!] ?? [])],
    });
    assert.is(code, 0, stderr);
    assert.match(stdout, SAYS[call.args[0]!]!);
  });
}

test.run();
