/**
 * Sets of code points, and their algebra.
 *
 * @module
 */

/** Where a set begins and ends, by turns, ascending: from the first number, to before the second, and so on. */
export type Ranges = readonly number[];

/** One more than the highest code point. */
export const END = 0x110000;

/** What is in both, in either, or in neither, as `keep` says. */
function combine(a: Ranges, b: Ranges, keep: (inA: boolean, inB: boolean) => boolean): Ranges {
  const out: number[] = [];
  let i = 0, j = 0, inside = false;
  for (let at = 0; at < END;) {
    while (i < a.length && a[i] <= at) i++;
    while (j < b.length && b[j] <= at) j++;
    if (keep((i & 1) === 1, (j & 1) === 1) !== inside) {
      out.push(at);
      inside = !inside;
    }
    at = Math.min(a[i] ?? END, b[j] ?? END);
  }
  if (inside) out.push(END);
  return out;
}

export const union = (a: Ranges, b: Ranges): Ranges => combine(a, b, (x, y) => x || y);
export const intersection = (a: Ranges, b: Ranges): Ranges => combine(a, b, (x, y) => x && y);
export const difference = (a: Ranges, b: Ranges): Ranges => combine(a, b, (x, y) => x !== y);
export const complement = (a: Ranges): Ranges => combine(a, [], (x) => !x);
