/**
 * Grapheme clusters: what a reader takes for one character (UAX #29, extended clusters, Unicode 17).
 *
 * `Intl.Segmenter` is not used: its answers change with the engine's Unicode, and much of it changed lately. Since
 * Unicode 15.1 (rule GB9c) a conjunct of Bengali or Devanagari is one cluster, "ক্ত" as well as "ক্তে", and before it
 * was two: the same text would have other entities in another runtime. Extending and prepended characters are those
 * of the tokenizers (`tokenizer/clusters.ts`), which are of Unicode 16; the rest is in `segment_tables.ts`.
 *
 * Weak where: marks that are newer than the tokenizers' tables are clusters of their own, and the vowels of Kirat Rai
 * join as marks do or not at all.
 *
 * @module
 */
import { addClusters, BREAKS, EXTENDS, PREPENDS } from "../tokenizer/clusters.ts";
import { type CharTable, flagsOf, rangesOf, TableBuilder } from "../tokenizer/unicode.ts";
import * as data from "./segment_tables.ts";

/** Properties beside those of `clusters.ts`. */
const SPACING = 1, PICTOGRAPHIC = 2, CONSONANT = 4, LINKER = 64, VIRAMA = 128;

let table: CharTable | undefined;

function properties(): CharTable {
  return table ??= addClusters(new TableBuilder())
    .addRanges(rangesOf(data.SPACING), SPACING)
    .addRanges(rangesOf(data.PICTOGRAPHIC), PICTOGRAPHIC)
    .addRanges(rangesOf(data.CONSONANTS), CONSONANT)
    .addRanges(rangesOf(data.LINKERS), LINKER)
    .addRanges(rangesOf(data.VIRAMAS), VIRAMA)
    .done();
}

const CR = 0x0d, LF = 0x0a, ZWNJ = 0x200c, ZWJ = 0x200d;

/** Kinds of syllables and their parts in Hangul (GB6 to GB8); 0: none. */
const NO_HANGUL = 0, L = 1, V = 2, T = 3, LV = 4, LVT = 5;

function hangulOf(c: number): number {
  if (c < 0x1100) return NO_HANGUL;
  if (c <= 0x115f || (c >= 0xa960 && c <= 0xa97c)) return L;
  if (c <= 0x11a7 || (c >= 0xd7b0 && c <= 0xd7c6)) return V;
  if (c <= 0x11ff || (c >= 0xd7cb && c <= 0xd7fb)) return T;
  if (c < 0xac00 || c > 0xd7a3) return NO_HANGUL;
  return (c - 0xac00) % 28 === 0 ? LV : LVT;
}

function joinsHangul(before: number, after: number): boolean {
  if (before === L) return after === L || after === V || after === LV || after === LVT;
  if (before === V || before === LV) return after === V || after === T;
  return (before === T || before === LVT) && after === T;
}

const isFlag = (c: number): boolean => c >= 0x1f1e6 && c <= 0x1f1ff;

/**
 * Places where clusters begin, in order, as UTF-16 code units, and last the text's length. An empty text has the one
 * place 0.
 */
export function graphemeBreaks(text: string): number[] {
  const table = properties(), breaks: number[] = [];
  let before = -1, propertiesBefore = 0, hangulBefore = NO_HANGUL, flags = 0;
  /** Whether a pictograph and its marks end here; and whether a joiner is the last of them (GB11). */
  let picture = false, joined = false;
  /** Whether a consonant and its marks end here; and whether a linker is among them (GB9c). */
  let consonant = false, linked = false;
  for (let at = 0; at < text.length;) {
    const c = text.codePointAt(at)!, p = flagsOf(table, c);
    const hangul = hangulOf(c), mark = (p & EXTENDS) !== 0, flag = isFlag(c);
    const joins = before >= 0 && (
      propertiesBefore & BREAKS || p & BREAKS
        ? before === CR && c === LF // GB3 to GB5
        : mark || (propertiesBefore & PREPENDS) !== 0 || // GB9 to GB9b
          joinsHangul(hangulBefore, hangul) ||
          (linked && (p & CONSONANT) !== 0) ||
          (joined && (p & PICTOGRAPHIC) !== 0) ||
          (flag && flags % 2 === 1) // GB12, GB13
    );
    if (!joins) breaks.push(at);
    const extends_ = mark && (p & SPACING) === 0;
    joined = picture && c === ZWJ;
    picture = (p & PICTOGRAPHIC) !== 0 || (picture && extends_ && c !== ZWJ);
    if ((p & LINKER) !== 0) linked = consonant;
    else if ((p & CONSONANT) !== 0) consonant = true, linked = false;
    else if (!extends_ || c === ZWNJ) consonant = linked = false;
    flags = flag ? flags + 1 : 0;
    before = c, propertiesBefore = p, hangulBefore = hangul;
    at += c > 0xffff ? 2 : 1;
  }
  breaks.push(text.length);
  return breaks;
}

/** Whether a virama, or another sign that kills a vowel, stands at a place. */
export function isVirama(text: string, at: number): boolean {
  return at < text.length && (flagsOf(properties(), text.codePointAt(at)!) & VIRAMA) !== 0;
}

/**
 * The end of the consonants that viramas join behind a place, without the vowel that follows: from within "ক্তে" the
 * place behind "ক্ত". The place itself where no virama stands.
 */
export function conjunctEnd(text: string, at: number): number {
  const table = properties();
  while (isVirama(text, at)) {
    at += text.codePointAt(at)! > 0xffff ? 2 : 1;
    while (text.charCodeAt(at) === ZWJ || text.charCodeAt(at) === ZWNJ) at++;
    const next = text.codePointAt(at);
    if (next !== undefined && flagsOf(table, next) & CONSONANT) at += next > 0xffff ? 2 : 1;
  }
  return at;
}
