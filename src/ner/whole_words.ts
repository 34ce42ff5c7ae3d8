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
 * A word is a run of letters, marks and digits, as terms are matched by (lexicon/folded.ts), whatever the tokenizer calls one.
 *
 * Weak: endings are known of few languages (lexicon/endings.ts); in the others a span goes to the end of its word. In scripts
 * that are written without spaces a word is a whole clause.
 *
 * @module
 */
import { JOINED_ENDINGS } from "../lexicon/endings.ts";
import { inWord } from "../lexicon/in_word.ts";

/** Code units of the longest ending; of one that is not composed, up to three for each. */
const LONGEST = 3 * Math.max(...Array.from(JOINED_ENDINGS, ({ length }) => length));

/** A span of a text, in UTF-16 code units, on its way. */
interface Found {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly score: number;
}

/** Whether a word goes on from the code unit before a place to the one behind it. */
function goesOn(text: string, at: number): boolean {
  return at > 0 && at < text.length && inWord(text, at - 1) && inWord(text, at);
}

/** Where a span may end whose last word ends at `stop`: there, or before the longest ending that leaves it whole. */
function endBeforeEnding(text: string, end: number, stop: number): number {
  // What is longer than all endings is none.
  end = Math.max(end, stop - LONGEST);
  while (end < stop && !JOINED_ENDINGS.has(text.slice(end, stop).normalize("NFC"))) end++;
  return end;
}

/**
 * Spans, from left to right and apart, as whole words. Of two that want the same word, the one with the better score has it
 * (the first of equals); the other keeps its other words, and is left out where it has none.
 */
export function toWords<Span extends Found>(text: string, spans: readonly Span[]): Span[] {
  /** Each with the end of its last word. */
  const kept: { span: Span; stop: number }[] = [];
  // The word that was looked at last: one of megabytes may have all of a text's spans.
  let begin = 0, stop = 0;
  const look = (at: number): void => {
    if (at >= begin && at < stop) return;
    for (begin = at; goesOn(text, begin);) begin--;
    for (stop = at + 1; goesOn(text, stop);) stop++;
  };
  for (const span of spans) {
    look(span.start);
    let start = begin, { end } = span;
    for (let last = kept.at(-1); last !== undefined && last.stop > start; last = kept.at(-1)) {
      if (last.span.score >= span.score) {
        for (start = last.stop; start < end && !inWord(text, start);) start++;
        break;
      }
      let rest = start;
      while (rest > last.span.start && !inWord(text, rest - 1)) rest--;
      if (rest > last.span.start) {
        kept[kept.length - 1] = { span: { ...last.span, end: rest }, stop: rest };
        break;
      }
      kept.pop();
    }
    if (start >= end) continue;
    look(end - 1);
    end = endBeforeEnding(text, end, stop);
    kept.push({ span: { ...span, start, end }, stop });
  }
  return kept.map(({ span }) => ({ ...span, text: text.slice(span.start, span.end) }));
}
