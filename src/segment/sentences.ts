/**
 * Sentences: a text is cut behind a danda, a question or exclamation mark, a full stop that ends one, and at line ends.
 *
 * A full stop ends a sentence if white space and no small letter follow it, and if the word before it has more than two
 * characters: "ডা. রহমান", "৫০০ মি. গ্রা. দিন" and "Dr. Rahman" go on. In doubt nothing is cut, because a sentence
 * too long costs a model less than half a one.
 *
 * Weak where: a sentence whose last word is as short as an abbreviation goes on, and one that no mark ends is one with
 * the next.
 *
 * @module
 */
import { characters } from "../tokenizer/categories.ts";
import { type CharTable, flagsOf, TableBuilder } from "../tokenizer/unicode.ts";
import { graphemeBreaks } from "./graphemes.ts";

/** Danda, double danda, and full stops, question and exclamation marks that nothing else is written with. */
const ENDS = "।॥!?…؟۔።၊။៕。！？｡‼‽⁇⁈⁉";
const LINE_END = /[\n\r\u0085\u2028\u2029]/g;
/** What may stand, beside closing quotes and brackets, between a sentence's mark and the next sentence. */
const MORE = ".'\"" + ENDS;
const SPACE = /^\s/;

const SMALL = 1, WORD = 2, CLOSING = 4;

let table: CharTable | undefined;

/** As the tokenizers have them: `\p{...}` would change with the engine. */
function properties(): CharTable {
  return table ??= new TableBuilder()
    .addRanges(characters("Ll")!, SMALL)
    .addRanges(characters("L")!, WORD)
    .addRanges(characters("N")!, WORD)
    .addRanges(characters("Pe")!, CLOSING)
    .addRanges(characters("Pf")!, CLOSING)
    .done();
}

/** Whether a cluster begins with a character of a property. */
function is(cluster: string | undefined, property: number): boolean {
  return cluster !== undefined &&
    (flagsOf(properties(), cluster.codePointAt(0)!) & property) !== 0;
}

/** Words of at most so many characters before a full stop are taken for abbreviations. */
const SHORT = 2;

/** A part of a text, as UTF-16 code units. */
export interface Part {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** Sentences from left to right, without the white space around them; none is empty. */
export function* sentencesOf(text: string): Generator<Part> {
  for (let start = 0; start < text.length;) {
    LINE_END.lastIndex = start;
    const end = LINE_END.exec(text)?.index ?? text.length;
    for (const part of sentencesOfLine(text.slice(start, end))) {
      yield { start: start + part.start, end: start + part.end };
    }
    start = end + 1;
  }
}

function sentencesOfLine(line: string): Part[] {
  const breaks = graphemeBreaks(line), parts: Part[] = [];
  const clusters = breaks.slice(0, -1).map((at, i) => line.slice(at, breaks[i + 1]));
  const close = (first: number, end: number): void => {
    while (first < end && SPACE.test(clusters[first])) first++;
    while (end > first && SPACE.test(clusters[end - 1])) end--;
    if (first < end) parts.push({ start: breaks[first], end: breaks[end] });
  };
  let first = 0;
  for (let i = 0; i < clusters.length; i++) {
    const stop = clusters[i] === ".";
    if (!stop && !ENDS.includes(clusters[i])) continue;
    let end = i + 1;
    while (is(clusters[end], CLOSING) || MORE.includes(clusters[end] ?? " ")) end++;
    if (!stop || endsSentence(clusters, i, end)) {
      close(first, end);
      first = end;
    }
    i = end - 1;
  }
  close(first, clusters.length);
  return parts;
}

/** Whether the full stop at `at`, with closing marks up to `end`, ends a sentence. */
function endsSentence(clusters: readonly string[], at: number, end: number): boolean {
  let next = end;
  while (next < clusters.length && SPACE.test(clusters[next])) next++;
  if (next === clusters.length) return true;
  if (next === end || is(clusters[next], SMALL)) return false;
  let word = 0;
  while (word <= SHORT && word < at && is(clusters[at - 1 - word], WORD)) word++;
  return word > SHORT || word === 0;
}
