/**
 * Packing for the int8 product on engines with baseline SIMD only, or whose relaxed dot cannot be trusted. The same
 * integers as relaxed/family.ts, which says what is computed.
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
import { BLOCK_ROWS, FAMILY_BASELINE, ROW_PARAMS } from "../contract";
import { madd, ROUND_MAGIC, ROUND_MAGIC_BITS } from "../math";
import { activateRow, rowInverse, rowRange, rowScale, rowZeroPoint } from "../rows";
import { storeTransposed } from "../transpose";

/** Which family this is. */
export const FAMILY: i32 = FAMILY_BASELINE;

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

/** Nothing here differs between engines. */
export function setSigned(_signed: i32): void {}

/**
 * Packs 8 rows of weights (8 output columns), `source[8][k]` int8 row-major with k a multiple of 16, into
 * one panel at `target` (8 k bytes). The sums in the panel's parameters are not needed here.
 */
export function packPanel(source: usize, k: i32, target: usize, _columns: usize): void {
  const row = <usize> k;
  for (let i: usize = 0; i < row; i += 16) {
    // Two groups of four 32-bit units (a pair of k of one lane's two columns) are transposed.
    for (let half = 0; half < 2; half++) {
      let p = source + i;
      const r0 = mixed(p, p + 4 * row, half), r1 = mixed(p += row, p + 4 * row, half);
      const r2 = mixed(p += row, p + 4 * row, half), r3 = mixed(p += row, p + 4 * row, half);
      storeTransposed(r0, r1, r2, r3, target, 16);
      target += 64;
    }
  }
}

/** Quantizes `count` rows into one block: 8 floats become four pairs of int16, `count` pairs apart. */
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
  const top = i16x8.splat(<i16> levels), bottom = i16x8.splat(0), offset = i16x8.splat(0x80);
  for (let r = 0; r < count; r++) {
    activateRow(x, k, activation);
    rowRange(x, k, <f32> levels);
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
export function blockRows(i: i32, m: i32): i32 {
  const left = m - i;
  if (left <= 5) return left;
  return left == 6 ? 3 : left <= 8 ? 4 : BLOCK_ROWS;
}

/** Panels that a tile takes at once. */
// @ts-ignore: decorator
@inline
export function panelsTogether(_m: i32, _left: i32): i32 {
  return 1;
}
