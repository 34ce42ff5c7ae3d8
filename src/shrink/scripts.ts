/**
 * Scripts as ranges of code points, for choosing word pieces.
 *
 * Blocks, not the Script property: blocks never change (Unicode's stability policy, and
 * https://www.unicode.org/Public/UCD/latest/ucd/Blocks.txt), whereas an engine's `\p{Script=...}` grows with
 * its version of Unicode, and one command would then write different models in different runtimes.
 *
 * Weak: a block is wider than a language (Arabic's holds Urdu and Persian), and a script that is written
 * with letters of two blocks and has only one listed here loses the other's.
 *
 * @module
 */

/** First and last code point. */
type Range = readonly [first: number, last: number];

/** What text of any script may contain: digits, punctuation, signs, the joiners of Indic scripts. */
const COMMON: readonly Range[] = [
  [0x20, 0x40], // space, ASCII punctuation, digits
  [0x5b, 0x60], // [ \ ] ^ _ `
  [0x7b, 0x7e], // { | } ~
  [0xa0, 0xbf], // Latin-1 punctuation and signs
  [0xd7, 0xd7], // multiplication sign
  [0xf7, 0xf7], // division sign
  [0x964, 0x965], // danda and double danda: of the Devanagari block, used by all of India
  [0x2000, 0x206f], // General Punctuation, with ZWNJ and ZWJ
  [0x20a0, 0x20cf], // currency signs
  [0x2190, 0x21ff], // arrows
  [0x2200, 0x22ff], // mathematical operators
];

/** Blocks by script. */
const BLOCKS: Readonly<Record<string, readonly Range[]>> = {
  Latin: [[0x41, 0x5a], [0x61, 0x7a], [0xc0, 0x24f], [0x1e00, 0x1eff]],
  Greek: [[0x370, 0x3ff], [0x1f00, 0x1fff]],
  Cyrillic: [[0x400, 0x52f]],
  Armenian: [[0x530, 0x58f]],
  Hebrew: [[0x590, 0x5ff]],
  Arabic: [[0x600, 0x6ff], [0x750, 0x77f], [0x8a0, 0x8ff], [0xfb50, 0xfdff], [0xfe70, 0xfeff]],
  Devanagari: [[0x900, 0x97f], [0xa8e0, 0xa8ff]],
  Bengali: [[0x980, 0x9ff]],
  Gurmukhi: [[0xa00, 0xa7f]],
  Gujarati: [[0xa80, 0xaff]],
  Oriya: [[0xb00, 0xb7f]],
  Tamil: [[0xb80, 0xbff]],
  Telugu: [[0xc00, 0xc7f]],
  Kannada: [[0xc80, 0xcff]],
  Malayalam: [[0xd00, 0xd7f]],
  Sinhala: [[0xd80, 0xdff]],
  Thai: [[0xe00, 0xe7f]],
  Lao: [[0xe80, 0xeff]],
  Tibetan: [[0xf00, 0xfff]],
  Myanmar: [[0x1000, 0x109f]],
  Georgian: [[0x10a0, 0x10ff], [0x1c90, 0x1cbf]],
  Hangul: [[0x1100, 0x11ff], [0x3130, 0x318f], [0xac00, 0xd7af]],
  Ethiopic: [[0x1200, 0x139f]],
  Khmer: [[0x1780, 0x17ff]],
  Hiragana: [[0x3040, 0x309f], [0x3000, 0x303f]],
  Katakana: [[0x30a0, 0x30ff], [0x3000, 0x303f]],
  Han: [[0x3000, 0x303f], [0x3400, 0x4dbf], [0x4e00, 0x9fff], [0xf900, 0xfaff], [0x20000, 0x3ffff]],
};

/** Names that {@link scriptTest} knows, for instance `Bengali`. */
export const SCRIPTS: readonly string[] = Object.keys(BLOCKS);

function within(ranges: readonly Range[], codePoint: number): boolean {
  return ranges.some(([first, last]) => codePoint >= first && codePoint <= last);
}

/** A name in the spelling of {@link SCRIPTS}, whatever its case, or undefined if it is not known. */
export function scriptName(name: string): string | undefined {
  return SCRIPTS.find((known) => known.toLowerCase() === name.toLowerCase());
}

/**
 * Whether a piece without its prefix belongs to a script: all its characters are of the script's blocks or
 * common to all. A single ASCII letter belongs to every script, since no text is free of them; longer
 * pieces of Latin letters do not. `script` is one of {@link SCRIPTS}.
 */
export function scriptTest(script: string): (piece: string) => boolean {
  const ranges = [...BLOCKS[script]!, ...COMMON];
  return (piece) =>
    /^[A-Za-z]$/.test(piece) || [...piece].every((c) => within(ranges, c.codePointAt(0)!));
}
