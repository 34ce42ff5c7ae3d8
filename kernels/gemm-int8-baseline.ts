/**
 * int8 matrix product for engines with baseline SIMD only, or whose relaxed dot cannot be trusted.
 * The same integers as `gemm-int8-relaxed.ts`, which says what is computed.
 *
 * `i32x4.dot_i16x8_s` multiplies 16-bit lanes, two k at a time. Activations are widened once, when they are
 * quantized, to `[block of rows][K/2][rows][2]` int16, and since q - zeroPoint fits 16 bits it is stored in that
 * form: the zero point costs nothing here.
 *
 * Weights stay int8 in memory, two to an int16 lane, `[N/8][K/2][4][2][2]`: column c below column c + 4. They are
 * not taken apart. With w' = 256 w[c + 4] + (w[c] + 128), one shift gives w[c + 4], and
 *
 *   sum w' x = 256 sum w[c + 4] x + sum w[c] x + 128 sum x
 *
 * in int32 modulo 2^32, from which the second term falls out exactly: the first is known, and the third is a
 * number for each row, found while it is quantized. So two vectors of weights cost a load and a shift.
 *
 * 5 x 8 has 10 accumulators, 2 weight vectors, the pairs of four rows in one load, the pair that is spread and
 * one product: 15 registers, which are all that V8 can allocate on x86.
 */
import { BLOCK_ROWS, PANEL, PANEL_PARAMS, ROW_PARAMS } from "./contract";
import { madd, ROUND_MAGIC, ROUND_MAGIC_BITS, spread } from "./math";
import { activateRow, rowInverse, rowRange, rowScale, rowZeroPoint } from "./rows";

/** Bytes of one packed activation. */
export const ACTIVATION_BYTES: i32 = 2;

/** Lanes of 8 k from two rows of 16: `low` + 128 in the lower bytes, `high` in the upper ones. */
// @ts-ignore: decorator
@inline
function mixed(low: usize, high: usize, half: i32): v128 {
  const a = v128.xor(v128.load(low), i8x16.splat(-128)), b = v128.load(high);
  return half
    ? v128.shuffle<i8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
    : v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

/**
 * Packs 8 rows of weights (8 output columns), `source[8][k]` int8 row-major with k a multiple of 16, into
 * one panel at `target` (8 k bytes). The sums in the panel's parameters are not needed here.
 */
export function packPanel(source: usize, k: i32, target: usize): void {
  const row = <usize> k;
  for (let i: usize = 0; i < row; i += 16) {
    // Two groups of four 32-bit units (a pair of k of one lane's two columns) are transposed.
    for (let half = 0; half < 2; half++) {
      let p = source + i;
      const r0 = mixed(p, p + 4 * row, half), r1 = mixed(p += row, p + 4 * row, half);
      const r2 = mixed(p += row, p + 4 * row, half), r3 = mixed(p += row, p + 4 * row, half);
      const a = v128.shuffle<i32>(r0, r1, 0, 4, 1, 5), b = v128.shuffle<i32>(r0, r1, 2, 6, 3, 7);
      const c = v128.shuffle<i32>(r2, r3, 0, 4, 1, 5), d = v128.shuffle<i32>(r2, r3, 2, 6, 3, 7);
      v128.store(target, v128.shuffle<i64>(a, c, 0, 2));
      v128.store(target, v128.shuffle<i64>(a, c, 1, 3), 16);
      v128.store(target, v128.shuffle<i64>(b, d, 0, 2), 32);
      v128.store(target, v128.shuffle<i64>(b, d, 1, 3), 48);
      target += 64;
    }
  }
}

/** Quantizes `count` rows into one block: 8 floats become four pairs of int16, `count` pairs apart. */
// @ts-ignore: decorator
@inline
function quantizeBlock(
  x: usize,
  ldx: usize,
  k: i32,
  count: i32,
  a: usize,
  rows: usize,
  activation: i32,
): void {
  const stride = <usize> count << 2;
  const magicBits = i32x4.splat(ROUND_MAGIC_BITS);
  const top = i16x8.splat(255), bottom = i16x8.splat(0), offset = i16x8.splat(0x80);
  for (let r = 0; r < count; r++) {
    activateRow(x, k, activation);
    rowRange(x, k);
    store<f32>(rows, rowScale);
    const inverse = f32x4.splat(rowInverse);
    const magic = f32x4.splat(ROUND_MAGIC + <f32> rowZeroPoint);
    const zeroPoint = i16x8.splat(<i16> rowZeroPoint);
    let out = a + (<usize> r << 2), sums = i32x4.splat(0);
    for (let p = x, end = x + (<usize> k << 2); p < end; p += 32) {
      const q0 = i32x4.sub(madd(v128.load(p), inverse, magic), magicBits);
      const q1 = i32x4.sub(madd(v128.load(p, 16), inverse, magic), magicBits);
      const clamped = i16x8.max_s(i16x8.min_s(i16x8.narrow_i32x4_s(q0, q1), top), bottom);
      const q = i16x8.sub(clamped, zeroPoint);
      sums = i32x4.add(sums, i32x4.dot_i16x8_s(q, offset));
      v128.store32_lane(out, q, 0);
      out += stride;
      v128.store32_lane(out, q, 1);
      out += stride;
      v128.store32_lane(out, q, 2);
      out += stride;
      v128.store32_lane(out, q, 3);
      out += stride;
    }
    store<i32>(
      rows,
      i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1) + i32x4.extract_lane(sums, 2) +
        i32x4.extract_lane(sums, 3),
      4,
    );
    x += ldx;
    rows += ROW_PARAMS;
  }
}

/** Rows of the block that begins at row i of m: 5, but towards the end what leaves no narrow rest. */
// @ts-ignore: decorator
@inline
function blockRows(i: i32, m: i32): i32 {
  const left = m - i;
  if (left <= 5) return left;
  return left == 6 ? 3 : left <= 8 ? 4 : BLOCK_ROWS;
}

/** See `int8_quantize` in int8.ts. */
export function quantize(
  x: usize,
  ldx: usize,
  m: i32,
  k: i32,
  a: usize,
  rows: usize,
  activation: i32,
  i0: i32,
  i1: i32,
): void {
  for (let i = i0; i < i1;) {
    const count = blockRows(i, m);
    quantizeBlock(
      x + <usize> i * ldx,
      ldx,
      k,
      count,
      a + <usize> i * <usize> k * ACTIVATION_BYTES,
      rows + <usize> (i * ROW_PARAMS),
      activation,
    );
    i += count;
  }
}

/** `acc + w a`, pairs of int16 products summed into int32 lanes. */
// @ts-ignore: decorator
@inline
function mac(w: v128, x: v128, acc: v128): v128 {
  return i32x4.add(acc, i32x4.dot_i16x8_s(w, x));
}

/** Writes one row of a tile, given its columns' scales and biases: takes the columns apart, scales, adds. */
// @ts-ignore: decorator
@inline
function storeRow(
  c: usize,
  rows: usize,
  both: v128,
  sum1: v128,
  s0: v128,
  s1: v128,
  b0: v128,
  b1: v128,
): void {
  const scale = v128.load32_splat(rows);
  const sum0 = i32x4.sub(i32x4.sub(both, i32x4.shl(sum1, 8)), v128.load32_splat(rows, 4));
  v128.store(c, madd(f32x4.convert_i32x4_s(sum0), f32x4.mul(scale, s0), b0));
  v128.store(c, madd(f32x4.convert_i32x4_s(sum1), f32x4.mul(scale, s1), b1), 16);
}

/** 5 rows x 8 columns, 8 k a turn. */
function tile5x8(a: usize, w: usize, k: i32, rows: usize, columns: usize, c: usize, ldc: usize): void {
  let c00 = i32x4.splat(0), c01 = c00;
  let c10 = c00, c11 = c00;
  let c20 = c00, c21 = c00;
  let c30 = c00, c31 = c00;
  let c40 = c00, c41 = c00;
  for (; k > 0; k -= 8) {
    let w0: v128, w1: v128, four: v128, x: v128;
    w0 = v128.load(w), w1 = i16x8.shr_s(w0, 8);
    four = v128.load(a);
    x = spread(four, 0), c00 = mac(w0, x, c00), c01 = mac(w1, x, c01);
    x = spread(four, 1), c10 = mac(w0, x, c10), c11 = mac(w1, x, c11);
    x = spread(four, 2), c20 = mac(w0, x, c20), c21 = mac(w1, x, c21);
    x = spread(four, 3), c30 = mac(w0, x, c30), c31 = mac(w1, x, c31);
    four = v128.load(a, 16);
    x = spread(four, 0), c40 = mac(w0, x, c40), c41 = mac(w1, x, c41);
    w0 = v128.load(w, 16), w1 = i16x8.shr_s(w0, 8);
    x = spread(four, 1), c00 = mac(w0, x, c00), c01 = mac(w1, x, c01);
    x = spread(four, 2), c10 = mac(w0, x, c10), c11 = mac(w1, x, c11);
    x = spread(four, 3), c20 = mac(w0, x, c20), c21 = mac(w1, x, c21);
    four = v128.load(a, 32);
    x = spread(four, 0), c30 = mac(w0, x, c30), c31 = mac(w1, x, c31);
    x = spread(four, 1), c40 = mac(w0, x, c40), c41 = mac(w1, x, c41);
    w0 = v128.load(w, 32), w1 = i16x8.shr_s(w0, 8);
    x = spread(four, 2), c00 = mac(w0, x, c00), c01 = mac(w1, x, c01);
    x = spread(four, 3), c10 = mac(w0, x, c10), c11 = mac(w1, x, c11);
    four = v128.load(a, 48);
    x = spread(four, 0), c20 = mac(w0, x, c20), c21 = mac(w1, x, c21);
    x = spread(four, 1), c30 = mac(w0, x, c30), c31 = mac(w1, x, c31);
    x = spread(four, 2), c40 = mac(w0, x, c40), c41 = mac(w1, x, c41);
    w0 = v128.load(w, 48), w1 = i16x8.shr_s(w0, 8);
    x = spread(four, 3), c00 = mac(w0, x, c00), c01 = mac(w1, x, c01);
    four = v128.load(a, 64);
    x = spread(four, 0), c10 = mac(w0, x, c10), c11 = mac(w1, x, c11);
    x = spread(four, 1), c20 = mac(w0, x, c20), c21 = mac(w1, x, c21);
    x = spread(four, 2), c30 = mac(w0, x, c30), c31 = mac(w1, x, c31);
    x = spread(four, 3), c40 = mac(w0, x, c40), c41 = mac(w1, x, c41);
    a += 80;
    w += 64;
  }
  const s0 = v128.load(columns), s1 = v128.load(columns, 16);
  const b0 = v128.load(columns, 32), b1 = v128.load(columns, 48);
  storeRow(c, rows, c00, c01, s0, s1, b0, b1);
  storeRow(c + ldc, rows + 8, c10, c11, s0, s1, b0, b1);
  storeRow(c + 2 * ldc, rows + 16, c20, c21, s0, s1, b0, b1);
  storeRow(c + 3 * ldc, rows + 24, c30, c31, s0, s1, b0, b1);
  storeRow(c + 4 * ldc, rows + 32, c40, c41, s0, s1, b0, b1);
}

/** 4 rows x 8 columns, 4 k a turn. */
function tile4x8(a: usize, w: usize, k: i32, rows: usize, columns: usize, c: usize, ldc: usize): void {
  let c00 = i32x4.splat(0), c01 = c00;
  let c10 = c00, c11 = c00;
  let c20 = c00, c21 = c00;
  let c30 = c00, c31 = c00;
  for (; k > 0; k -= 4) {
    let w0: v128, w1: v128, four: v128, x: v128;
    w0 = v128.load(w), w1 = i16x8.shr_s(w0, 8);
    four = v128.load(a);
    x = spread(four, 0), c00 = mac(w0, x, c00), c01 = mac(w1, x, c01);
    x = spread(four, 1), c10 = mac(w0, x, c10), c11 = mac(w1, x, c11);
    x = spread(four, 2), c20 = mac(w0, x, c20), c21 = mac(w1, x, c21);
    x = spread(four, 3), c30 = mac(w0, x, c30), c31 = mac(w1, x, c31);
    w0 = v128.load(w, 16), w1 = i16x8.shr_s(w0, 8);
    four = v128.load(a, 16);
    x = spread(four, 0), c00 = mac(w0, x, c00), c01 = mac(w1, x, c01);
    x = spread(four, 1), c10 = mac(w0, x, c10), c11 = mac(w1, x, c11);
    x = spread(four, 2), c20 = mac(w0, x, c20), c21 = mac(w1, x, c21);
    x = spread(four, 3), c30 = mac(w0, x, c30), c31 = mac(w1, x, c31);
    a += 32;
    w += 32;
  }
  const s0 = v128.load(columns), s1 = v128.load(columns, 16);
  const b0 = v128.load(columns, 32), b1 = v128.load(columns, 48);
  storeRow(c, rows, c00, c01, s0, s1, b0, b1);
  storeRow(c + ldc, rows + 8, c10, c11, s0, s1, b0, b1);
  storeRow(c + 2 * ldc, rows + 16, c20, c21, s0, s1, b0, b1);
  storeRow(c + 3 * ldc, rows + 24, c30, c31, s0, s1, b0, b1);
}

/** 3 rows x 8 columns, 8 k a turn. */
function tile3x8(a: usize, w: usize, k: i32, rows: usize, columns: usize, c: usize, ldc: usize): void {
  let c00 = i32x4.splat(0), c01 = c00;
  let c10 = c00, c11 = c00;
  let c20 = c00, c21 = c00;
  for (; k > 0; k -= 8) {
    let w0: v128, w1: v128, four: v128, x: v128;
    w0 = v128.load(w), w1 = i16x8.shr_s(w0, 8);
    four = v128.load(a);
    x = spread(four, 0), c00 = mac(w0, x, c00), c01 = mac(w1, x, c01);
    x = spread(four, 1), c10 = mac(w0, x, c10), c11 = mac(w1, x, c11);
    x = spread(four, 2), c20 = mac(w0, x, c20), c21 = mac(w1, x, c21);
    w0 = v128.load(w, 16), w1 = i16x8.shr_s(w0, 8);
    x = spread(four, 3), c00 = mac(w0, x, c00), c01 = mac(w1, x, c01);
    four = v128.load(a, 16);
    x = spread(four, 0), c10 = mac(w0, x, c10), c11 = mac(w1, x, c11);
    x = spread(four, 1), c20 = mac(w0, x, c20), c21 = mac(w1, x, c21);
    w0 = v128.load(w, 32), w1 = i16x8.shr_s(w0, 8);
    x = spread(four, 2), c00 = mac(w0, x, c00), c01 = mac(w1, x, c01);
    x = spread(four, 3), c10 = mac(w0, x, c10), c11 = mac(w1, x, c11);
    four = v128.load(a, 32);
    x = spread(four, 0), c20 = mac(w0, x, c20), c21 = mac(w1, x, c21);
    w0 = v128.load(w, 48), w1 = i16x8.shr_s(w0, 8);
    x = spread(four, 1), c00 = mac(w0, x, c00), c01 = mac(w1, x, c01);
    x = spread(four, 2), c10 = mac(w0, x, c10), c11 = mac(w1, x, c11);
    x = spread(four, 3), c20 = mac(w0, x, c20), c21 = mac(w1, x, c21);
    a += 48;
    w += 64;
  }
  const s0 = v128.load(columns), s1 = v128.load(columns, 16);
  const b0 = v128.load(columns, 32), b1 = v128.load(columns, 48);
  storeRow(c, rows, c00, c01, s0, s1, b0, b1);
  storeRow(c + ldc, rows + 8, c10, c11, s0, s1, b0, b1);
  storeRow(c + 2 * ldc, rows + 16, c20, c21, s0, s1, b0, b1);
}

/** 2 rows x 8 columns, 4 k a turn. */
function tile2x8(a: usize, w: usize, k: i32, rows: usize, columns: usize, c: usize, ldc: usize): void {
  let c00 = i32x4.splat(0), c01 = c00;
  let c10 = c00, c11 = c00;
  for (; k > 0; k -= 4) {
    let w0: v128, w1: v128, four: v128, x: v128;
    w0 = v128.load(w), w1 = i16x8.shr_s(w0, 8);
    four = v128.load(a);
    x = spread(four, 0), c00 = mac(w0, x, c00), c01 = mac(w1, x, c01);
    x = spread(four, 1), c10 = mac(w0, x, c10), c11 = mac(w1, x, c11);
    w0 = v128.load(w, 16), w1 = i16x8.shr_s(w0, 8);
    x = spread(four, 2), c00 = mac(w0, x, c00), c01 = mac(w1, x, c01);
    x = spread(four, 3), c10 = mac(w0, x, c10), c11 = mac(w1, x, c11);
    a += 16;
    w += 32;
  }
  const s0 = v128.load(columns), s1 = v128.load(columns, 16);
  const b0 = v128.load(columns, 32), b1 = v128.load(columns, 48);
  storeRow(c, rows, c00, c01, s0, s1, b0, b1);
  storeRow(c + ldc, rows + 8, c10, c11, s0, s1, b0, b1);
}

/** 1 row x 8 columns, 8 k a turn. */
function tile1x8(a: usize, w: usize, k: i32, rows: usize, columns: usize, c: usize): void {
  let c00 = i32x4.splat(0), c01 = c00;
  for (; k > 0; k -= 8) {
    let w0: v128, w1: v128, four: v128, x: v128;
    w0 = v128.load(w), w1 = i16x8.shr_s(w0, 8);
    four = v128.load(a);
    x = spread(four, 0), c00 = mac(w0, x, c00), c01 = mac(w1, x, c01);
    w0 = v128.load(w, 16), w1 = i16x8.shr_s(w0, 8);
    x = spread(four, 1), c00 = mac(w0, x, c00), c01 = mac(w1, x, c01);
    w0 = v128.load(w, 32), w1 = i16x8.shr_s(w0, 8);
    x = spread(four, 2), c00 = mac(w0, x, c00), c01 = mac(w1, x, c01);
    w0 = v128.load(w, 48), w1 = i16x8.shr_s(w0, 8);
    x = spread(four, 3), c00 = mac(w0, x, c00), c01 = mac(w1, x, c01);
    a += 16;
    w += 64;
  }
  const s0 = v128.load(columns), s1 = v128.load(columns, 16);
  const b0 = v128.load(columns, 32), b1 = v128.load(columns, 48);
  storeRow(c, rows, c00, c01, s0, s1, b0, b1);
}

/** Four k (lanes 0..3, 4..7, ...) of four columns to where a panel has them, the lower four first. */
// @ts-ignore: decorator
@inline
export function storeValues(q: v128, target: usize, high: bool): void {
  q = v128.shuffle<i8>(q, q, 0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
  if (high) {
    const upper = i16x8.shl(i16x8.extend_low_i8x16_u(q), 8);
    v128.store(target, v128.or(v128.load(target), upper));
    const next = i16x8.shl(i16x8.extend_high_i8x16_u(q), 8);
    v128.store(target, v128.or(v128.load(target, 16), next), 16);
  } else {
    q = v128.xor(q, i8x16.splat(-128));
    v128.store(target, i16x8.extend_low_i8x16_u(q));
    v128.store(target, i16x8.extend_high_i8x16_u(q), 16);
  }
}

/** Four k of one row as packed activations, pairs `stride` bytes apart. */
// @ts-ignore: decorator
@inline
export function storeWide(q: v128, target: usize, stride: usize): void {
  const narrow = i16x8.narrow_i32x4_s(q, q);
  v128.store32_lane(target, narrow, 0);
  v128.store32_lane(target + stride, narrow, 1);
}

/** See `int8_gemm` in int8.ts. */
export function gemm(
  m: i32,
  k: i32,
  a: usize,
  rows: usize,
  w: usize,
  columns: usize,
  c: usize,
  ldc: usize,
  p0: i32,
  p1: i32,
  i0: i32,
  i1: i32,
): void {
  const step = <usize> k * PANEL;
  w += <usize> p0 * step;
  columns += <usize> (p0 * PANEL_PARAMS);
  c += <usize> (p0 * PANEL * 4);
  for (let p = p0; p < p1; p++) {
    for (let i = i0; i < i1;) {
      const ai = a + <usize> i * <usize> k * ACTIVATION_BYTES;
      const ri = rows + <usize> (i * ROW_PARAMS);
      const ci = c + <usize> i * ldc;
      const count = blockRows(i, m);
      if (count == 5) tile5x8(ai, w, k, ri, columns, ci, ldc);
      else if (count == 4) tile4x8(ai, w, k, ri, columns, ci, ldc);
      else if (count == 3) tile3x8(ai, w, k, ri, columns, ci, ldc);
      else if (count == 2) tile2x8(ai, w, k, ri, columns, ci, ldc);
      else tile1x8(ai, w, k, ri, columns, ci);
      i += count;
    }
    w += step;
    columns += PANEL_PARAMS;
    c += PANEL * 4;
  }
}
