/**
 * What attention does its own way on relaxed SIMD: softmax's weights of 14 bits are a block of upper halves and a
 * block of lower ones, 7 bits each, which every engine's dot takes.
 */
import { BLOCK_ROWS, PANEL, PANEL_PARAMS } from "../contract";
import { padded } from "../layout";
import { gemm_u14_i8_5x8__relaxed, tile } from "./tiles";

export { packPanel, quantizeBlock } from "./family";

/** Depth of the product with V, for `s` keys in so many panels. */
// @ts-ignore: decorator
@inline
export function valueDepth(s: i32, _panels: i32): i32 {
  return padded(s);
}

/** Four k (lanes 0..3, 4..7, ...) of four columns to where a panel has them, the upper four `high`. */
// @ts-ignore: decorator
@inline
export function storeValues(q: v128, target: usize, high: bool): void {
  q = v128.shuffle<i8>(q, q, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  v128.store(high ? target + 16 : target, q);
}

/**
 * Four k of one row of softmax's weights, of which a block takes `bytes` bytes a half; returns where the next four
 * go, `rows` rows on.
 */
// @ts-ignore: decorator
@inline
export function storeWeights(q: v128, target: usize, rows: i32, bytes: usize): usize {
  const narrow = i16x8.narrow_i32x4_s(q, q);
  const halves = i8x16.narrow_i16x8_u(i16x8.shr_u(narrow, 7), v128.and(narrow, i16x8.splat(127)));
  v128.store32_lane(target, halves, 0);
  v128.store32_lane(target + bytes, halves, 2);
  return target + (<usize> rows << 2);
}

/** What a row of weights has for a zero point, given their sum. */
// @ts-ignore: decorator
@inline
export function weightsZero(_sum: i32): i32 {
  return 0;
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

/**
 * The product of one block of 5 rows of weights with V. The sum of the upper halves is shifted before that of the
 * lower ones joins it.
 */
export function weightsProduct(
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
    gemm_u14_i8_5x8__relaxed(a, w, k, rows, columns, c, ldc);
    w += <usize> k * PANEL;
    columns += PANEL_PARAMS;
    c += PANEL * 4;
  }
}
