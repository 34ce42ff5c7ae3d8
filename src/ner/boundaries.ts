/**
 * Where an entity may begin and end: at what a reader takes for a character, or for a word.
 *
 * A model cuts where its tokens end, and those of inflected languages end within what is written as one: in "জ্বরে"
 * (in a fever) the entity is "জ্বর", the vowel sign behind it an ending. The labels of such a corpus mean just that,
 * and so `text` is the form that a dictionary has; but drawn by itself the sign stands on a dotted circle. What is
 * shown to people is therefore widened to whole clusters.
 *
 * No entity begins within a cluster, or ends before a virama, whatever was asked for: half a conjunct is nobody's
 * word. It is widened by the consonants that viramas join, and no further.
 *
 * Where two entities want the same cluster or word, the one with the better score has it (the first of equals); the
 * other keeps what is left of it, and is left out where nothing is. Scores stay those of the model's own spans.
 *
 * Weak where: a text of megabytes without any white space is looked at in one piece.
 *
 * @module
 */
import { conjunctEnd, graphemeBreaks } from "../segment/graphemes.ts";
import { wordBreaks } from "./segments.ts";

/** A part of a text, as UTF-16 code units, the end exclusive. */
interface Span {
  start: number;
  end: number;
}

/** What is moved of an entity. */
interface Found extends Span {
  text: string;
  readonly score: number;
}

/**
 * Where entities begin and end. `model`: where the model says, but never within a cluster's beginning or before a
 * virama. `grapheme`: at the ends of grapheme clusters. `word`: at the ends of words.
 */
export type Boundary = "model" | "grapheme" | "word";

/** All there are. */
export const BOUNDARIES: readonly Boundary[] = ["model", "grapheme", "word"];

/** The largest of ascending numbers that is not above `x`, by its index; the first is at most `x`. */
function floorIndex(numbers: readonly number[], x: number): number {
  let low = 0, high = numbers.length;
  while (high - low > 1) {
    const mid = (low + high) >> 1;
    if (numbers[mid] <= x) low = mid;
    else high = mid;
  }
  return low;
}

/** A stretch of a text from white space to white space, in which the ends of an entity are looked for. */
interface Stretch {
  readonly start: number;
  readonly end: number;
  /** Where clusters begin. */
  readonly clusters: readonly number[];
  /** Where clusters or words begin, as is asked for. */
  readonly units: readonly number[];
}

const isSpace = (text: string, at: number): boolean => /\s/.test(text[at]);

/** The stretch that a span lies in: white space begins a cluster and is in no word. */
function stretchOf(text: string, span: Span, boundary: Boundary): Stretch {
  let { start, end } = span;
  while (start > 0 && !isSpace(text, start)) start--;
  while (end < text.length && !isSpace(text, end)) end++;
  // A mark may stand on the white space, which then is its cluster's first character.
  end = Math.min(text.length, end + 1);
  while (end < text.length && !isSpace(text, end)) end++;
  const part = text.slice(start, end), place = (at: number): number => start + at;
  const clusters = graphemeBreaks(part).map(place);
  const units = boundary === "word" ? wordBreaks(part).map(place) : clusters;
  return { start, end, clusters, units };
}

/** The last break that is not behind a place. */
function before(breaks: readonly number[], at: number): number {
  return breaks[floorIndex(breaks, at)];
}

/** The first break that is not before a place. */
function behind(breaks: readonly number[], at: number): number {
  const i = floorIndex(breaks, at);
  return breaks[i] === at ? at : breaks[i + 1];
}

/** Entities of a text, from left to right and apart, with their ends where they may be; in pieces. */
export function* fitting<Entity extends Found>(
  text: string,
  entities: readonly Entity[],
  boundary: Boundary,
): Generator<void, Entity[]> {
  const kept: Entity[] = [];
  let stretch: Stretch | undefined;
  for (const entity of entities) {
    const { start, end } = entity;
    if (stretch === undefined || start < stretch.start || end >= stretch.end) {
      stretch = stretchOf(text, entity, boundary);
    }
    const { clusters, units } = stretch;
    const wide = {
      ...entity,
      start: before(units, start),
      // A virama that begins a cluster joins nothing to what stands before it.
      end: boundary === "model"
        ? Math.max(end, Math.min(conjunctEnd(text, end), behind(clusters, end)))
        : behind(units, end),
    };
    for (let last = kept.at(-1); last !== undefined && last.end > wide.start; last = kept.at(-1)) {
      if (last.score >= wide.score) {
        wide.start = Math.min(wide.end, behind(units, last.end));
        while (wide.start < wide.end && isSpace(text, wide.start)) {
          wide.start = behind(units, wide.start + 1);
        }
      } else {
        last.end = wide.start;
        while (last.end > last.start && isSpace(text, last.end - 1)) last.end--;
      }
      if (last.end > last.start) break;
      kept.pop();
    }
    if (wide.start < wide.end) kept.push(wide);
    yield;
  }
  return kept.map((entity) => ({ ...entity, text: text.slice(entity.start, entity.end) }));
}
