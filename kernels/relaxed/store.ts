/** The end of a tile on relaxed SIMD: a row's sums to float32. */
import { PANEL_BIASES, PANEL_SUMS } from "../contract";
import { madd } from "../math";

/** Writes one row of a tile, given its columns' scales, biases and sums: takes the zero point out, scales, adds. */
// @ts-ignore: decorator
@inline
export function storeRow(
  c: usize,
  rows: usize,
  sum0: v128,
  sum1: v128,
  s0: v128,
  s1: v128,
  b0: v128,
  b1: v128,
  z0: v128,
  z1: v128,
): void {
  const scale = v128.load32_splat(rows), zeroPoint = v128.load32_splat(rows, 4);
  const exact0 = i32x4.sub(sum0, i32x4.mul(zeroPoint, z0));
  const exact1 = i32x4.sub(sum1, i32x4.mul(zeroPoint, z1));
  v128.store(c, madd(f32x4.convert_i32x4_s(exact0), f32x4.mul(scale, s0), b0));
  v128.store(c, madd(f32x4.convert_i32x4_s(exact1), f32x4.mul(scale, s1), b1), 16);
}

/** The same, for one row alone. */
// @ts-ignore: decorator
@inline
export function storeAlone(c: usize, rows: usize, columns: usize, sum0: v128, sum1: v128): void {
  const s0 = v128.load(columns), s1 = v128.load(columns, 16);
  const b0 = v128.load(columns, PANEL_BIASES), b1 = v128.load(columns, PANEL_BIASES + 16);
  const z0 = v128.load(columns, PANEL_SUMS), z1 = v128.load(columns, PANEL_SUMS + 16);
  storeRow(c, rows, sum0, sum1, s0, s1, b0, b1, z0, z1);
}
