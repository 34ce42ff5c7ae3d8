/**
 * docs/reproduction.md: its stages by hand, each as it stands but for the sizes, which are those of a toy here. The two commands that
 * do all of it are run by .ci/run (`--quick`) and by who has the data (`--full`).
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { gzipSync } from "node:zlib";
import { makeNames, makeSentences } from "../../tools/reproduce/synthetic.ts";
import { callsOf } from "./page.ts";
import { path, run } from "./run.ts";

const STEPS = ["--steps", "2", "--batch-tokens", "256"];

/** What is smaller here than on the page. */
const SMALLER: Readonly<Record<string, readonly string[]>> = {
  "--size": ["--size", "300"],
  "--hidden": ["--hidden", "16"],
  "--heads": ["--heads", "2"],
  "--minutes": STEPS,
};
/** What is beside it. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  train: ["--epochs", "1"],
  distill: ["--epochs", "1"],
};

const names = makeNames(1, 20);
for (const [i, name] of ["train", "validation", "test"].entries()) {
  const lines = makeSentences(10 + i, 60, names).map((one) => JSON.stringify(one) + "\n");
  writeFileSync(path(`${name}.jsonl`), lines.join(""));
}
const text = makeSentences(20, 400, names).map(({ text }) => text + "\n").join("");
writeFileSync(path("texts.txt.gz"), gzipSync(text));

/** A call with the sizes of a toy. */
function smaller(args: readonly string[]): string[] {
  const own: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const less = SMALLER[args[i]!];
    own.push(...(less ?? [args[i]!]));
    if (less) i++;
  }
  if (args.includes("--resume")) own.push(...STEPS);
  return [...own, ...(BESIDE[args[0]!] ?? [])];
}

for (const call of callsOf("docs/reproduction.md")) {
  test(`edge-ner ${call.args.join(" ")}`, async () => {
    const { code, stderr } = await run({ ...call, args: smaller(call.args) });
    assert.is(code, 0, stderr);
  });
}

test.run();
