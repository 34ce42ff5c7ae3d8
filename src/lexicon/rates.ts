/**
 * How often a term was what, as a rated list has it (model/lexicon.ts): shares by type, the share of none, a logarithmic
 * count, each a byte that stands for byte / 255.
 *
 * @module
 */

/** Added to a term's occurrences, so that one that was seen once is not trusted wholly. */
const PRIOR = 0.5;

/** Natural logarithm by squaring: an engine's own rounds as it likes in the last bit. */
function logarithm(x: number): number {
  let log2 = 0;
  for (; x >= 2; x /= 2) log2++;
  for (let bit = 0.5; bit > 1e-9; bit /= 2) {
    x *= x;
    if (x >= 2) {
      log2 += bit;
      x /= 2;
    }
  }
  return log2 * Math.LN2;
}

/** The rates of a term that was an entity of each type so often, and `seen` at all. */
export function ratesOf(counts: readonly number[], seen: number): number[] {
  const shares = counts.map((count) => count / (seen + PRIOR));
  const rest = 1 - shares.reduce((a, b) => a + b, 0);
  const values = [...shares, rest, Math.min(1, logarithm(1 + seen) / 4)];
  return values.map((value) => Math.round(255 * value));
}
