/**
 * What belongs to a word: letters, marks, digits and the joiners of Brahmic scripts, as terms are matched by (folded.ts), in the
 * text as it stands.
 *
 * @module
 */
import { classes, flagsOf, WORD } from "../tokenizer/unicode.ts";

/** Whether the character that a code unit is of, or a half of, belongs to a word. */
export function inWord(text: string, at: number): boolean {
  const low = (text.charCodeAt(at) & 0xfc00) === 0xdc00;
  return (flagsOf(classes(), text.codePointAt(low && at > 0 ? at - 1 : at)!) & WORD) !== 0;
}
