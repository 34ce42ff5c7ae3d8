/**
 * Compares BPE and Unigram tokenizers with Hugging Face's on a folder of `tools/fixtures/make_subword_fixtures.py
 * dump`: a program, not a test, since the texts are not the repository's.
 *
 *     deno run -A test/tokenizer/subword_parity.ts folder
 *
 * Ids and words must be equal. Of the places it counts those that are equal once white space is taken off
 * the reference's; those that begin and end about the reference's, where letters were composed or bytes have
 * the place of a run; and empty ones, which are spaces. Exits with 1 if ids or words differ.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { argv, exit } from "node:process";
import { tokenizerFromJson } from "../../src/tokenizer/load.ts";

let failed = 0;
for (const file of readdirSync(argv[2]).filter((name) => name.endsWith(".jsonl")).sort()) {
  const [source, ...lines] = readFileSync(`${argv[2]}/${file}`, "utf8").trimEnd().split("\n")
    .map((line) => JSON.parse(line));
  const json = readFileSync(source.json, "utf8");
  let began = performance.now();
  const tokenizer = tokenizerFromJson(json, source);
  const loading = performance.now() - began;
  let tokens = 0, ids = 0, words = 0, equal = 0, empty = 0, other = 0, unknown = 0, apart = 0;
  for (const e of lines) {
    const got = tokenizer.encode(e.text);
    tokens += e.ids.length;
    const order = new Map([...new Set(e.words)].map((word, i) => [word, i]));
    if (got.ids.join() !== e.ids.join()) {
      if (ids++ < 3) console.log(`  ids differ: ${JSON.stringify(e.text.slice(0, 200))}`);
      continue;
    }
    if (got.words.join() !== e.words.map((word: number) => order.get(word)).join()) words++;
    for (let k = 0; k < e.ids.length; k++) {
      if (got.ids[k] === tokenizer.unk) unknown++;
      const start = got.starts[k], end = got.ends[k];
      const theirs = e.text.slice(e.starts[k], e.ends[k]);
      if (start === end) empty++;
      else if (e.text.slice(start, end) === theirs.trim() && start >= e.starts[k]) equal++;
      else if (start < e.ends[k] && end > e.starts[k]) other++;
      else apart++;
    }
  }
  const rates: number[] = [];
  for (let round = 0; round < 3; round++) {
    began = performance.now();
    for (const e of lines) tokenizer.encode(e.text);
    rates.push(tokens / (performance.now() - began));
  }
  if (ids + words > 0) failed++;
  console.log(
    `${source.name}: ${lines.length} texts, ${tokens} tokens (${unknown} unknown), ids of ${ids} texts ` +
      `differ, words of ${words}; places ${equal} equal, ${other} overlap, ${empty} empty, ${apart} apart; ` +
      `load ${loading.toFixed(0)} ms, ${Math.max(...rates).toFixed(0)}k tokens/s`,
  );
}
exit(failed ? 1 : 0);
