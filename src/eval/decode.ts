/**
 * Emissions, ours or another engine's, to entity spans, by the plainest Viterbi there is.
 *
 * The pipeline decodes with kernels, block by block, and moves the ends of entities so that no character is torn; this
 * decodes with two loops over arrays of doubles, shares with it only the reading of label names, and moves nothing: what
 * `verify` compares.
 *
 * Weak where: two paths of exactly equal score may be resolved differently from the kernels.
 *
 * @module
 */
import { mayEnd, mayFollow, parseTags, spansOf } from "../crf/scheme.ts";
import type { TokenSpan } from "../crf/scheme.ts";
import type { CrfWeights } from "../model/weights.ts";

/** Spans of the best label path, as {@link decodePath} finds it. */
export function decodeSpans(
  emissions: ArrayLike<number>,
  labels: readonly string[],
  crf?: CrfWeights,
  options?: { readonly constrained?: boolean },
): TokenSpan[] {
  return spansOf(decodePath(emissions, labels, crf, options), parseTags(labels));
}

/**
 * The best label path for emissions `[tokens, labels]`, row-major. Without `crf` every step
 * costs nothing. If `constrained`, steps that the tag scheme does not know are forbidden.
 * Throws a `RangeError` if the emissions are not whole rows.
 */
export function decodePath(
  emissions: ArrayLike<number>,
  labels: readonly string[],
  crf?: CrfWeights,
  { constrained = true }: { readonly constrained?: boolean } = {},
): number[] {
  const tags = parseTags(labels);
  const size = tags.length;
  const tokens = emissions.length / size;
  if (!Number.isInteger(tokens)) {
    throw new RangeError(`${emissions.length} emissions are not rows of ${size} labels.`);
  }
  if (tokens === 0) return [];
  const step = (from: number | undefined, to: number): number => {
    if (constrained && !mayFollow(from === undefined ? undefined : tags[from], tags[to], tags)) {
      return -Infinity;
    }
    if (!crf) return 0;
    return from === undefined ? crf.start[to] : crf.transitions[from * size + to];
  };
  let scores = tags.map((_, to) => step(undefined, to) + emissions[to]);
  /** Best predecessor of each label, for each token but the first. */
  const back: number[][] = [];
  for (let t = 1; t < tokens; t++) {
    const best = new Array<number>(size);
    scores = tags.map((_, to) => {
      let from = 0;
      for (let i = 1; i < size; i++) {
        if (scores[i] + step(i, to) > scores[from] + step(from, to)) from = i;
      }
      best[to] = from;
      return scores[from] + step(from, to) + emissions[t * size + to];
    });
    back.push(best);
  }
  const last = scores.map((score, label) =>
    constrained && !mayEnd(tags[label], tags) ? -Infinity : score + (crf?.end[label] ?? 0)
  );
  const path = [last.indexOf(Math.max(...last))];
  for (const best of back.reverse()) path.unshift(best[path[0]]);
  return path;
}
