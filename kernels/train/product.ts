/**
 * float32 matrix products with either operand transposed: C[i, j] = sum over p of R[i, p] S[p, j].
 *
 * Both sides are packed, so that one tile (packed_f32.ts) serves all three products of a linear layer: four rows of R
 * to `[p][4]`, eight columns of S to `[p][8]`.
 *
 * p goes in blocks of DEPTH, so that a packed panel stays in the first-level cache. A forward product carries
 * its sums on from block to block, in ascending order from 0, and adds the bias last, as gemm_f32.ts does: the
 * emissions are the fp32 backend's, bit for bit. Gradients add up each block by itself and the blocks in order,
 * which rounds less. Neither depends on how C is cut.
 */
import { F32_DEPTH as DEPTH, PANEL } from "../contract";
import { ADD, CARRY_ON, multiplyPanel, packRows, REPLACE, ROWS, wholeTurns } from "../packed_f32";
import { transposePanel } from "../transpose";

/** `width` (4 or 8) columns of `k` rows, `stride` bytes apart, to `[k][width]`, and zeros to a whole turn. */
// @ts-ignore: decorator
@inline
function packColumns(source: usize, stride: usize, width: i32, k: i32, target: usize): void {
  for (let p = 0; p < k; p++, source += stride, target += <usize> width << 2) {
    v128.store(target, v128.load(source));
    if (width == PANEL) v128.store(target, v128.load(source, 16), 16);
  }
  memory.fill(target, 0, <usize> ((wholeTurns(k) - k) * width) << 2);
}

/** Bytes of scratch that a product in chunks of `rows` rows needs. */
export function product_scratch(rows: i32): i32 {
  return (((rows + ROWS - 1) & ~(ROWS - 1)) + PANEL) * DEPTH * 4;
}

/**
 * Rows i0 .. i1 and columns j0 .. j1 (multiples of 8) of c = x w^T + bias: x is `[m, k]`, w `[n, k]`, k a multiple of 4.
 * All strides are in bytes.
 */
export function product_forward(
  x: usize,
  ldx: usize,
  w: usize,
  ldw: usize,
  k: i32,
  bias: usize,
  c: usize,
  ldc: usize,
  i0: i32,
  i1: i32,
  j0: i32,
  j1: i32,
  scratch: usize,
): void {
  const right = scratch, left = scratch + (<usize> (PANEL * DEPTH) << 2);
  c += <usize> i0 * ldc;
  for (let p = 0; p < k; p += DEPTH) {
    const depth = min(DEPTH, k - p), offset = <usize> p << 2, last = p + depth == k;
    packRows(x + offset, ldx, i0, i1, depth, left);
    for (let j = j0; j < j1; j += PANEL) {
      const first = w + <usize> j * ldw + offset, column = <usize> j << 2;
      transposePanel(first, ldw, first + <usize> (PANEL - 1) * ldw, depth, right);
      multiplyPanel(left, right, depth, i1 - i0, last ? bias + column : 0, p ? CARRY_ON : REPLACE, c + column, ldc);
    }
  }
}

/**
 * The same part of c = y w, or with `add` of c + y w: the derivative by the input of a layer, y being `[m, k]` and w
 * `[k, n]`.
 */
export function product_input(
  y: usize,
  ldy: usize,
  w: usize,
  ldw: usize,
  k: i32,
  add: bool,
  c: usize,
  ldc: usize,
  i0: i32,
  i1: i32,
  j0: i32,
  j1: i32,
  scratch: usize,
): void {
  const right = scratch, left = scratch + (<usize> (PANEL * DEPTH) << 2);
  c += <usize> i0 * ldc;
  for (let p = 0; p < k; p += DEPTH) {
    const depth = min(DEPTH, k - p), mode = add || p ? ADD : REPLACE;
    packRows(y + (<usize> p << 2), ldy, i0, i1, depth, left);
    for (let j = j0; j < j1; j += PANEL) {
      const column = <usize> j << 2;
      packColumns(w + <usize> p * ldw + column, ldw, PANEL, depth, right);
      multiplyPanel(left, right, depth, i1 - i0, 0, mode, c + column, ldc);
    }
  }
}

/**
 * Adds the same part of y^T x to c: the derivative by a weight, y being `[tokens, m]` and x `[tokens, n]`; i0 too is
 * a multiple of 4.
 */
export function product_weights(
  y: usize,
  ldy: usize,
  x: usize,
  ldx: usize,
  tokens: i32,
  c: usize,
  ldc: usize,
  i0: i32,
  i1: i32,
  j0: i32,
  j1: i32,
  scratch: usize,
): void {
  const right = scratch, left = scratch + (<usize> (PANEL * DEPTH) << 2);
  c += <usize> i0 * ldc;
  for (let t = 0; t < tokens; t += DEPTH) {
    const depth = min(DEPTH, tokens - t), turns = wholeTurns(depth);
    for (let i = i0; i < i1; i += ROWS) {
      packColumns(y + (<usize> i << 2), ldy, ROWS, depth, left + (<usize> ((i - i0) * turns) << 2));
    }
    for (let j = j0; j < j1; j += PANEL) {
      packColumns(x + (<usize> j << 2), ldx, PANEL, depth, right);
      multiplyPanel(left, right, turns, i1 - i0, 0, ADD, c + (<usize> j << 2), ldc);
    }
    y += <usize> DEPTH * ldy;
    x += <usize> DEPTH * ldx;
  }
}
