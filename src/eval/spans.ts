/**
 * Strict span scores: an entity counts only if its type, start and end are all exactly right.
 *
 * These are the numbers of CoNLL's `conlleval` and of Python's seqeval (default mode), which the
 * literature reports, computed over character spans instead of tag sequences. The two agree whenever
 * spans come from tags; over characters there is no tag scheme to repair first, so there is nothing
 * to choose. A span predicted twice counts once, as in seqeval.
 *
 * How counts become scores is told in `scores.ts`, how tags become spans in `sequences.ts`.
 *
 * Weak where: one mistake in a boundary costs twice (a miss and a false alarm), so a model with ragged
 * boundaries looks worse than it reads. The confusion matrix says how many of those there are.
 *
 * @module
 */
import { byCodePoint } from "./order.ts";
import { type ScoreOptions, scoresOf, type TypeScores } from "./scores.ts";

/** What a score looks at in an entity. */
export interface Span {
  /** Entity type. */
  readonly type: string;
  /** First UTF-16 code unit. */
  readonly start: number;
  /** One past the last UTF-16 code unit. */
  readonly end: number;
}

/** What {@link scoreSpans} returns. */
export interface SpanScores extends TypeScores {
  /** How many documents were compared. */
  readonly documents: number;
}

/** Spans by type: for each gold type (row) what was predicted on exactly the same characters. */
export interface Confusion {
  /** Types in the order of code points. */
  readonly types: readonly string[];
  /**
   * `counts[g][p]`, one more row and column than there are types. The last column is "nothing with
   * these boundaries", the last row "no gold span with these boundaries".
   */
  readonly counts: readonly (readonly number[])[];
  /** Gold spans that no prediction matches, though one of the same type overlaps them. */
  readonly boundaryErrors: number;
}

/** Tells a span from others of its document. */
export function spanKey({ type, start, end }: Span): string {
  return `${start}:${end}:${type}`;
}

/** Distinct spans of one document, by {@link spanKey}. */
function distinct(spans: readonly Span[]): Map<string, Span> {
  return new Map(spans.map((span) => [spanKey(span), span]));
}

function checkLengths(gold: readonly unknown[], predicted: readonly unknown[]): void {
  if (gold.length !== predicted.length) {
    throw new RangeError(
      `${gold.length} gold documents and ${predicted.length} predicted ones; ` +
        "both lists must name the same documents in the same order.",
    );
  }
}

/** All types of both, in the order of code points. */
function typesOf(
  gold: readonly (readonly Span[])[],
  predicted: readonly (readonly Span[])[],
): string[] {
  const types = new Set<string>();
  for (const documents of [gold, predicted]) {
    for (const spans of documents) for (const span of spans) types.add(span.type);
  }
  return [...types].sort(byCodePoint);
}

/**
 * Strict precision, recall and F1 of predicted spans against gold ones, document by document.
 * Throws a `RangeError` if the two lists differ in length.
 */
export function scoreSpans(
  gold: readonly (readonly Span[])[],
  predicted: readonly (readonly Span[])[],
  options: ScoreOptions = {},
): SpanScores {
  checkLengths(gold, predicted);
  const counts = new Map(
    typesOf(gold, predicted).map((type) => [type, { correct: 0, predicted: 0, support: 0 }]),
  );
  for (let i = 0; i < gold.length; i++) {
    const wanted = distinct(gold[i]);
    for (const span of wanted.values()) counts.get(span.type)!.support++;
    for (const [id, span] of distinct(predicted[i])) {
      const count = counts.get(span.type)!;
      count.predicted++;
      if (wanted.has(id)) count.correct++;
    }
  }
  return { documents: gold.length, ...scoresOf(counts, options) };
}

/**
 * Which types are taken for which, on spans whose boundaries are right, and how often only the
 * boundaries are wrong. If several spans share their boundaries, equal types are paired first.
 * Throws a `RangeError` if the two lists differ in length.
 */
export function confusionMatrix(
  gold: readonly (readonly Span[])[],
  predicted: readonly (readonly Span[])[],
): Confusion {
  checkLengths(gold, predicted);
  const types = typesOf(gold, predicted);
  const column = new Map(types.map((type, index) => [type, index]));
  const none = types.length;
  const counts = Array.from({ length: none + 1 }, () => new Array<number>(none + 1).fill(0));
  let boundaryErrors = 0;
  for (let i = 0; i < gold.length; i++) {
    const open = distinct(predicted[i]);
    const missed: Span[] = [];
    for (const [id, span] of distinct(gold[i])) {
      if (open.delete(id)) counts[column.get(span.type)!][column.get(span.type)!]++;
      else missed.push(span);
    }
    // Only what no equal type claimed may be a confusion.
    for (const span of missed) {
      const row = counts[column.get(span.type)!];
      const other = [...open].find(([, p]) => p.start === span.start && p.end === span.end);
      if (other) {
        row[column.get(other[1].type)!]++;
        open.delete(other[0]);
        continue;
      }
      row[none]++;
      const overlaps = predicted[i].some((p) =>
        p.type === span.type && p.start < span.end && span.start < p.end
      );
      if (overlaps) boundaryErrors++;
    }
    for (const span of open.values()) counts[none][column.get(span.type)!]++;
  }
  return { types, counts, boundaryErrors };
}
