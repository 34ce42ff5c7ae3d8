/**
 * Packing for the int8 product on engines with relaxed SIMD: 8-bit weights, 8-bit activations, int32 sums.
 *
 *   c[M, N] = scale[row] * columnScale[col] * sum_k (q[row, k] - zeroPoint[row]) w[col, k] + bias[col]
 *
 * Weights are packed `[N/8][K/4][8][4]` int8: one 128-bit load holds four k of four columns, as the dot
 * wants them. Activations are packed while they are quantized, `[block of rows][K/4][rows][4]` bytes, so
 * that the inner loop walks one pointer. A row's sum never depends on the block that it falls in.
 */
import { BLOCK_ROWS, FAMILY_RELAXED, PANEL, PANEL_SUMS, ROW_PARAMS } from "../contract";
import { madd, ROUND_MAGIC, ROUND_MAGIC_BITS } from "../math";
import { activateRow, rowInverse, rowRange, rowScale, rowZeroPoint } from "../rows";
import { transposePanel } from "../transpose";

/** Which family this is. */
export const FAMILY: i32 = FAMILY_RELAXED;

/** Bytes of one packed activation. */
export const ACTIVATION_BYTES: i32 = 1;

/** 0x80 where the engine's dot reads its second operand as signed, else 0. Set by the probe. */
let flip: i32 = 0;

/** Tells the kernels whether the dot reads activations as signed bytes. */
export function setSigned(signed: i32): void {
  flip = signed ? 0x80 : 0;
}

/** The sums of each four bytes. */
// @ts-ignore: decorator
@inline
function sum4(w: v128): v128 {
  return i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(w));
}

/**
 * Packs 8 rows of weights (8 output columns), `source[8][k]` int8 row-major with k a multiple of 16, into
 * one panel at `target` (8 k bytes), and writes each row's sum into the panel's parameters.
 */
export function packPanel(source: usize, k: i32, target: usize, columns: usize): void {
  const row = <usize> k, end = target + <usize> PANEL * row;
  transposePanel(source, row, source + <usize> (PANEL - 1) * row, k >> 2, target);
  let sum0 = i32x4.splat(0), sum1 = sum0;
  for (; target < end; target += 32) {
    sum0 = i32x4.add(sum0, sum4(v128.load(target)));
    sum1 = i32x4.add(sum1, sum4(v128.load(target, 16)));
  }
  v128.store(columns, sum0, PANEL_SUMS);
  v128.store(columns, sum1, PANEL_SUMS + 16);
}

/** Quantizes `count` rows into one block: 16 floats become four groups of 4 bytes, `count` groups apart. */
// @ts-ignore: decorator
@inline
export function quantizeBlock(
  x: usize,
  ldx: usize,
  k: i32,
  count: i32,
  a: usize,
  rows: usize,
  activation: i32,
  levels: i32,
): void {
  const stride = <usize> count << 2;
  const magicBits = i32x4.splat(ROUND_MAGIC_BITS);
  const flips = i8x16.splat(<i8> flip), top = i8x16.splat(<i8> levels);
  for (let r = 0; r < count; r++) {
    activateRow(x, k, activation);
    rowRange(x, k, <f32> levels);
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
      const bytes = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(q0, q1), i16x8.narrow_i32x4_s(q2, q3));
      const q = v128.xor(i8x16.min_u(bytes, top), flips);
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
export function blockRows(i: i32, m: i32): i32 {
  const left = m - i;
  if (left <= 6) return left;
  return left == 12 ? 6 : left <= 8 ? 4 : BLOCK_ROWS;
}

/** Panels that a tile takes at once, of `left`: one or two rows have sums enough only over several, which come in pairs. */
// @ts-ignore: decorator
@inline
export function panelsTogether(m: i32, left: i32): i32 {
  return m == 1 && left >= 4 ? 4 : m <= 2 ? 2 : 1;
}
