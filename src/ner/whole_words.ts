/**
 * Entities that are whole words, or words up to an ending.
 *
 * In some corpora no entity begins within a word, though many end there, before an ending that is written joined to the name. A
 * model cuts a word that it does not know into pieces, and the span that it finds may begin or end at any of them
 * ("ন্ডানসেট্রন" of "অন্ডানসেট্রন", "ইসোমে" of "ইসোমেপ্রাজল"): what a model of such a corpus means by it is that the word is part of a name. So the span
 * begins with the word, and ends with it or before the longest ending that leaves the span whole. Its score stays that of the
 * model's own span.
 *
 * To forbid such paths in the CRF instead loses names: then what speaks for a name at an inner piece speaks for nothing.
 *
 * Weak: endings are known of few languages (lexicon/endings.ts); in the others a span goes to the end of its word.
 *
 * @module
 */
import { JOINED_ENDINGS } from "../lexicon/endings.ts";

/** Code units of the longest ending; of one that is not composed, up to three for each. */
const LONGEST = 3 * Math.max(...Array.from(JOINED_ENDINGS, ({ length }) => length));

/** Where a text's tokens lie. */
export interface Places {
  /** First UTF-16 code unit of each. */
  readonly starts: ArrayLike<number>;
  /** One past the last. */
  readonly ends: ArrayLike<number>;
  /** Which word each belongs to, where entities are words; absent: they begin and end anywhere. */
  readonly words?: ArrayLike<number> | undefined;
}

/** A span of tokens on its way. */
interface Found {
  readonly first: number;
  readonly last: number;
  readonly score: number;
}

/**
 * Spans, from left to right and apart, from the beginnings of their words. Of two that want the same word, the one with the
 * better score has it (the first of equals); the other keeps its other words, and is left out where it has none.
 */
export function fromWords<Span extends Found>(
  spans: readonly Span[],
  words: ArrayLike<number>,
): Span[] {
  const kept: (Span & { last: number })[] = [];
  let word = -1, begin = 0;
  for (const span of spans) {
    // Looked for once in each word: one without any white space may have all of a text's spans.
    if (words[span.first] !== word) {
      word = words[span.first];
      for (begin = span.first; begin > 0 && words[begin - 1] === word;) begin--;
    }
    let first = begin;
    for (;;) {
      const before = kept.at(-1);
      if (before === undefined || words[before.last] !== word) break;
      if (before.score >= span.score) {
        first = span.first;
        while (first <= span.last && words[first] === word) first++;
        break;
      }
      before.last = begin - 1;
      if (before.last >= before.first) break;
      kept.pop();
    }
    if (first <= span.last) kept.push({ ...span, first });
  }
  return kept;
}

/** UTF-16 end of a span that ends with its last word, or before an ending, where tokens alone have it end at `end`. */
export function endOfWords(
  text: string,
  end: number,
  { last }: Found,
  { ends }: Pick<Places, "ends">,
  words: ArrayLike<number>,
): number {
  while (last + 1 < words.length && words[last + 1] === words[last]) last++;
  const stop = ends[last];
  // What is longer than all endings is none.
  end = Math.max(end, stop - LONGEST);
  while (end < stop && !JOINED_ENDINGS.has(text.slice(end, stop).normalize("NFC"))) end++;
  return end;
}
