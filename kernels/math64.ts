/**
 * e^x and log x in float64, for the CRF: of IEEE operations alone, so that every engine returns the same bits,
 * which their own `Math.exp` and `Math.log` do not. The compiler's library has both, with 6 KB of tables.
 *
 * Errors below 1 ulp. Method and coefficients: fdlibm, e_exp.c and e_log.c (Sun Microsystems, 1993).
 */

const LN2_HIGH: f64 = 6.93147180369123816490e-01;
const LN2_LOW: f64 = 1.90821492927058770002e-10;

/** 2^n for n in -1022 .. 1023. */
// @ts-ignore: decorator
@inline
function power2(n: i32): f64 {
  return reinterpret<f64>(<i64> (n + 1023) << 52);
}

/** e^x; 0 and infinity beyond float64's range. */
export function exp64(x: f64): f64 {
  if (x != x) return x;
  if (x > 709.782712893383973096) return Infinity;
  if (x < -745.13321910194110842) return 0;
  // x = n ln 2 + r with |r| <= ln(2)/2; e^r = 1 + r + r c / (2 - c), c a polynomial in r^2.
  const n = nearest(x * 1.44269504088896338700), high = x - n * LN2_HIGH, low = n * LN2_LOW;
  const r = high - low, s = r * r;
  let p = 1.65339022054652515390e-06 - s * 4.13813679705723846039e-08;
  p = 6.61375632143793436117e-05 - s * p;
  p = 2.77777777770155933842e-03 - s * p;
  p = 1.66666666666666019037e-01 - s * p;
  const c = r - s * p;
  const y = 1 - ((low - r * c / (2 - c)) - high);
  // In two steps, of which only the second can round: the result may be subnormal.
  const half = <i32> n >> 1;
  return y * power2(half) * power2(<i32> n - half);
}

/** Natural logarithm; minus infinity at 0, NaN below. */
export function log64(x: f64): f64 {
  if (!(x > 0)) return x == 0 ? -Infinity : NaN;
  if (x == Infinity) return x;
  let n = 0;
  if (x < 2.2250738585072014e-308) x *= power2(54), n = -54;
  // x = 2^n m with m in sqrt(1/2) .. sqrt(2): counted from the bits of sqrt(1/2), n is the exponent's change.
  const bits = reinterpret<i64>(x) - 0x3FE6A09E667F3BCD;
  n += <i32> (bits >> 52);
  const m = reinterpret<f64>((bits & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD);
  // With f = m - 1 and s = f / (2 + f): log m = log((1 + s) / (1 - s)) = f - s (f - R), R a polynomial in s^2.
  const f = m - 1, s = f / (2 + f), z = s * s, w = z * z, square = 0.5 * f * f;
  let even = 2.222219843214978396e-01 + w * 1.531383769920937332e-01;
  even = w * (3.999999999940941908e-01 + w * even);
  let odd = 1.818357216161805012e-01 + w * 1.479819860511658591e-01;
  odd = 2.857142874366239149e-01 + w * odd;
  odd = z * (6.666666666666735130e-01 + w * odd);
  const k = <f64> n;
  return k * LN2_HIGH - ((square - (s * (square + (even + odd)) + k * LN2_LOW)) - f);
}
