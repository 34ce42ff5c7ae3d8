/**
 * Character classes: what kind of character a code point is, to the tokenizer.
 *
 * `\p{...}` is not used: its answers change with the engine's Unicode version, so the same text would give
 * other ids in another runtime, and neither would be those the model was trained with. The tables in
 * `unicode_tables.ts` are what Hugging Face tokenizers does, code point by code point.
 *
 * A lookup in the basic plane is one load from a 64k table, built on first use (about a millisecond). The
 * other planes are a sorted list of the places where the class changes, found by bisection: slower, but
 * emoji are rare beside letters and a table for them all would be a megabyte.
 *
 * @module
 */

import { CHANGES_K as CHANGES_K_TABLE } from "./compatible_table.ts";
import type { Ranges } from "./regex/sets.ts";
import * as data from "./unicode_tables.ts";

/** White space. */
export const SPACE = 1;
/** Punctuation that stands alone. */
export const PUNCTUATION = 2;
/** A character of `\w`. */
export const WORD = 4;
/** Deleted by clean_text. */
export const CONTROL = 8;
/** An ideograph that becomes a word. */
export const CJK = 16;
/** Nonspacing mark, Mn. */
export const NONSPACING = 32;
/** Any mark: Mn, Mc, Me. */
export const MARK = 64;
/** Half of a surrogate pair: look up the code point instead. */
export const SURROGATE = 128;

/** Normalization: canonical combining class above 0, or may combine with what precedes. */
export const JOINS = 1;
/** Normalization: may compose with a joining character after it, or be taken apart by it. */
export const FIRST = 2;
/** Shifted right by this, {@link FIRST} is {@link JOINS}. */
export const FIRST_TO_JOINS = 1;
/** Normalization: changed by NFC, by NFD, by NFKC when alone. */
export const CHANGES_C = 4;
export const CHANGES_D = 8;
export const CHANGES_K = 16;
/** Normalization: half of a surrogate pair. */
export const HALF = 32;
/** Normalization: the canonical combining class is the flags shifted right by this. */
export const CLASS_SHIFT = 8;

/** Flags of every code point: an array for the basic plane, and steps for the rest. */
export interface CharTable {
  /** Flags by UTF-16 code unit, 65,536 of them. */
  readonly bmp: Uint16Array;
  /** Sorted code points >= 0x10000 at which the flags change. */
  readonly steps: Int32Array;
  /** The flags from that step on, parallel to `steps`. */
  readonly flags: Uint16Array;
}

/** Numbers of a table string: base64 digits, five bits each, least first, the sixth bit says "more". */
export function decode(text: string): number[] {
  const numbers: number[] = [];
  let value = 0, shift = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    // A-Z a-z 0-9 + /
    const digit = c > 96 ? c - 71 : c > 64 ? c - 65 : c > 47 ? c + 4 : c === 43 ? 62 : 63;
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit < 32) {
      numbers.push(value);
      value = shift = 0;
    }
  }
  return numbers;
}

/** The set that a table string of ranges describes. */
export function rangesOf(text: string): Ranges {
  const numbers = decode(text);
  const out: number[] = [];
  for (let i = 0, at = 0; i < numbers.length; i += 2) {
    const first = at + numbers[i];
    at = first + numbers[i + 1] + 1;
    out.push(first, at);
  }
  return out;
}

/** Builds a table. Flags are added, so those of one code point must be different. */
export class TableBuilder {
  /** By how much the flags change, by code point. */
  private readonly changes = new Map<number, number>();

  add(first: number, end: number, flag: number): void {
    this.changes.set(first, (this.changes.get(first) ?? 0) + flag);
    this.changes.set(end, (this.changes.get(end) ?? 0) - flag);
  }

  addRanges(ranges: Ranges, flag: number): this {
    for (let i = 0; i < ranges.length; i += 2) this.add(ranges[i], ranges[i + 1], flag);
    return this;
  }

  done(): CharTable {
    this.add(0x10000, 0x110000, 0); // the planes above have a first step
    const bmp = new Uint16Array(0x10000), places = Int32Array.from(this.changes.keys()).sort();
    const flags = new Uint16Array(places.length);
    let sum = 0;
    for (let i = 0; i < places.length; i++) {
      flags[i] = sum += this.changes.get(places[i])!;
      // `fill` is the engine's own: a loop over 64k units would be interpreted, each time a process starts.
      bmp.fill(sum, places[i], places[i + 1] ?? 0x10000);
    }
    const above = places.indexOf(0x10000);
    return { bmp, steps: places.subarray(above), flags: flags.subarray(above) };
  }
}

let classTable: CharTable | undefined;

/** The table of {@link SPACE} ... {@link SURROGATE}. */
export function classes(): CharTable {
  if (classTable) return classTable;
  const builder = new TableBuilder()
    .addRanges(rangesOf(data.SPACE), SPACE)
    .addRanges(rangesOf(data.PUNCTUATION), PUNCTUATION)
    .addRanges(rangesOf(data.WORD), WORD)
    .addRanges(rangesOf(data.CONTROL), CONTROL)
    .addRanges(rangesOf(data.CJK), CJK)
    .addRanges(rangesOf(data.NONSPACING), NONSPACING)
    .addRanges(rangesOf(data.MARK), MARK);
  builder.add(0xd800, 0xe000, SURROGATE);
  return classTable = builder.done();
}

let formTable: CharTable | undefined;

/** The table of {@link JOINS} ... {@link HALF}, with the canonical combining class above them. */
export function formClasses(): CharTable {
  if (formTable) return formTable;
  const builder = new TableBuilder()
    .addRanges(rangesOf(data.JOINS), JOINS)
    .addRanges(rangesOf(data.FIRST), FIRST)
    .addRanges(rangesOf(data.CHANGES_C), CHANGES_C)
    .addRanges(rangesOf(data.CHANGES_D), CHANGES_D)
    .addRanges(rangesOf(CHANGES_K_TABLE), CHANGES_K);
  const runs = decode(data.CLASSES);
  for (let i = 0, at = 0; i < runs.length; i += 3) {
    const first = at + runs[i];
    at = first + runs[i + 1] + 1;
    builder.add(first, at, JOINS + (runs[i + 2] << CLASS_SHIFT));
  }
  builder.add(0xd800, 0xe000, HALF);
  return formTable = builder.done();
}

/** Flags of a code point beyond the basic plane. */
export function flagsAbove(table: CharTable, codePoint: number): number {
  const steps = table.steps;
  let low = 0, high = steps.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (steps[mid] <= codePoint) low = mid + 1;
    else high = mid;
  }
  return low === 0 ? 0 : table.flags[low - 1];
}

/** Flags of any code point. */
export function flagsOf(table: CharTable, codePoint: number): number {
  return codePoint < 0x10000 ? table.bmp[codePoint] : flagsAbove(table, codePoint);
}

/** The code point of two surrogates. */
export function joinSurrogates(high: number, low: number): number {
  return ((high - 0xd800) << 10) + (low - 0xdc00) + 0x10000;
}

/** Small letters: by code unit in the basic plane, by code point above it. */
export interface LowerTable {
  /** What is added to each code unit, modulo 65,536; 0 where there is no small letter. */
  readonly bmp: Uint16Array;
  /** The few above the basic plane; no letter crosses its border. */
  readonly above: ReadonlyMap<number, number>;
}

let lowerTable: LowerTable | undefined;

/**
 * Lower-casing of single characters, as Rust's `char::to_lowercase`. `String.prototype.toLowerCase` would
 * differ: it looks around (a final sigma) and follows the engine's Unicode version. U+0130 is not in the
 * table: it becomes two characters.
 */
export function lowercase(): LowerTable {
  if (lowerTable) return lowerTable;
  const bmp = new Uint16Array(0x10000);
  const above = new Map<number, number>();
  const runs = decode(data.LOWERCASE);
  for (let i = 0, at = 0; i < runs.length; i += 3) {
    const step = 1 + (runs[i + 1] & 1), count = 1 + (runs[i + 1] >> 1);
    const delta = runs[i + 2] & 1 ? -(runs[i + 2] >> 1) : runs[i + 2] >> 1;
    let c = at + runs[i];
    for (let k = 0; k < count; k++, c += step) {
      if (c < 0x10000) bmp[c] = delta;
      else above.set(c, c + delta);
    }
    at = c - step + 1;
  }
  return lowerTable = { bmp, above };
}
