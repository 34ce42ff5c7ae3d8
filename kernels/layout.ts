/**
 * What all kernels agree on: how a tensor lies in memory.
 *
 * A tensor of width n is float32, row-major, its rows `padded(n)` floats apart. The padding is always
 * zero: weights and biases are padded with zeros when they are packed, so every kernel that writes a row
 * writes zeros there, and no kernel needs a tail. (LayerNorm alone must not count the padding: see norm.ts.)
 */

/** Columns are padded to this many: four steps of the int8 dot, two vectors of eight lanes. */
export const COLUMN_ALIGN: i32 = 16;

/** Columns in a packed panel of weights; a GEMM writes one panel's columns at a time. */
export const PANEL: i32 = 8;

/** Width of a row in memory, in elements. */
// @ts-ignore: decorator
@inline
export function padded(n: i32): i32 {
  return (n + (COLUMN_ALIGN - 1)) & ~(COLUMN_ALIGN - 1);
}

/**
 * Rows of a full block of packed activations. Rows lie in blocks of this many, except for the last dozen; a range
 * of rows may begin and end at any multiple of it that is at least 8 rows before the end, and at the end.
 */
export const BLOCK_ROWS: i32 = 5;

/** What the rows of an activation tensor pass through before they are used. */
export const ACTIVATION_NONE: i32 = 0;
export const ACTIVATION_GELU: i32 = 1;
export const ACTIVATION_GELU_TANH: i32 = 2;

/** Bytes of one row's quantization parameters: scale (f32), zero point (i32). */
export const ROW_PARAMS: i32 = 8;

/**
 * Bytes of one panel's column parameters: 8 scales (f32), 8 biases (f32), 8 sums of weights (i32).
 * Interleaved so that a tile's epilogue reads one place.
 */
export const PANEL_PARAMS: i32 = 96;
