/**
 * What all kernels agree on: how a tensor lies in memory.
 *
 * A tensor of width n is float32, row-major, its rows `padded(n)` floats apart. The padding is always
 * zero: weights and biases are padded with zeros when they are packed, so every kernel that writes a row
 * writes zeros there, and no kernel needs a tail. (LayerNorm alone must not count the padding: see norm.ts.)
 */
import { COLUMN_ALIGN } from "./contract";

/** Width of a row in memory, in elements. */
// @ts-ignore: decorator
@inline
export function padded(n: i32): i32 {
  return (n + (COLUMN_ALIGN - 1)) & ~(COLUMN_ALIGN - 1);
}
