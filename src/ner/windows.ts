/**
 * Long texts: which tokens the encoder sees together, and whose emissions count.
 *
 * An encoder knows a fixed number of positions. A longer text goes through in windows of that size which
 * overlap by a quarter; where two overlap, each gives the emissions of its own half of the overlap, so a
 * token is always read with at least an eighth of a window of context on either side. The CRF then runs
 * over the whole text: an entity across a seam is one entity.
 *
 * @module
 */

/** A run of tokens that the encoder sees at once, and the part of it that is kept. */
export interface Window {
  /** First token seen. */
  readonly start: number;
  /** One past the last token seen. */
  readonly end: number;
  /** First token whose emissions are kept. */
  readonly keepStart: number;
  /** One past the last token whose emissions are kept. */
  readonly keepEnd: number;
}

/** Tokens from the beginning of a window to that of the next. */
export function stepOf(size: number): number {
  return size - Math.floor(size / 4);
}

/** Cuts `tokens` into windows of at most `size`; the kept parts cover every token exactly once. */
export function windowsOf(tokens: number, size: number): Window[] {
  if (tokens === 0) return [];
  const starts = [0], step = stepOf(size);
  // The last window is moved back to end with the text, so that it is as long as the others.
  for (let s = step; starts[starts.length - 1] + size < tokens; s += step) {
    starts.push(Math.min(s, tokens - size));
  }
  const seams = starts.slice(1).map((s, i) => (starts[i] + size + s) >> 1);
  return starts.map((start, i) => ({
    start,
    end: Math.min(start + size, tokens),
    keepStart: i === 0 ? 0 : seams[i - 1],
    keepEnd: i === starts.length - 1 ? tokens : seams[i],
  }));
}
