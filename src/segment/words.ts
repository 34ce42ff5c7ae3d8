/**
 * Words, as UAX #29 has them by default, and without a dictionary: runs of letters, marks, digits and underscores, also
 * around an apostrophe between letters and a comma or full stop between digits ("1,000.5").
 *
 * Scripts that write no spaces between words (Han, hiragana, Thai, Khmer, ...) would need dictionaries, which differ
 * from engine to engine; there, each grapheme cluster counts as a word.
 *
 * Weak where: a letter that is newer than the tokenizers' tables is a word of its own.
 *
 * @module
 */
import { characters } from "../tokenizer/categories.ts";
import { HAN, HIRAGANA, KATAKANA as KATAKANA_TABLE } from "../tokenizer/category_tables.ts";
import { complement, intersection, union } from "../tokenizer/regex/sets.ts";
import { type CharTable, flagsOf, rangesOf, TableBuilder } from "../tokenizer/unicode.ts";
import { graphemeBreaks } from "./graphemes.ts";

const LETTER = 1, DIGIT = 2, KATAKANA = 4, CONNECTOR = 8, FORMAT = 16;

/** Blocks of scripts that need a dictionary, ends exclusive (Line_Break=SA). */
const NO_SPACES: readonly number[] = [
  [0x0e00, 0x0f00], // Thai, Lao
  [0x1000, 0x10a0], // Myanmar
  [0x1780, 0x1800], // Khmer
  [0x1950, 0x19e0], // Tai Le, New Tai Lue
  [0x1a20, 0x1ab0], // Tai Tham
  [0xa9e0, 0xaa00], // Myanmar
  [0xaa60, 0xaae0], // Myanmar, Tai Viet
  [0x11700, 0x11750], // Ahom
].flat();

let table: CharTable | undefined;

function properties(): CharTable {
  if (table) return table;
  const kana = rangesOf(KATAKANA_TABLE);
  const alone = [HAN, HIRAGANA].map(rangesOf).reduce(union, union(kana, NO_SPACES));
  return table = new TableBuilder()
    .addRanges(intersection(union(characters("L")!, characters("Nl")!), complement(alone)), LETTER)
    .addRanges(characters("Nd")!, DIGIT)
    .addRanges(kana, KATAKANA)
    .addRanges(characters("Pc")!, CONNECTOR)
    .addRanges(characters("Cf")!, FORMAT)
    .done();
}

/**
 * Between letters, between digits, and between either (MidLetter, MidNum, MidNumLet and the apostrophe), as CLDR has
 * them: no colon or full stop between letters.
 */
const MID_LETTER = "\u00b7\u0387\u055f\u05f4\u2027\ufe13";
const MID_DIGIT =
  ".,;\u037e\u0589\u060c\u060d\u066c\u07f8\u2044\ufe10\ufe14\ufe50\ufe54\uff0c\uff0e\uff1b";
const MID_BOTH = "'\u2018\u2019\u2024\ufe52\uff07";

/** What a character between two of a kind must be among. */
const MIDDLES: ReadonlyMap<number, string> = new Map([
  [LETTER, MID_LETTER + MID_BOTH],
  [DIGIT, MID_DIGIT + MID_BOTH],
]);

/** Whether nothing separates two neighbours. */
function adjoin(before: number, after: number): boolean {
  const none = (kind: number): boolean => kind === 0 || kind === FORMAT;
  if (none(before) || none(after)) return false;
  if (before === CONNECTOR || after === CONNECTOR) return true;
  return (before === KATAKANA) === (after === KATAKANA);
}

/**
 * Places where words begin, or what stands between them, in order, as UTF-16 code units, and last the text's length.
 * They are among those of {@link graphemeBreaks}.
 */
export function wordBreaks(text: string): number[] {
  const table = properties(), clusters = graphemeBreaks(text);
  /** Clusters but for format characters, which are part of what stands before them. */
  const units: { readonly at: number; readonly kind: number; readonly first: string }[] = [];
  for (const at of clusters.slice(0, -1)) {
    const c = text.codePointAt(at)!, kind = flagsOf(table, c);
    if (kind === FORMAT && units.length > 0) continue;
    units.push({ at, kind, first: String.fromCodePoint(c) });
  }
  const breaks = units.filter((unit, i) => {
    if (i === 0) return true;
    const before = units[i - 1];
    if (adjoin(before.kind, unit.kind)) return false;
    const around = (left: number, mid: string, right: number): boolean =>
      left === right && left !== 0 && (MIDDLES.get(left)?.includes(mid) ?? false);
    return !around(before.kind, unit.first, units[i + 1]?.kind) &&
      !around(units[i - 2]?.kind, before.first, unit.kind);
  });
  return [...breaks.map(({ at }) => at), text.length];
}
