/**
 * Kinds of characters to GPT-2's regular expression and to SentencePiece's normalizer.
 *
 * @module
 */

import { characters } from "./categories.ts";
import { addClusters } from "./clusters.ts";
import { type CharTable, flagsAbove, joinSurrogates, TableBuilder } from "./unicode.ts";

/** `\p{L}`. */
export const LETTER = 1;
/** `\p{N}`. */
export const NUMBER = 2;
/** `\s`. */
export const BLANK = 4;
export { BREAKS, EXTENDS, PREPENDS } from "./clusters.ts";

let table: CharTable | undefined;

/** The table of these and of {@link EXTENDS}, {@link PREPENDS} and {@link BREAKS}, built on first use. */
export function kinds(): CharTable {
  return table ??= addClusters(
    new TableBuilder()
      .addRanges(characters("L")!, LETTER)
      .addRanges(characters("N")!, NUMBER)
      .addRanges(characters("\\s")!, BLANK),
  ).done();
}

/** Kind of the character at a place; surrogates are in pairs. */
export function kindAt(table: CharTable, units: Uint16Array, at: number): number {
  const unit = units[at];
  if ((unit & 0xfc00) !== 0xd800) return table.bmp[unit];
  return flagsAbove(table, joinSurrogates(unit, units[at + 1]));
}
