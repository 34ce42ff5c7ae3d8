/**
 * Scores that forgive boundaries: an entity is found if any prediction of its type shares a character with it.
 *
 * What they are for: texts that were labelled by other rules than a model has learnt, where strict scores (`spans.ts`) count
 * how the guidelines differ. They have no F1, since what is divided is not the same: recall is a share of gold spans, precision
 * one of predictions, and one long prediction may find three names.
 *
 * Weak where: a prediction of the whole text finds everything.
 *
 * @module
 */
import type { Span } from "./spans.ts";

/** How much of a type was found, and how much of what was predicted is something. */
export interface OverlapScore {
  /** Gold spans. */
  readonly support: number;
  /** Gold spans that a prediction of their type overlaps. */
  readonly found: number;
  /** Predictions. */
  readonly predicted: number;
  /** Predictions that overlap a gold span of their type. */
  readonly right: number;
  /** `found / support`, 0 to 1; 0 where there is no gold span. */
  readonly recall: number;
  /** `right / predicted`, 0 to 1; 0 where nothing was predicted. */
  readonly precision: number;
}

/** How many of `spans` share a character with one of `others`. */
function touching(spans: readonly Span[], others: readonly Span[]): number {
  return spans.filter(({ start, end }) => others.some((o) => o.start < end && start < o.end))
    .length;
}

/**
 * Overlaps of one type, document by document. Throws a `RangeError` if the two lists differ in length.
 */
export function scoreOverlaps(
  gold: readonly (readonly Span[])[],
  predicted: readonly (readonly Span[])[],
  type: string,
): OverlapScore {
  if (gold.length !== predicted.length) {
    throw new RangeError(
      `${gold.length} gold documents and ${predicted.length} predicted ones; ` +
        "both lists must name the same documents in the same order.",
    );
  }
  const of = (spans: readonly Span[]): Span[] => spans.filter((span) => span.type === type);
  const counts = { support: 0, found: 0, predicted: 0, right: 0 };
  for (const [i, spans] of gold.entries()) {
    const wanted = of(spans), got = of(predicted[i]!);
    counts.support += wanted.length;
    counts.found += touching(wanted, got);
    counts.predicted += got.length;
    counts.right += touching(got, wanted);
  }
  const { support, found, right } = counts;
  return {
    ...counts,
    recall: support === 0 ? 0 : found / support,
    precision: counts.predicted === 0 ? 0 : right / counts.predicted,
  };
}
