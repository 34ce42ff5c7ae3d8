/**
 * Self-attention of one head over one sequence with both products in int8: softmax(Q K^T / sqrt(d)) V.
 *
 * Eight bits wherever they cost less than the linear layers' own rounding does, more where they do not:
 *
 *  - a query: 8 bits, asymmetric, per row, as every activation is;
 *  - a key: 8 bits, symmetric, per row;
 *  - V: 8 bits per column, around the middle of the column's range, so that equal values come out exact;
 *  - softmax's weights: 14 bits, round(top * e^(score - highest)). With 8 bits, many small weights beside a
 *    large one would be gone.
 *
 * The weights are divided by the sum of their rounded selves, integers that add up to 2^24 at most, which
 * float32 does without error in any order. All sums are exact, so the bits depend neither on the module nor
 * on the engine nor on the block of queries.
 *
 * K and V are packed as if they were weights; then five queries at a time go through a tile of the int8 product
 * while their scores stay in the first-level cache. Scratch grows with the sequence, not with its square.
 *
 * Weak spot: packing K and V, which grows with the sequence and not with its square, so short ones pay more.
 */
import { attention_f32 } from "./attention_f32";
import {
  packPanel,
  quantizeBlock,
  scoresProduct,
  storeValues,
  storeWeights,
  valueDepth,
  weightsProduct,
  weightsZero,
} from "./family/attention";
import { ACTIVATION_NONE, BLOCK_ROWS, LEVELS, PANEL, PANEL_PARAMS, ROW_PARAMS } from "./contract";
import { padded } from "./layout";
import { horizontalMax, horizontalSum, madd, ROUND_MAGIC, ROUND_MAGIC_BITS } from "./math";

/** Queries that pass together. The last ones overlap those before them, which come out the same again. */
const QUERIES: i32 = BLOCK_ROWS;
/** Sequences that are shorter than this stay in float32: packing costs them more than it gains. */
const SHORT: i32 = 24;
/** Bytes of a softmax weight: two bytes of 7 bits, or an int16. */
const WEIGHT_BYTES: i32 = 2;
/** A float's bits from here on are infinity or NaN. */
const INFINITY_BITS: i32 = 0x7F800000;

// @ts-ignore: decorator
@inline
function keyPanels(s: i32): i32 {
  return (s + PANEL - 1) / PANEL;
}

/** Bytes of scratch for one call with sequences up to `s` tokens and `d` columns a head; enough for float32's. */
export function attention_int8_scratch(s: i32, d: i32): i32 {
  return 2 * padded(s) * (d + 24) + 32 * d + 96;
}

/** What the largest weight becomes: 14 bits, less where the sum could pass 2^24 (13 bits at 2048 tokens). */
// @ts-ignore: decorator
@inline
function levels(s: i32): i32 {
  return min<i32>(16383, (1 << 24) / s);
}

/** Largest of four non-negative integers. */
// @ts-ignore: decorator
@inline
function horizontalMaxInt(v: v128): i32 {
  v = i32x4.max_s(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  v = i32x4.max_s(v, v128.shuffle<i32>(v, v, 1, 0, 3, 2));
  return i32x4.extract_lane(v, 0);
}

/** Four floats to integers: round(x * inverse), ties to even. */
// @ts-ignore: decorator
@inline
function quantize4(x: v128, inverse: v128, magic: v128): v128 {
  return i32x4.sub(madd(x, inverse, magic), i32x4.splat(ROUND_MAGIC_BITS));
}

/**
 * K[s][d] to panels of 8 keys, packed as weights are. A key's scale includes `scale` / ln 2; keys beyond s get
 * the score -Infinity, through a scale of 0 and their bias. `rows` has room for a panel's bytes, row by row.
 */
function packKeys(
  key: usize,
  ld: usize,
  s: i32,
  d: i32,
  scale: f32,
  target: usize,
  columns: usize,
  rows: usize,
): void {
  const length = <usize> d << 2, magic = f32x4.splat(ROUND_MAGIC);
  scale *= <f32> (1.4426950408889634 / 127.0);
  for (let j = 0; j < s; target += <usize> d * PANEL, columns += PANEL_PARAMS) {
    let out = rows;
    for (const end = columns + 32; columns < end; columns += 4, j++) {
      let step: f32 = 0, bias: f32 = -Infinity;
      if (j < s) {
        // Bits of non-negative floats order as the floats do, with infinity and NaN above all.
        let top = i32x4.splat(0);
        for (let p = key, last = key + length; p < last; p += 16) {
          top = i32x4.max_s(top, f32x4.abs(v128.load(p)));
        }
        const bits = horizontalMaxInt(top);
        const high = min<f32>(max<f32>(reinterpret<f32>(bits), 1e-30), 3e38);
        step = bits < INFINITY_BITS ? high * scale : NaN;
        bias = 0;
        const inverse = f32x4.splat(<f32> 127.0 / high);
        for (let p = key, last = key + length; p < last; p += 64) {
          const q0 = quantize4(v128.load(p), inverse, magic);
          const q1 = quantize4(v128.load(p, 16), inverse, magic);
          const q2 = quantize4(v128.load(p, 32), inverse, magic);
          const q3 = quantize4(v128.load(p, 48), inverse, magic);
          v128.store(out, i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(q0, q1), i16x8.narrow_i32x4_s(q2, q3)));
          out += 16;
        }
        key += ld;
      }
      store<f32>(columns, step);
      store<f32>(columns, bias, 32);
    }
    columns -= 32;
    packPanel(rows, d, target, columns);
  }
}

/** V[s][d] to panels of 8 columns, packed as weights of depth `wide` are, with scale and middle of each column. */
function packValues(
  value: usize,
  ld: usize,
  s: i32,
  d: i32,
  wide: i32,
  target: usize,
  columns: usize,
): void {
  const half = f32x4.splat(0.5), steps = f32x4.splat(127.0), magic = f32x4.splat(ROUND_MAGIC);
  const length = <usize> (s - 1) * ld;
  for (let i = 0; i < d; i += 4) {
    const last = value + length, upper = (i & 4) != 0;
    let high = v128.load(value), low = high, zero = f32x4.splat(0);
    for (let row = value; row <= last; row += ld) {
      const x = v128.load(row);
      high = f32x4.pmax(high, x);
      low = f32x4.pmin(low, x);
      zero = f32x4.add(zero, f32x4.mul(x, f32x4.splat(0)));
    }
    high = f32x4.mul(high, half);
    low = f32x4.mul(low, half);
    const middle = f32x4.add(high, low), reach = f32x4.pmax(f32x4.sub(high, low), f32x4.splat(1e-30));
    // zero is NaN where the column holds a NaN or an infinity.
    v128.store(columns, f32x4.add(f32x4.mul(reach, f32x4.splat(1.0 / 127.0)), zero));
    v128.store(columns, middle, 32);
    const inverse = f32x4.div(steps, reach);
    let out = target;
    for (let a = value; a <= last; out += 4 * PANEL) {
      // Beyond the last row it comes again: the weights are 0 there.
      const b = min(a + ld, last), c = min(b + ld, last), d = min(c + ld, last);
      const q0 = quantize4(f32x4.sub(v128.load(a), middle), inverse, magic);
      const q1 = quantize4(f32x4.sub(v128.load(b), middle), inverse, magic);
      const q2 = quantize4(f32x4.sub(v128.load(c), middle), inverse, magic);
      const q3 = quantize4(f32x4.sub(v128.load(d), middle), inverse, magic);
      const q = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(q0, q1), i16x8.narrow_i32x4_s(q2, q3));
      storeValues(q, out, upper);
      a += ld << 2;
    }
    value += 16;
    columns += 16;
    if (upper) {
      target += <usize> wide * PANEL;
      columns += PANEL_PARAMS - 32;
    }
  }
}

/**
 * Softmax of a row of `wide` scores, in units of ln 2: integers round(top * 2^(score - highest)) into the
 * packing of activations, in a block of {@link QUERIES} rows, and the inverse of their sum into the row's
 * parameters. A NaN among the scores makes that NaN.
 *
 * 2^x = 2^n 2^r with |r| <= 1/2, the latter a polynomial of degree 4 with the least relative error, 2.6e-6
 * (Remez): a twentieth of a step where the weight is largest.
 */
function softmaxRow(score: usize, wide: i32, top: f32, target: usize, rows: usize): void {
  const end = score + (<usize> wide << 2), bytes = <usize> (wide * QUERIES);
  let high = f32x4.splat(-Infinity);
  for (let p = score; p < end; p += 16) high = f32x4.pmax(high, v128.load(p));
  high = f32x4.splat(horizontalMax(high));
  const c0 = f32x4.splat(top * <f32> 0.9999992847), c1 = f32x4.splat(top * <f32> 0.6931217909);
  const c2 = f32x4.splat(top * <f32> 0.2402474433), c3 = f32x4.splat(top * <f32> 0.0559178591);
  const c4 = f32x4.splat(top * <f32> 0.0095701023);
  const magic = f32x4.splat(ROUND_MAGIC), magicBits = i32x4.splat(ROUND_MAGIC_BITS);
  const bottom = f32x4.splat(-100.0);
  let sum = f32x4.splat(0);
  for (let p = score; p < end; p += 16) {
    const x = f32x4.pmax(f32x4.sub(v128.load(p), high), bottom);
    const n = f32x4.add(x, magic), r = f32x4.sub(x, f32x4.sub(n, magic));
    const power = madd(r, madd(r, madd(r, madd(r, c4, c3), c2), c1), c0);
    // The integer n sits in the low bits; shifted to the exponent field it multiplies by 2^n.
    const t = f32x4.add(i32x4.add(power, i32x4.shl(n, 23)), magic);
    sum = f32x4.add(sum, f32x4.sub(t, magic));
    const q = i32x4.sub(t, magicBits);
    target = storeWeights(q, target, QUERIES, bytes);
  }
  const total = horizontalSum(sum);
  store<f32>(rows, <f32> 1.0 / total);
  // Of a NaN this is some integer, and the row comes out NaN through its scale.
  const integer = i32x4.extract_lane(i32x4.trunc_sat_f32x4_s(f32x4.splat(total)), 0);
  store<i32>(rows, weightsZero(integer), 4);
}

/**
 * One head of one sequence: `query`, `key`, `value` point at its first row, rows `ld` bytes apart, `d`
 * columns (a multiple of 16) each; the context goes to `context`, rows `ldc` bytes apart.
 */
export function attention_int8(
  query: usize,
  key: usize,
  value: usize,
  ld: usize,
  s: i32,
  d: i32,
  scale: f32,
  context: usize,
  ldc: usize,
  scratch: usize,
): void {
  if (s < SHORT) return attention_f32(query, key, value, ld, s, d, scale, context, ldc, scratch);
  const panels = keyPanels(s), wide = valueDepth(s, panels), top = <f32> levels(s);
  const keys = scratch, values = keys + <usize> wide * <usize> d;
  const keyColumns = values + <usize> wide * <usize> d;
  const valueColumns = keyColumns + <usize> (panels * PANEL_PARAMS);
  const rows = valueColumns + <usize> (d / PANEL * PANEL_PARAMS);
  const weightRows = rows + QUERIES * ROW_PARAMS;
  const packed = weightRows + QUERIES * ROW_PARAMS;
  const scores = packed + <usize> (QUERIES * WEIGHT_BYTES * d);
  const lds = <usize> wide << 2;
  const weights = scores + <usize> QUERIES * lds;
  packKeys(key, ld, s, d, scale, keys, keyColumns, packed);
  packValues(value, ld, s, d, wide, values, valueColumns);
  if (wide > panels * PANEL) {
    for (let r = 0; r < QUERIES; r++) {
      const tail = scores + <usize> (r + 1) * lds - 32;
      v128.store(tail, f32x4.splat(-Infinity));
      v128.store(tail, f32x4.splat(-Infinity), 16);
    }
  }
  for (let i = 0; i < s; i += QUERIES) {
    const first = min(i, s - QUERIES);
    const from = query + <usize> first * ld, to = context + <usize> first * ldc;
    quantizeBlock(from, ld, d, QUERIES, packed, rows, ACTIVATION_NONE, LEVELS);
    scoresProduct(d, packed, rows, keys, keyColumns, scores, lds, panels);
    for (let r = 0; r < QUERIES; r++) {
      softmaxRow(
        scores + <usize> r * lds,
        wide,
        top,
        weights + (<usize> r << 2),
        weightRows + <usize> (r * ROW_PARAMS),
      );
    }
    weightsProduct(wide, weights, weightRows, values, valueColumns, to, ldc, d / PANEL);
  }
}
