/** The arithmetic of a tile on baseline SIMD, and its end: a row's sums to float32. */
import { madd } from "../math";

/** `acc + w a`, pairs of int16 products summed into int32 lanes. */
// @ts-ignore: decorator
@inline
export function dot2(w: v128, x: v128, acc: v128): v128 {
  return i32x4.add(acc, i32x4.dot_i16x8_s(w, x));
}

/** Writes one row of a tile, given its columns' scales and biases: takes the columns apart, scales, adds. */
// @ts-ignore: decorator
@inline
export function storeRow(
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
