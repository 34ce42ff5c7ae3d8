/**
 * What several of the tokenizer's tests need.
 *
 * @module
 */

import type { Regex } from "../../src/tokenizer/regex/match.ts";

/** Where all matches in a text begin and end, by turns. */
export function matchesOf(regex: Regex, text: string): number[] {
  const found: number[] = [];
  const units = Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
  regex.enter(units, 0, text.length);
  while (regex.find()) found.push(regex.start, regex.end);
  return found;
}
