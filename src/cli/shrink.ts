/**
 * The part of `edge-ner convert` that leaves things out: layers and word pieces, and the report on what that
 * did to tokens.
 *
 * @module
 */
import { createReadStream, statSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import type { Command } from "commander";
import {
  chooseLayers,
  choosePieces,
  countPieces,
  SCRIPTS,
  TokenMeter,
  trimVocabulary,
} from "../../mod.ts";
import type { ModelBundle, PieceChoice, PieceCounts, TokenChange, Tokenizer } from "../../mod.ts";
import { UsageError } from "./errors.ts";
import { readLines } from "./lines.ts";
import { complain } from "./output.ts";
import { SENTENCES } from "./sentences.ts";
import { bytes as size, table } from "./table.ts";

/** What {@link addShrinkOptions} parses to. */
export interface ShrinkOptions {
  readonly layers?: readonly number[];
  readonly trimVocab?: readonly string[];
  readonly trimScript?: readonly string[];
  readonly trimSingles: boolean;
}

/** Examples and explanations, for a command's help. */
export const SHRINK_HELP = `
Smaller models. --layers counts from 1. --trim-vocab keeps the word pieces that its corpora use (text, one
document a line), --trim-script those of a script, with digits and punctuation; both together keep either.
Special and added tokens stay, and so do all pieces of one character, so that no text gets [UNK] where it
had none; --no-trim-singles drops those, too. A word is split otherwise than before only if one of its
pieces was dropped. Train or at least evaluate a model again that has lost layers.`;

/** `1,5,9,12`. */
export function parseLayers(value: string): number[] {
  if (!/^\d+(,\d+)*$/.test(value)) {
    throw new InvalidArgumentError("Expected numbers of layers from 1 with commas, like 1,5,9,12.");
  }
  return value.split(",").map(Number);
}

function parseScript(value: string, values: readonly string[] = []): string[] {
  const known = SCRIPTS.find((name) => name.toLowerCase() === value.toLowerCase());
  if (known !== undefined) return [...values, known];
  throw new InvalidArgumentError(`Known scripts are ${SCRIPTS.join(", ")}.`);
}

/** Adds `--layers`, `--trim-vocab`, `--trim-script` and `--no-trim-singles`. */
export function addShrinkOptions(command: Command): Command {
  return command
    .option("--layers <list>", "keep these transformer layers, like 1,5,9,12", parseLayers)
    .option(
      "--trim-vocab <corpus>",
      "keep the word pieces that a text file uses; repeatable",
      (path: string, paths: readonly string[] = []) => [...paths, path],
    )
    .option(
      "--trim-script <name>",
      "keep the word pieces of a script, like Bengali; repeatable",
      parseScript,
    )
    .option("--no-trim-singles", "when trimming, drop unused pieces of one character, too");
}

/** What trimming kept and did. */
export interface TrimReport {
  readonly choice: PieceChoice;
  /** By the name of the texts. */
  readonly changes: readonly (readonly [name: string, change: TokenChange])[];
}

/** The lines of text files. */
export async function* textsOf(
  paths: readonly string[],
  warn: (message: string) => void,
): AsyncGenerator<string[]> {
  for (const path of paths) {
    const chunks = createReadStream(path) as AsyncIterable<Uint8Array>;
    for await (const lines of readLines(chunks, path, warn)) {
      yield lines.map(({ text }) => text);
    }
  }
}

async function count(tokenizer: Tokenizer, paths: readonly string[]): Promise<PieceCounts> {
  let counts = countPieces(tokenizer, []);
  for await (const texts of textsOf(paths, complain)) {
    counts = countPieces(tokenizer, texts, counts);
  }
  if (counts.some((n) => n > 0)) return counts;
  throw new UsageError(`${paths.join(", ")}: there is no text in it`);
}

async function trim(
  bundle: ModelBundle,
  { trimVocab = [], trimScript, trimSingles }: ShrinkOptions,
): Promise<{ bundle: ModelBundle; report: TrimReport }> {
  const { tokenizer } = bundle;
  const counts = trimVocab.length > 0 ? await count(tokenizer, trimVocab) : undefined;
  const choice = choosePieces(tokenizer, { counts, scripts: trimScript, singles: trimSingles });
  const trimmed = trimVocabulary(bundle, choice.kept);
  const sentences = new TokenMeter(tokenizer, trimmed.tokenizer);
  for (const sentence of SENTENCES) sentences.add(sentence);
  const corpus = new TokenMeter(tokenizer, trimmed.tokenizer);
  // What is wrong with lines was said when they were counted.
  for await (const texts of textsOf(trimVocab, () => {})) {
    for (const text of texts) corpus.add(text);
  }
  const changes: [string, TokenChange][] = [["built-in sentences", sentences.value]];
  if (counts) changes.unshift(["corpus", corpus.value]);
  return { bundle: trimmed, report: { choice, changes } };
}

/** Says what is wrong with the corpora, before any work is done. */
export function checkCorpora(paths: readonly string[]): void {
  for (const path of paths) {
    if (statSync(path).isDirectory()) throw new UsageError(`${path}: is a folder, not a file`);
  }
}

/** Leaves out what the options say. */
export async function shrink(
  bundle: ModelBundle,
  options: ShrinkOptions,
): Promise<{ bundle: ModelBundle; report: TrimReport | undefined }> {
  const { layers, trimVocab, trimScript, trimSingles } = options;
  const kept = layers === undefined
    ? bundle
    : { ...bundle, weights: chooseLayers(bundle.weights, layers), temperature: undefined };
  if (trimVocab || trimScript) return await trim(kept, options);
  if (!trimSingles) {
    throw new UsageError("--no-trim-singles needs --trim-vocab or --trim-script");
  }
  return { bundle: kept, report: undefined };
}

/** Bytes of a tokenizer in a package: two for each unit of its pieces and for their lengths, and JSON in JSON. */
function tokenizerBytes(tokenizer: Tokenizer): number {
  const file = tokenizer.toJSON() as { model: { vocab: object } }, { vocab, ...model } = file.model;
  const pieces = Array.isArray(vocab) ? [] : Object.keys(vocab);
  const rest = JSON.stringify(pieces.length === 0 ? file : { ...file, model });
  return pieces.reduce((sum, { length }) => sum + 2 * length + 2, 0) +
    new TextEncoder().encode(JSON.stringify(rest)).length;
}

/** The report on trimming; `result` is the model as it is written. */
export function trimText(
  { choice, changes }: TrimReport,
  original: ModelBundle,
  result: ModelBundle,
): string {
  const n = (value: number): string => value.toLocaleString("en");
  const { wordEmbedding: words } = result.weights;
  const scales = words.type === "f32" ? 0 : words.scales.byteLength;
  const row = (words.data.byteLength + scales) / words.rows;
  const dropped = original.weights.config.vocabSize - words.rows;
  const saved = dropped * row + tokenizerBytes(original.tokenizer) -
    tokenizerBytes(result.tokenizer);
  const percent = (part: number, whole: number): string =>
    `${(whole === 0 ? 0 : 100 * part / whole).toFixed(2)} %`;
  const rows = changes.map(([name, change]) => [
    name,
    n(change.texts),
    n(change.before),
    n(change.after),
    n(change.changed),
    percent(change.unknownBefore, change.before),
    percent(change.unknownAfter, change.after),
  ]);
  const why = [
    changes.length > 1 ? `${n(choice.counted)} occur in the corpus` : "",
    choice.scripted > 0 ? `${n(choice.scripted)} are of the script` : "",
    choice.singles > 0 ? `${n(choice.singles)} spell single characters` : "",
    `${n(choice.required)} the tokenizer needs`,
  ].filter((reason) => reason !== "");
  const lines = [
    `${n(words.rows)} of ${n(choice.pieces)} word pieces kept, ${size(saved)} saved:`,
    `${why.join(", ")} (some count more than once).`,
  ];
  if (choice.missing !== undefined) {
    lines.push(
      `Of further text like the corpus, about ${
        percent(choice.missing, 1)
      } of the tokens will be of ` +
        "dropped pieces (Good-Turing).",
    );
  }
  if (choice.gaps.length > 0) {
    const some = choice.gaps.slice(0, 8).join(" ") + (choice.gaps.length > 8 ? " ..." : "");
    lines.push(`Only longer pieces spell these characters, and are kept for them: ${some}`);
  }
  const header = ["tokens of", "texts", "before", "after", "changed", "[UNK] before", "after"];
  return lines.map((line) => line + "\n").join("") + "\n" + table(header, rows);
}
