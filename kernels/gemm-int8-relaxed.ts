/**
 * int8 matrix product for engines with relaxed SIMD: 8-bit weights, 8-bit activations, int32 sums.
 *
 *   c[M, N] = scale[row] * columnScale[col] * sum_k (q[row, k] - zeroPoint[row]) w[col, k] + bias[col]
 *
 * Weights are packed `[N/8][K/4][8][4]` int8: one 128-bit load holds four k of four columns, as the dot
 * wants them. Activations are packed while they are quantized, `[block of rows][K/4][rows][4]` bytes, so
 * that the inner loop walks one pointer. A row's sum never depends on the block that it falls in.
 */
import { dot4 } from "./dot";
import { BLOCK_ROWS, PANEL, PANEL_PARAMS, ROW_PARAMS } from "./contract";
import { madd, ROUND_MAGIC, ROUND_MAGIC_BITS } from "./math";
import { activateRow, rowInverse, rowRange, rowScale, rowZeroPoint } from "./rows";
import {
  tile1x16,
  tile1x32,
  tile2x16,
  tile3x8,
  tile4x8,
  tile5x8,
  tile6x8,
  wide5x8,
} from "./tiles-int8-relaxed";
import { transposePanel } from "./transpose";

/** Bytes of one packed activation. */
export const ACTIVATION_BYTES: i32 = 1;

/** 0x80 where the engine's dot reads its second operand as signed, else 0. Set by the probe. */
let flip: i32 = 0;

/** Tells the kernels whether the dot reads activations as signed bytes. */
export function setSigned(signed: i32): void {
  flip = signed ? 0x80 : 0;
}

/**
 * Packs 8 rows of weights (8 output columns), `source[8][k]` int8 row-major with k a multiple of 16, into
 * one panel at `target` (8 k bytes), and writes each row's sum into the panel's parameters.
 */
export function packPanel(source: usize, k: i32, target: usize, columns: usize): void {
  const row = <usize> k, end = target + <usize> PANEL * row, ones = i8x16.splat(1);
  transposePanel(source, row, source + <usize> (PANEL - 1) * row, k >> 2, target);
  let sum0 = i32x4.splat(0), sum1 = sum0;
  for (; target < end; target += 32) {
    sum0 = dot4(v128.load(target), ones, sum0);
    sum1 = dot4(v128.load(target, 16), ones, sum1);
  }
  v128.store(columns, sum0, 64);
  v128.store(columns, sum1, 80);
}

/** Quantizes `count` rows into one block: 16 floats become four groups of 4 bytes, `count` groups apart. */
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
  const magicBits = i32x4.splat(ROUND_MAGIC_BITS), flips = i8x16.splat(<i8> flip);
  for (let r = 0; r < count; r++) {
    activateRow(x, k, activation);
    rowRange(x, k);
    store<f32>(rows, rowScale);
    store<i32>(rows, rowZeroPoint - flip, 4);
    const inverse = f32x4.splat(rowInverse);
    const magic = f32x4.splat(ROUND_MAGIC + <f32> rowZeroPoint);
    let out = a + (<usize> r << 2);
    for (let p = x, end = x + (<usize> k << 2); p < end; p += 64) {
      const q0 = i32x4.sub(madd(v128.load(p), inverse, magic), magicBits);
      const q1 = i32x4.sub(madd(v128.load(p, 16), inverse, magic), magicBits);
      const q2 = i32x4.sub(madd(v128.load(p, 32), inverse, magic), magicBits);
      const q3 = i32x4.sub(madd(v128.load(p, 48), inverse, magic), magicBits);
      const q = v128.xor(
        i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(q0, q1), i16x8.narrow_i32x4_s(q2, q3)),
        flips,
      );
      v128.store32_lane(out, q, 0);
      out += stride;
      v128.store32_lane(out, q, 1);
      out += stride;
      v128.store32_lane(out, q, 2);
      out += stride;
      v128.store32_lane(out, q, 3);
      out += stride;
    }
    x += ldx;
    rows += ROW_PARAMS;
  }
}

/** Rows of the block that begins at row i of m: 5, but towards the end what leaves no narrow rest. */
// @ts-ignore: decorator
@inline
function blockRows(i: i32, m: i32): i32 {
  const left = m - i;
  if (left <= 6) return left;
  return left == 12 ? 6 : left <= 8 ? 4 : BLOCK_ROWS;
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
      a + <usize> i * <usize> k,
      rows + <usize> (i * ROW_PARAMS),
      activation,
    );
    i += count;
  }
}

/** Four k (lanes 0..3, 4..7, ...) of four columns to where a panel has them, the upper four `high`. */
// @ts-ignore: decorator
@inline
export function storeValues(q: v128, target: usize, high: bool): void {
  q = v128.shuffle<i8>(q, q, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  v128.store(high ? target + 16 : target, q);
}

/** Four k of one row, 14 bits each, as {@link wideProduct} wants them: upper halves, `low` bytes on lower ones. */
// @ts-ignore: decorator
@inline
export function storeWide(q: v128, target: usize, low: usize): void {
  const narrow = i16x8.narrow_i32x4_s(q, q);
  const halves = i8x16.narrow_i16x8_u(i16x8.shr_u(narrow, 7), v128.and(narrow, i16x8.splat(127)));
  v128.store32_lane(target, halves, 0);
  v128.store32_lane(target + low, halves, 2);
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
  // One or two rows have sums enough only over several panels, which come in pairs.
  for (let p = p0; p < p1;) {
    const panels = m == 1 && p + 4 <= p1 ? 4 : m <= 2 ? 2 : 1;
    for (let i = i0; i < i1;) {
      const ai = a + <usize> i * <usize> k;
      const ri = rows + <usize> (i * ROW_PARAMS);
      const ci = c + <usize> i * ldc;
      const count = blockRows(i, m);
      if (count == 5) tile5x8(ai, w, k, ri, columns, ci, ldc);
      else if (count == 4) tile4x8(ai, w, k, ri, columns, ci, ldc);
      else if (count == 6) tile6x8(ai, w, k, ri, columns, ci, ldc);
      else if (count == 3) tile3x8(ai, w, k, ri, columns, ci, ldc);
      else if (count == 2) tile2x16(ai, w, step, k, ri, columns, ci, ldc);
      else if (panels == 4) tile1x32(ai, w, step, k, ri, columns, ci);
      else tile1x16(ai, w, step, k, ri, columns, ci);
      i += count;
    }
    w += <usize> panels * step;
    columns += <usize> (panels * PANEL_PARAMS);
    c += <usize> (panels * PANEL * 4);
    p += panels;
  }
}

/**
 * The product of one block of 5 rows whose values have 14 bits and no zero point: a block of their upper 7
 * bits, then one of their lower 7. The sum of the former is shifted before that of the latter joins it.
 */
export function wideProduct(
  k: i32,
  a: usize,
  rows: usize,
  w: usize,
  columns: usize,
  c: usize,
  ldc: usize,
  panels: i32,
): void {
  for (let p = 0; p < panels; p++) {
    wide5x8(a, w, k, rows, columns, c, ldc);
    w += <usize> k * PANEL;
    columns += PANEL_PARAMS;
    c += PANEL * 4;
  }
}
