/**
 * Kinds of characters to GPT-2's regular expression and to SentencePiece's normalizer.
 *
 * What extends a grapheme, is prepended to one, or always ends one is what the reference's segmentation does;
 * `Intl.Segmenter` would follow the engine's Unicode version and give other ids in another runtime.
 *
 * @module
 */

import { characters } from "./categories.ts";
import {
  BREAKS as BREAKS_TABLE,
  EXTENDS_CHANGES,
  PREPENDS as PREPENDS_TABLE,
} from "./kind_tables.ts";
import { difference } from "./regex/sets.ts";
import { type CharTable, flagsAbove, joinSurrogates, rangesOf, TableBuilder } from "./unicode.ts";
import { MARK as MARK_TABLE } from "./unicode_tables.ts";

/** `\p{L}`. */
export const LETTER = 1;
/** `\p{N}`. */
export const NUMBER = 2;
/** `\s`. */
export const BLANK = 4;
/** Belongs to the grapheme before it: Extend, SpacingMark, ZWJ. */
export const EXTENDS = 8;
/** Belongs to the grapheme after it: Prepend. */
export const PREPENDS = 16;
/** Stands alone whatever is beside it: Control, CR, LF. */
export const BREAKS = 32;

let table: CharTable | undefined;

/** The table, built on first use. */
export function kinds(): CharTable {
  return table ??= new TableBuilder()
    .addRanges(characters("L")!, LETTER)
    .addRanges(characters("N")!, NUMBER)
    .addRanges(characters("\\s")!, BLANK)
    .addRanges(difference(rangesOf(MARK_TABLE), rangesOf(EXTENDS_CHANGES)), EXTENDS)
    .addRanges(rangesOf(PREPENDS_TABLE), PREPENDS)
    .addRanges(rangesOf(BREAKS_TABLE), BREAKS)
    .done();
}

/** Kind of the character at a place; surrogates are in pairs. */
export function kindAt(table: CharTable, units: Uint16Array, at: number): number {
  const unit = units[at];
  if ((unit & 0xfc00) !== 0xd800) return table.bmp[unit];
  return flagsAbove(table, joinSurrogates(unit, units[at + 1]));
}
