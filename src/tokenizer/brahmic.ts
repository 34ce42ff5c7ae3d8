/**
 * The guard against stripping the vowels off Bengali and its relatives.
 *
 * `strip_accents`, which BERT turns on together with lower-casing, deletes nonspacing marks. In Brahmic
 * scripts those are vowel signs and the virama: "জ্বর" (fever) becomes "জবর", "মুখ" (mouth) "মখ". Such a
 * configuration is refused when the vocabulary shows that it is meant for such a script, which is when it
 * has
 *
 * - a piece with a character that would be deleted or taken apart (stripping begins with NFD), so that it
 *   could never be matched: proof that configuration and vocabulary do not belong together. The usual case
 *   is a vocab.txt loaded with BERT's defaults; or
 * - a piece of two or more characters of one of these scripts: the model was trained on mutilated text, as
 *   bert-base-multilingual-uncased was; `allowStripAccents` lets it in.
 *
 * Single letters alone do not count: the vocabulary of the English bert-base-uncased holds some forty
 * Bengali letters, one by one, and no word.
 *
 * Weak point: other scripts lose marks too (Hebrew and Arabic points, Hangul falls apart into jamo), but
 * are commonly written without them or survive it, and nobody is stopped.
 *
 * @module
 */

import { show, TokenizerError } from "../errors.ts";
import { CHANGES_D, classes, flagsOf, formClasses, NONSPACING } from "./unicode.ts";

/** Blocks of scripts that write vowels or their absence with nonspacing marks: Brahmi and its descendants. */
const BRAHMIC: readonly (readonly [first: number, last: number])[] = [
  [0x0900, 0x109f], // Devanagari, Bengali, ... Sinhala, Thai, Lao, Tibetan, Myanmar
  [0x1700, 0x17ff], // Tagalog, Hanunoo, Buhid, Tagbanwa, Khmer
  [0x1900, 0x194f], // Limbu
  [0x1a00, 0x1aaf], // Buginese, Tai Tham
  [0x1b00, 0x1c4f], // Balinese, Sundanese, Batak, Lepcha
  [0x1cd0, 0x1cff], // Vedic signs
  [0xa800, 0xa82f], // Syloti Nagri
  [0xa840, 0xa8ff], // Phags-pa, Saurashtra, Devanagari
  [0xa930, 0xaaff], // Rejang, Javanese, Myanmar, Cham, Tai Viet, Meetei Mayek
  [0xabc0, 0xabff], // Meetei Mayek
  [0x11000, 0x11fff], // Brahmi, Kaithi, Chakma, Grantha, Tirhuta, ...
];

function isBrahmic(codePoint: number): boolean {
  return BRAHMIC.some(([first, last]) => codePoint >= first && codePoint <= last);
}

/** Whether stripping accents, which begins with NFD, leaves nothing of a character as it is written. */
function isStripped(codePoint: number): boolean {
  return (flagsOf(classes(), codePoint) & NONSPACING) !== 0 ||
    (flagsOf(formClasses(), codePoint) & CHANGES_D) !== 0;
}

/**
 * Refuses a vocabulary that is meant for a script which stripping marks destroys.
 *
 * @param tokens pieces, in any order
 * @param remedy what to do if the model was trained without stripping, for the message
 * @throws {TokenizerError} `tokenizer/strip-accents`
 */
export function refuseBrahmic(tokens: readonly (string | undefined)[], remedy: string): void {
  for (const token of tokens) {
    if (token === undefined) continue;
    let letters = 0, stripped = false;
    for (let i = 0; i < token.length; i++) {
      if (token.charCodeAt(i) < 0x900) continue;
      const codePoint = token.codePointAt(i)!;
      if (codePoint > 0xffff) i++;
      if (!isBrahmic(codePoint)) continue;
      letters++;
      stripped ||= isStripped(codePoint);
    }
    if (letters < 2 && !stripped) continue;
    throw new TokenizerError(
      "tokenizer/strip-accents",
      "this tokenizer strips accents, and its vocabulary spells a script whose vowel signs would be " +
        `deleted by that, as in ${show(token)}. If the model was trained without it, ${remedy}. ` +
        "If it really was trained so, pass { allowStripAccents: true }.",
    );
  }
}
