/**
 * Compares the tokenizer with Hugging Face's on a dump of `tools/fixtures/tokenizer_parity.py dump`: a program, not a
 * test, since the texts are not the repository's.
 *
 *     deno run -A test/tokenizer/parity.ts dump.jsonl
 *
 * Ids and words must be equal. Places must be equal or wider: where a mark was stripped or letters were
 * composed, the reference leaves part of the letter outside its token and we do not; those are counted apart.
 * The last line has figures of speed, in processor time. Exits with 1 at any difference.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { argv, cpuUsage, exit } from "node:process";
import { tokenizerFromJson, tokenizerFromVocab } from "../../src/tokenizer/load.ts";

interface Expected {
  text: string;
  ids: number[];
  starts: number[];
  ends: number[];
  words: number[];
}

const lines = readFileSync(argv[2], "utf8").split("\n").filter((line) => line !== "");
const source = JSON.parse(lines[0]);
const file = readFileSync(source.json ?? source.vocab, "utf8");
const load = () =>
  source.json ? tokenizerFromJson(file, source) : tokenizerFromVocab(file, source.config, source);
/** Processor time of all threads in ms: the machine may be busy with other things. */
function now(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1000;
}

const loadTimes: number[] = [];
for (let i = 0; i < 6; i++) {
  const began = now();
  load();
  loadTimes.push(now() - began);
}
const tokenizer = load();

let tokens = 0, unknown = 0, wider = 0, wrong = 0;
const same = (a: Int32Array, b: number[]) => a.length === b.length && b.every((v, i) => a[i] === v);
const expected = lines.slice(1).map((line) => JSON.parse(line) as Expected);
for (const [n, e] of expected.entries()) {
  const got = tokenizer.encode(e.text);
  tokens += got.ids.length;
  unknown += got.ids.filter((id) => id === tokenizer.unk).length;
  let problem = same(got.ids, e.ids) ? same(got.words, e.words) ? "" : "words" : "ids";
  for (let i = 0; i < e.ids.length && !problem; i++) {
    if (got.starts[i] === e.starts[i] && got.ends[i] === e.ends[i]) continue;
    if (got.starts[i] <= e.starts[i] && got.ends[i] >= e.ends[i]) wider++;
    else problem = `place of token ${i}`;
  }
  if (problem && ++wrong <= 10) {
    console.log(`text ${n + 1}: ${problem} differ\n  ${JSON.stringify(e.text.slice(0, 200))}`);
    const at = e.ids.findIndex((id, i) => id !== got.ids[i] || e.starts[i] !== got.starts[i]);
    console.log(`  from token ${at}: expected ${e.ids.slice(at, at + 8)}`);
    console.log(`  from token ${at}: got      ${got.ids.slice(at, at + 8)}`);
  }
}

const rates: number[] = [];
for (let round = 0; round < 5; round++) {
  const began = now();
  for (const e of expected) tokenizer.encode(e.text);
  rates.push(tokens / (now() - began));
}
const units = expected.reduce((sum, e) => sum + e.text.length, 0);
console.log(
  `${expected.length} texts, ${units} code units, ${tokens} tokens (${unknown} unknown): ` +
    `${wrong} texts differ, ${wider} places wider than the reference's`,
);
console.log(
  `load first ${loadTimes[0].toFixed(1)} ms, best ${Math.min(...loadTimes).toFixed(1)} ms; ` +
    `encode best of 5 ${Math.max(...rates).toFixed(0)}k tokens/s`,
);
exit(wrong ? 1 : 0);
