/**
 * What each boundary does to scores and to characters: the table of docs/boundaries.md.
 *
 * `deno run -A bench/boundaries.ts LABELLED.jsonl TEXTS.txt[.gz]`
 *
 * Strict F1 of the default model on the labelled documents (as `edge-ner eval` reads them), and its entities in 1,000
 * lines of over 40 characters, taken evenly from the texts, by where they begin and end. Clusters are judged by the
 * engine's `Intl.Segmenter` and not by the library's own tables.
 *
 * Weak: engines with a Unicode before 15.1 take a conjunct for two clusters.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { gunzipSync } from "node:zlib";
import { type Entity, type ExtractOptions, Ner, parseGold, scoreSpans } from "../mod.ts";
import { table } from "../src/cli/table.ts";

const COUNT = 1000, SHORTEST = 40;

const CASES: readonly ExtractOptions[] = [
  { boundary: "model" },
  { boundary: "grapheme" },
  { boundary: "word" },
  { boundary: "model", sentences: true },
];

/** How many entities there are, and how many tear a cluster, by the engine's own clusters. */
function torn(texts: readonly string[], found: readonly (readonly Entity[])[]): number[] {
  let entities = 0, ends = 0, viramas = 0, begins = 0;
  const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });
  for (const [i, text] of texts.entries()) {
    const breaks = new Set([
      text.length,
      ...[...segmenter.segment(text)].map(({ index }) => index),
    ]);
    for (const { start, end } of found[i]) {
      entities++;
      if (!breaks.has(start)) begins++;
      if (!breaks.has(end)) ends++;
      if (!breaks.has(end) && /^[\u09cd\u094d]/.test(text.slice(end))) viramas++;
    }
  }
  return [entities, ends, viramas, begins];
}

const [labelled, plain] = process.argv.slice(2);
if (plain === undefined) throw new Error("expected two files: labelled documents, and texts.");
const gold = readFileSync(labelled, "utf8").trim().split("\n")
  .map((line, i) => parseGold(line, `${labelled}, line ${i + 1}`));
const bytes = readFileSync(plain);
const lines = (plain.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8").split("\n")
  .filter((line) => line.length > SHORTEST);
const step = Math.max(1, Math.floor(lines.length / COUNT));
const texts = lines.filter((_, i) => i % step === 0).slice(0, COUNT);

const ner = await Ner.load(new URL("../models/meder/meder-int8.safetensors", import.meta.url));
const rows: string[][] = [];
for (const options of CASES) {
  const found = await ner.extractBatch(gold.map(({ text }) => text), options);
  const { micro, macro } = scoreSpans(gold.map(({ entities }) => entities), found);
  const counts = torn(texts, await ner.extractBatch(texts, options));
  rows.push([
    `${options.boundary}${options.sentences ? ", sentences" : ""}`,
    (100 * micro.f1).toFixed(2),
    (100 * macro.f1).toFixed(2),
    ...counts.map(String),
  ]);
}
ner.close();
const header = ["boundary", "micro", "macro", "entities", "end within", "virama", "begin within"];
console.log(table(header, rows));
