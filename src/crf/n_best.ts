/**
 * The n best label paths, exactly: Viterbi's algorithm with the k best ways to each label at each step in the place of the
 * best one (k-best, or list, Viterbi: Seshadri and Sundberg 1994, the parallel form).
 *
 * The ways to a label come from lists that are in order already, one for each label before it, and are merged; so a step
 * costs labels^2 * k additions and labels * k places to remember. Sums are made as the kernel's Viterbi makes them, in the same
 * order and in float64, so that the first path is the one that it finds, ties included.
 *
 * Weak where: in TypeScript, because a second and a third reading of a text are asked for rarely.
 *
 * @module
 */

/** What a linear chain is scored by, forbidden steps at minus infinity; float64, `[labels]` and `[labels, labels]`. */
export interface Chain {
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** From the row's label to the column's. */
  readonly transitions: Float64Array;
}

/** A path of labels and its score (unnormalized, log). */
export interface ScoredPath {
  readonly labels: Int32Array;
  readonly score: number;
}

/** A way's rank is kept in a byte. */
const MOST = 255;

/** Steps between two pauses. */
const STEPS = 64;

/**
 * The `k` best paths, 255 at most, through `emissions`, float32 `[steps, labels]`: the best first, fewer if there are no more;
 * of equal ones those with the lower labels at their ends. In pieces. At least one step.
 */
export function* nBestPaths(
  { start, end, transitions }: Chain,
  emissions: Float32Array,
  k: number,
): Generator<void, ScoredPath[]> {
  const n = start.length, steps = emissions.length / n;
  k = Math.min(k, MOST);
  // The ways to each label, best first: scores of this step and the next, and where each came from.
  let scores = new Float64Array(n * k).fill(-Infinity), next = new Float64Array(n * k);
  const labelBefore = new Uint16Array(steps * n * k), rankBefore = new Uint8Array(steps * n * k);
  for (let j = 0; j < n; j++) scores[j * k] = start[j] + emissions[j];
  const ranks = new Uint8Array(n);
  for (let t = 1; t < steps; t++) {
    for (let j = 0; j < n; j++) {
      ranks.fill(0);
      for (let r = 0; r < k; r++) {
        let best = -Infinity, from = -1;
        for (let i = 0; i < n; i++) {
          const score = scores[i * k + ranks[i]] + transitions[i * n + j];
          if (score > best) best = score, from = i;
        }
        const at = j * k + r;
        next[at] = best + emissions[t * n + j];
        if (from < 0) continue;
        labelBefore[t * n * k + at] = from;
        rankBefore[t * n * k + at] = ranks[from]++;
      }
    }
    [scores, next] = [next, scores];
    if (t % STEPS === 0) yield;
  }
  const ends: { readonly label: number; readonly rank: number; readonly score: number }[] = [];
  for (let label = 0; label < n; label++) {
    for (let rank = 0; rank < k; rank++) {
      const score = scores[label * k + rank] + end[label];
      if (score > -Infinity) ends.push({ label, rank, score });
    }
  }
  // Sorting keeps the order of equals.
  ends.sort((a, b) => b.score - a.score);
  return ends.slice(0, k).map(({ label, rank, score }) => {
    const labels = new Int32Array(steps);
    for (let t = steps - 1; t >= 0; t--) {
      labels[t] = label;
      const at = (t * n + label) * k + rank;
      label = labelBefore[at], rank = rankBefore[at];
    }
    return { labels, score };
  });
}
