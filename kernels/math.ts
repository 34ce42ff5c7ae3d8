/**
 * Elementary functions on four float32 lanes, built of IEEE add, mul, div and bit operations alone, so
 * that every engine returns the same bits (a relaxed multiply-add would not: some engines fuse it).
 */

// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  return f32x4.add(f32x4.mul(a, b), c);
}

/** 32-bit lane number `lane` (a constant) in all lanes. */
// @ts-ignore: decorator
@inline
export function spread(v: v128, lane: i32): v128 {
  if (lane == 0) return v128.shuffle<i32>(v, v, 0, 0, 0, 0);
  if (lane == 1) return v128.shuffle<i32>(v, v, 1, 1, 1, 1);
  if (lane == 2) return v128.shuffle<i32>(v, v, 2, 2, 2, 2);
  return v128.shuffle<i32>(v, v, 3, 3, 3, 3);
}

/** Largest lane of a vector without NaN. */
// @ts-ignore: decorator
@inline
export function horizontalMax(v: v128): f32 {
  v = f32x4.pmax(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  v = f32x4.pmax(v, v128.shuffle<i32>(v, v, 1, 0, 3, 2));
  return f32x4.extract_lane(v, 0);
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
 * Constants of the functions below, read from memory where they are used. As literals they would be
 * rebuilt from immediates at every use (V8 keeps no vector constant in a register across a loop), which
 * costs more than the arithmetic; a broadcasting load is one instruction.
 */
const CONSTANTS: usize = memory.data<f32>([
  // exp: clamps, log2(e), magic, ln 2 in two parts (negated), polynomial (Cephes expf), 1
  -86.0,
  88.0,
  1.4426950408889634,
  12582912.0,
  -0.693359375,
  2.12194440e-4,
  1.9875691500e-4,
  1.3981999507e-3,
  8.3334519073e-3,
  4.1665795894e-2,
  1.6666665459e-1,
  5.0000001201e-1,
  1.0,
  // gelu: 1/sqrt 2, clamps of erf, numerator, denominator (Eigen generic_fast_erf_float, MPL-2.0), 1/2
  0.7071067811865476,
  4.0,
  -4.0,
  -2.72614225801306e-10,
  2.77068142495902e-08,
  -2.10102402082508e-06,
  -5.69250639462346e-05,
  -7.34990630326855e-04,
  -2.95459980854025e-03,
  -1.60960333262415e-02,
  -1.45660718464996e-05,
  -2.13374055278905e-04,
  -1.68282697438203e-03,
  -7.37332916720468e-03,
  -1.42647390514189e-02,
  0.5,
  // gelu_tanh: cubic coefficient, -2 sqrt(2 / pi)
  0.044715,
  -1.5957691216057308,
  // tanh: polynomial (Cephes tanhf), where it ends, 2
  -5.70498872745e-3,
  2.06390887954e-2,
  -5.37397155531e-2,
  1.33314422036e-1,
  -3.33332819422e-1,
  0.625,
  2.0,
]);

/** Constant number i in all lanes. */
// @ts-ignore: decorator
@inline
function constant(i: i32): v128 {
  return v128.load32_splat(CONSTANTS + (<usize> i << 2));
}

/**
 * e^x, relative error below 2 ulp on [-86, 88]; clamped outside, so that it never is 0, subnormal or infinite.
 * x = n ln 2 + r with |r| <= ln(2)/2, then a degree-6 polynomial.
 */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  x = f32x4.pmin(f32x4.pmax(x, constant(0)), constant(1));
  const t = madd(x, constant(2), constant(3));
  const n = f32x4.sub(t, constant(3));
  let r = madd(n, constant(4), x);
  r = madd(n, constant(5), r);
  let p = madd(r, constant(6), constant(7));
  p = madd(r, p, constant(8));
  p = madd(r, p, constant(9));
  p = madd(r, p, constant(10));
  p = madd(r, p, constant(11));
  p = madd(f32x4.mul(r, r), p, f32x4.add(r, constant(12)));
  // The integer n sits in t's low bits; shifted to the exponent field it multiplies by 2^n.
  return i32x4.add(p, i32x4.shl(t, 23));
}

/**
 * erf(x / sqrt 2): an odd rational function of degree 13/8 on [-4, 4], constant beyond; absolute error below 5e-7. The
 * polynomials are summed in pairs (Estrin's scheme): the time goes into waiting for one operation's result in the next.
 */
// @ts-ignore: decorator
@inline
export function erf4(x: v128): v128 {
  const t = f32x4.pmax(f32x4.pmin(f32x4.mul(x, constant(13)), constant(14)), constant(15));
  const s = f32x4.mul(t, t), s2 = f32x4.mul(s, s), s4 = f32x4.mul(s2, s2);
  const p01 = madd(s, constant(21), constant(22)), p23 = madd(s, constant(19), constant(20));
  const p45 = madd(s, constant(17), constant(18)), p456 = madd(s2, constant(16), p45);
  const q01 = madd(s, constant(26), constant(27)), q23 = madd(s, constant(24), constant(25));
  const p = madd(s4, p456, madd(s2, p23, p01));
  const q = madd(s4, constant(23), madd(s2, q23, q01));
  return f32x4.div(f32x4.mul(p, t), q);
}

/** Exact GELU, x (1 + erf(x / sqrt 2)) / 2. */
// @ts-ignore: decorator
@inline
export function gelu4(x: v128): v128 {
  const half = f32x4.mul(x, constant(28));
  return madd(half, erf4(x), half);
}

/**
 * Tanh approximation of GELU, x (1 + tanh u) / 2 = x / (1 + e^(-2u)) with u = sqrt(2/pi) (x + 0.044715 x^3)
 * (Hendrycks and Gimpel, arXiv 1606.08415).
 */
// @ts-ignore: decorator
@inline
export function geluTanh4(x: v128): v128 {
  const cubic = madd(f32x4.mul(x, x), constant(29), constant(12));
  const minus2u = f32x4.mul(f32x4.mul(x, cubic), constant(30));
  return f32x4.div(x, f32x4.add(exp4(minus2u), constant(12)));
}

/**
 * tanh, relative error below 3e-7: an odd polynomial of degree 11 up to 0.625, 1 - 2 / (1 + e^2|x|) beyond, so that
 * small values lose nothing to the 1; then the sign of x.
 */
// @ts-ignore: decorator
@inline
export function tanh4(x: v128): v128 {
  const size = f32x4.abs(x), s = f32x4.mul(size, size), one = constant(12);
  let p = madd(s, constant(31), constant(32));
  p = madd(s, p, constant(33));
  p = madd(s, p, constant(34));
  p = madd(s, p, constant(35));
  const near = madd(f32x4.mul(p, s), size, size);
  const power = f32x4.add(exp4(f32x4.add(size, size)), one);
  const far = f32x4.sub(one, f32x4.div(constant(37), power));
  const y = v128.bitselect(near, far, f32x4.lt(size, constant(36)));
  return v128.or(y, v128.and(x, f32x4.splat(-0.0)));
}
