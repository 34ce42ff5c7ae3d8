/**
 * Character classes of byte-level BPE and of SentencePiece's normalizer, beside those of `unicode.ts`.
 *
 * Letters, numbers and white space are those of GPT-2's regular expression, in the engine that the reference
 * runs it with; what extends a grapheme, is prepended to one, or always ends one is what its segmentation
 * does. `\p{L}` and `Intl.Segmenter` would follow the engine's Unicode version and give other ids in another
 * runtime. Tables are differences from those that are there already, so they are a kilobyte.
 *
 * @module
 */

import * as data from "./subword_tables.ts";
import { classes, decode, flagsOf, joinSurrogates, MARK, SPACE, WORD } from "./unicode.ts";

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

/** Kinds of the basic plane; the others are computed, see {@link kindAt}. */
export interface KindTable {
  readonly bmp: Uint8Array;
  /** For each list of `subword_tables.ts` the places where it begins and ends, by turns. */
  readonly bounds: readonly Int32Array[];
}

let table: KindTable | undefined;

/** The table, built on first use. */
export function kinds(): KindTable {
  if (table) return table;
  const bounds = [
    data.NUMBER,
    data.LETTER_CHANGES,
    data.EXTENDS_CHANGES,
    data.PREPENDS,
    data.BREAKS,
  ]
    .map((text) => {
      const numbers = decode(text);
      const out = new Int32Array(numbers.length);
      for (let i = 0, at = 0; i < numbers.length; i += 2) {
        out[i] = at + numbers[i];
        out[i + 1] = at = out[i] + numbers[i + 1] + 1;
      }
      return out;
    });
  const bmp = new Uint8Array(0x10000);
  for (let c = 0; c < 0x10000; c++) bmp[c] = kindOf(bounds, c);
  return table = { bmp, bounds };
}

/** Kind of the character at a place; surrogates are in pairs. */
export function kindAt({ bmp, bounds }: KindTable, units: Uint16Array, at: number): number {
  const unit = units[at];
  if ((unit & 0xfc00) !== 0xd800) return bmp[unit];
  return kindOf(bounds, joinSurrogates(unit, units[at + 1]));
}

function kindOf(bounds: readonly Int32Array[], codePoint: number): number {
  const flags = flagsOf(classes(), codePoint);
  const number = inside(bounds[0], codePoint);
  const word = (flags & WORD) !== 0 && (flags & MARK) === 0 && !number;
  let kind = number ? NUMBER : 0;
  if (word !== inside(bounds[1], codePoint)) kind |= LETTER;
  if (flags & SPACE) kind |= BLANK;
  if (((flags & MARK) !== 0) !== inside(bounds[2], codePoint)) kind |= EXTENDS;
  if (inside(bounds[3], codePoint)) kind |= PREPENDS;
  if (inside(bounds[4], codePoint)) kind |= BREAKS;
  return kind;
}

function inside(bounds: Int32Array, codePoint: number): boolean {
  let low = 0, high = bounds.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (bounds[mid] <= codePoint) low = mid + 1;
    else high = mid;
  }
  return (low & 1) === 1;
}
