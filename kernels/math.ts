/**
 * Elementary functions on four float32 lanes, built of IEEE add, mul, div and bit operations alone, so
 * that every engine returns the same bits (a relaxed multiply-add would not: some engines fuse it).
 */

// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  return f32x4.add(f32x4.mul(a, b), c);
}

/** Largest lane. */
// @ts-ignore: decorator
@inline
export function horizontalMax(v: v128): f32 {
  return max<f32>(
    max<f32>(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max<f32>(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

/** Sum of the lanes, in a fixed order. */
// @ts-ignore: decorator
@inline
export function horizontalSum(v: v128): f32 {
  return (f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1)) +
    (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}

/** 1.5 * 2^23: adding it to |x| < 2^22 leaves round-half-even(x) in the low mantissa bits. */
export const ROUND_MAGIC: f32 = 12582912.0;
/** The bits of `ROUND_MAGIC`: subtracting them as an integer leaves round(x) as an int32. */
export const ROUND_MAGIC_BITS: i32 = 0x4B400000;

/**
 * e^x, relative error below 2 ulp on [-86, 88]; clamped outside, so that it never is 0, subnormal or infinite.
 * x = n ln 2 + r with |r| <= ln(2)/2, then a degree-6 polynomial (coefficients: Cephes `expf`).
 */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  x = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-86.0)), f32x4.splat(88.0));
  const t = madd(x, f32x4.splat(1.4426950408889634), f32x4.splat(ROUND_MAGIC));
  const n = f32x4.sub(t, f32x4.splat(ROUND_MAGIC));
  let r = madd(n, f32x4.splat(-0.693359375), x);
  r = madd(n, f32x4.splat(2.12194440e-4), r);
  let p = madd(r, f32x4.splat(1.9875691500e-4), f32x4.splat(1.3981999507e-3));
  p = madd(r, p, f32x4.splat(8.3334519073e-3));
  p = madd(r, p, f32x4.splat(4.1665795894e-2));
  p = madd(r, p, f32x4.splat(1.6666665459e-1));
  p = madd(r, p, f32x4.splat(5.0000001201e-1));
  p = madd(f32x4.mul(r, r), p, f32x4.add(r, f32x4.splat(1.0)));
  // The integer n sits in t's low bits; shifted to the exponent field it multiplies by 2^n.
  return i32x4.add(p, i32x4.shl(t, 23));
}

/**
 * Exact GELU, x (1 + erf(x / sqrt 2)) / 2. erf is an odd rational function of degree 13/8 on [-4, 4] and
 * constant beyond (coefficients: Eigen `generic_fast_erf_float`, MPL-2.0); absolute error below 5e-7.
 */
// @ts-ignore: decorator
@inline
export function gelu4(x: v128): v128 {
  let t = f32x4.mul(x, f32x4.splat(0.7071067811865476));
  t = f32x4.pmax(f32x4.pmin(t, f32x4.splat(4.0)), f32x4.splat(-4.0));
  const s = f32x4.mul(t, t);
  let p = madd(s, f32x4.splat(-2.72614225801306e-10), f32x4.splat(2.77068142495902e-08));
  p = madd(s, p, f32x4.splat(-2.10102402082508e-06));
  p = madd(s, p, f32x4.splat(-5.69250639462346e-05));
  p = madd(s, p, f32x4.splat(-7.34990630326855e-04));
  p = madd(s, p, f32x4.splat(-2.95459980854025e-03));
  p = madd(s, p, f32x4.splat(-1.60960333262415e-02));
  p = f32x4.mul(p, t);
  let q = madd(s, f32x4.splat(-1.45660718464996e-05), f32x4.splat(-2.13374055278905e-04));
  q = madd(s, q, f32x4.splat(-1.68282697438203e-03));
  q = madd(s, q, f32x4.splat(-7.37332916720468e-03));
  q = madd(s, q, f32x4.splat(-1.42647390514189e-02));
  const half = f32x4.mul(x, f32x4.splat(0.5));
  return madd(half, f32x4.div(p, q), half);
}

/**
 * Tanh approximation of GELU, x (1 + tanh u) / 2 = x / (1 + e^(-2u)) with u = sqrt(2/pi) (x + 0.044715 x^3)
 * (Hendrycks and Gimpel, arXiv 1606.08415).
 */
// @ts-ignore: decorator
@inline
export function geluTanh4(x: v128): v128 {
  const cubic = madd(f32x4.mul(x, x), f32x4.splat(0.044715), f32x4.splat(1.0));
  const minus2u = f32x4.mul(f32x4.mul(x, cubic), f32x4.splat(-1.5957691216057308));
  return f32x4.div(x, f32x4.add(exp4(minus2u), f32x4.splat(1.0)));
}
