/** What attention does its own way on baseline SIMD: softmax's weights of 14 bits are activations like any others. */
import { BLOCK_ROWS, PANEL, PANEL_PARAMS } from "../contract";
import { tile } from "./tiles";

export { packPanel, quantizeBlock } from "./family";

/** Depth of the product with V, for `s` keys in so many panels. */
// @ts-ignore: decorator
@inline
export function valueDepth(_s: i32, panels: i32): i32 {
  return panels * PANEL;
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

/** Four k of one row of softmax's weights; returns where the next four go, `rows` rows on. */
// @ts-ignore: decorator
@inline
export function storeWeights(q: v128, target: usize, rows: i32, _bytes: usize): usize {
  const narrow = i16x8.narrow_i32x4_s(q, q), stride = <usize> rows << 2;
  v128.store32_lane(target, narrow, 0);
  v128.store32_lane(target + stride, narrow, 1);
  return target + 2 * stride;
}

/** What a row of weights has for a zero point, given their sum: 128 times it, as every row here. */
// @ts-ignore: decorator
@inline
export function weightsZero(sum: i32): i32 {
  return sum << 7;
}

/** The product of one block of 5 queries with the keys. */
export function scoresProduct(
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
    tile(BLOCK_ROWS, 1, a, w, 0, k, rows, columns, c, ldc, 0);
    w += <usize> k * PANEL;
    columns += PANEL_PARAMS;
    c += PANEL * 4;
  }
}

/** The product of one block of 5 rows of weights with V. */
export { scoresProduct as weightsProduct };
