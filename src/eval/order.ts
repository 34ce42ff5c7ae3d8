/**
 * The two orders that the last digit of an average hangs on: of names, and of a sum.
 *
 * Floating-point addition is not associative, so a mean over types is a matter of who comes first. seqeval sorts types
 * as Python does, by code point, and averages with numpy, which does not add from left to right: it adds eight interleaved
 * partial sums in blocks of at most 128 and halves what is longer (pairwise summation: Higham, "The accuracy of
 * floating point summation", 1993). With both as they are there, the averages are the same float64s.
 *
 * @module
 */

/** Orders strings by code points; JavaScript's own order puts U+10000 and beyond before U+E000 to U+FFFF. */
export function byCodePoint(a: string, b: string): number {
  const one = [...a], other = [...b];
  const at = one.findIndex((character, i) => character !== other[i]);
  if (at < 0) return one.length - other.length;
  return one[at].codePointAt(0)! - (other[at]?.codePointAt(0) ?? -1);
}

/** Numbers that numpy adds in one block. */
const BLOCK = 128;

/** The sum as numpy's `sum` has it along a contiguous axis, bit for bit. */
export function sum(numbers: readonly number[]): number {
  const { length } = numbers, whole = length - length % 8;
  if (length < 8) return numbers.reduce((total, x) => total + x, 0);
  if (length > BLOCK) {
    const half = Math.floor(length / 2), cut = half - half % 8;
    return sum(numbers.slice(0, cut)) + sum(numbers.slice(cut));
  }
  const lanes = numbers.slice(0, 8);
  for (let i = 8; i < whole; i++) lanes[i % 8] += numbers[i];
  const [a, b, c, d, e, f, g, h] = lanes;
  return numbers.slice(whole).reduce((total, x) => total + x, a + b + (c + d) + (e + f + (g + h)));
}
