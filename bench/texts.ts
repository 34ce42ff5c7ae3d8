/**
 * The texts that are measured, and how long their texts are in a mixed batch.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { SENTENCES } from "../src/cli/sentences.ts";
import type { Tokenizer } from "../src/tokenizer/types.ts";

/** Texts of one batch; what transformers.js and others are commonly given at once. */
export const BATCH = 32;

/**
 * Tokens of 32 short forum posts, special tokens included, in no order: half have fewer than 45, four
 * more than 100. The quantiles are those of health questions that people asked on Bangla forums, tokenized
 * by the default model, to within a token or two.
 */
// deno-fmt-ignore
const FORUM: readonly number[] = [
  43, 19, 86, 30, 56, 13, 118, 26, 38, 72, 23, 47, 33, 184, 16, 60,
  28, 41, 94, 21, 50, 35, 67, 25, 105, 31, 79, 45, 37, 53, 138, 63,
];

/** Texts and lengths. */
export interface Texts {
  /** For people. */
  readonly source: string;
  readonly texts: readonly string[];
  /** Tokens of each text of the mixed batch, special tokens included. */
  readonly lengths: readonly number[];
  /** Where the lengths come from. */
  readonly lengthSource: string;
}

/** A text's ids between the special tokens. */
export function idsOf(tokenizer: Tokenizer, text: string): Int32Array {
  return Int32Array.of(tokenizer.cls, ...tokenizer.encode(text).ids, tokenizer.sep);
}

/**
 * 32 texts of `file`, evenly over its lines, or without a file our own sentences over and over, with the
 * lengths of {@link FORUM}. Texts of more than `room` tokens are left out: they would go in windows, which a
 * single run of a graph cannot be compared with.
 */
export async function chooseTexts(
  file: string | undefined,
  tokenizer: Tokenizer,
  room: number,
): Promise<Texts> {
  const length = (text: string): number => idsOf(tokenizer, text).length;
  const fits = (text: string): boolean => length(text) <= room;
  if (file === undefined) {
    const fitting = SENTENCES.filter(fits);
    return {
      source: `${fitting.length} sentences of src/cli/sentences.ts in turn`,
      texts: Array.from({ length: BATCH }, (_, i) => fitting[i % fitting.length]),
      lengths: FORUM.filter((tokens) => tokens <= room),
      lengthSource: "a fixed list of lengths like those of short forum posts",
    };
  }
  const lines = (await readFile(file, "utf8")).split(/\r?\n/).filter((line) => line.trim() !== "");
  const fitting = lines.filter(fits), count = Math.min(BATCH, fitting.length);
  if (count === 0) throw new Error(`${file}: no line has text of at most ${room} tokens`);
  const texts = Array.from(
    { length: count },
    (_, i) => fitting[Math.floor((i + 0.5) / count * fitting.length)],
  );
  return {
    source: `--texts, evenly out of ${fitting.length} lines`,
    texts,
    lengths: texts.map(length),
    lengthSource: "the lengths of these texts",
  };
}
