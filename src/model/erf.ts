/**
 * The error function in float64, to about 1e-15: the oracle's own, unrelated to the kernels' approximation.
 *
 * Maclaurin series (DLMF 7.6.1) where it converges fast, Lentz's continued fraction of erfc (DLMF 7.9.2)
 * beyond.
 *
 * @module
 */

/** erf(x) for any finite x; NaN gives NaN. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let term = x, sum = x;
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
      term *= -x * x / n;
      sum += term / (2 * n + 1);
    }
    return sum * 2 / Math.sqrt(Math.PI);
  }
  let fraction = a;
  for (let n = 60; n > 0; n--) fraction = a + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-a * a) / (fraction * Math.sqrt(Math.PI)));
}
