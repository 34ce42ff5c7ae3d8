/**
 * Where a word is cut before pieces are learnt, so that the ends of entities fall between pieces.
 *
 * Bangla writes case, number and article at the end of a noun (চোখ eye, চোখের the eye's), and what annotators mark is
 * often the stem. A piece that holds stem and ending can be labelled only as a whole. So a word is cut
 *
 * - where, in labelled texts, entities begin or end inside it in at least half of its occurrences;
 * - before an ending of its script, the longest that leaves a stem which is itself a word of the corpus.
 *
 * Merges stay within the parts. A tokenizer that takes the longest piece that fits can still jump over the cut, with
 * a piece that other words gave; {@link straddling} finds those.
 *
 * Weak: no grammar is known, only strings. `খাবার` (food) is cut if `খাবা` (paw) is a word. A word that is cut costs a
 * token more.
 *
 * @module
 */
import type { Span } from "../../eval/spans.ts";
import type { Tokenizer } from "../../tokenizer/types.ts";
export { ENDINGS } from "../../tokenizer/endings.ts";
import { PREFIX, type TrainingWord } from "./merges.ts";
import type { InnerEnds, WordCounts } from "./words.ts";

/** A stem of fewer characters is more often chance than grammar. */
const MIN_STEM = 2;

/** How words are cut. */
export interface CutOptions {
  /** Endings; none: words are cut by labelled texts alone. */
  readonly endings: readonly string[];
  /** Occurrences that make a string a word. */
  readonly minFrequency: number;
}

/** The words as the trainer takes them, in the order of their characters. */
export function cutWords({ counts, ends }: WordCounts, options: CutOptions): TrainingWord[] {
  const endings = options.endings.toSorted((a, b) => b.length - a.length);
  const isWord = (stem: string): boolean => (counts.get(stem) ?? 0) >= options.minFrequency;
  const sorted = [...counts].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
  return sorted.map(([word, count]): TrainingWord => {
    const marked = markedCuts(ends.get(word));
    const cuts = marked.length > 0 ? marked : endingCut(word, endings, isWord);
    if (cuts.length === 0) return { parts: [word], count };
    const characters = [...word];
    return {
      parts: [0, ...cuts].map((from, i) => characters.slice(from, cuts[i]).join("")),
      count,
    };
  });
}

/** Characters before each place where entities begin or end in at least half of a word's occurrences. */
function markedCuts(ends: InnerEnds | undefined): number[] {
  if (ends === undefined) return [];
  return [...ends.at].filter(([, times]) => 2 * times >= ends.seen).map(([at]) => at)
    .sort((a, b) => a - b);
}

function endingCut(
  word: string,
  endings: readonly string[],
  isWord: (stem: string) => boolean,
): number[] {
  for (const ending of endings) {
    if (!word.endsWith(ending)) continue;
    const stem = word.slice(0, -ending.length), length = [...stem].length;
    if (length >= MIN_STEM && isWord(stem)) return [length];
  }
  return [];
}

/** A text of which it is known where entities begin and end. */
interface Marked {
  readonly text: string;
  readonly entities: readonly Span[];
}

/** Times that a piece must lie across an entity's end before it is held against it. */
const TIMES = 2;

/**
 * Pieces of more than one character that lie across the beginning or end of an entity at least twice and in at
 * least `share` of their occurrences.
 */
export function straddling(
  tokenizer: Tokenizer,
  texts: readonly Marked[],
  share: number,
): Set<string> {
  const seen = new Map<number, { all: number; across: number }>();
  for (const { text, entities } of texts) {
    const { ids, starts, ends } = tokenizer.encode(text);
    const places = entities.flatMap(({ start, end }) => [start, end]).sort((a, b) => a - b);
    let at = 0;
    for (let t = 0; t < ids.length; t++) {
      let count = seen.get(ids[t]!);
      if (count === undefined) seen.set(ids[t]!, count = { all: 0, across: 0 });
      count.all++;
      while (at < places.length && places[at]! <= starts[t]!) at++;
      if (at < places.length && places[at]! < ends[t]!) count.across++;
    }
  }
  const found = new Set<string>();
  for (const [id, { all, across }] of seen) {
    const piece = tokenizer.idToToken(id)!;
    const body = piece.startsWith(PREFIX) ? piece.slice(PREFIX.length) : piece;
    if (id === tokenizer.unk || [...body].length < 2) continue;
    if (across >= TIMES && across >= share * all) found.add(piece);
  }
  return found;
}
