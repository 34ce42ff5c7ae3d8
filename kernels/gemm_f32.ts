/**
 * float32 matrix product, for the fp32 backend and for attention in every backend.
 *
 * Weights come in panels of 8 columns, each panel `[K][8]` floats with rows `ldw` bytes apart: a packed
 * linear layer has ldw = 32, and attention multiplies by V where it lies, with ldw = the row of V. A layer packs its
 * rows for packed_f32.ts's tile; attention and adapters, whose products are small, have them read in place. Every output
 * is one sum over k in ascending order, whichever tile computes it, and multiply and add stay separate: the bits do not
 * depend on the batch or on the engine.
 */
import { F32_DEPTH, GemmF32, PANEL } from "./contract";
import { madd } from "./math";
import { CARRY_ON, multiplyPanel, packRows, REPLACE, ROWS } from "./packed_f32";
import { transposePanel } from "./transpose";

/**
 * Packs 8 rows of weights (8 output columns), `source[8][k]` floats row-major with k a multiple of 4, into a
 * `[k][8]` panel.
 */
export function f32_pack_panel(source: usize, k: i32, target: usize): void {
  const row = <usize> k << 2;
  transposePanel(source, row, source + <usize> (PANEL - 1) * row, k, target);
}

/**
 * 4 rows x 8 columns of `c = a w + bias`; bias may be 0 for none. Its rows are `ldb` bytes apart: 0 where all share one,
 * and `c` itself with `ldb = ldc` where the product is added to what is there.
 */
export function f32Tile4x8(
  a: usize,
  lda: usize,
  w: usize,
  ldw: usize,
  k: i32,
  bias: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
): void {
  const a1 = a + lda, a2 = a1 + lda, a3 = a2 + lda;
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00;
  let c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  for (let i: usize = 0, end = <usize> k << 2; i < end; i += 4) {
    const w0 = v128.load(w), w1 = v128.load(w, 16);
    let x = v128.load32_splat(a + i);
    c00 = madd(x, w0, c00), c01 = madd(x, w1, c01);
    x = v128.load32_splat(a1 + i), c10 = madd(x, w0, c10), c11 = madd(x, w1, c11);
    x = v128.load32_splat(a2 + i), c20 = madd(x, w0, c20), c21 = madd(x, w1, c21);
    x = v128.load32_splat(a3 + i), c30 = madd(x, w0, c30), c31 = madd(x, w1, c31);
    w += ldw;
  }
  if (bias) {
    c00 = f32x4.add(c00, v128.load(bias)), c01 = f32x4.add(c01, v128.load(bias, 16)), bias += ldb;
    c10 = f32x4.add(c10, v128.load(bias)), c11 = f32x4.add(c11, v128.load(bias, 16)), bias += ldb;
    c20 = f32x4.add(c20, v128.load(bias)), c21 = f32x4.add(c21, v128.load(bias, 16)), bias += ldb;
    c30 = f32x4.add(c30, v128.load(bias)), c31 = f32x4.add(c31, v128.load(bias, 16));
  }
  v128.store(c, c00), v128.store(c, c01, 16), c += ldc;
  v128.store(c, c10), v128.store(c, c11, 16), c += ldc;
  v128.store(c, c20), v128.store(c, c21, 16), c += ldc;
  v128.store(c, c30), v128.store(c, c31, 16);
}

/** 1 row x 8 columns of `c = a w + bias`; bias may be 0 for none. */
export function f32Tile1x8(
  a: usize,
  w: usize,
  ldw: usize,
  k: i32,
  bias: usize,
  c: usize,
): void {
  let c0 = f32x4.splat(0), c1 = c0;
  for (let end = a + (<usize> k << 2); a < end; a += 4) {
    const x = v128.load32_splat(a);
    c0 = madd(x, v128.load(w), c0), c1 = madd(x, v128.load(w, 16), c1);
    w += ldw;
  }
  let b0 = f32x4.splat(0), b1 = b0;
  if (bias) b0 = v128.load(bias), b1 = v128.load(bias, 16);
  v128.store(c, f32x4.add(c0, b0)), v128.store(c, f32x4.add(c1, b1), 16);
}

/**
 * Rows i0 .. i1 and columns 8 p0 .. 8 p1; `scratch` takes F32_DEPTH columns of the rows, packed.
 *
 * Columns of `a` go in blocks of F32_DEPTH, so that the rows of a chunk (src/kernels/cut.ts) and a panel's share
 * stay in the first-level cache; a sum is carried on from block to block. A row that is left over alone is multiplied where
 * it lies, in half of the time that a tile of four would take.
 */
export function gemm_f32(it: GemmF32, i0: i32, i1: i32, p0: i32, p1: i32, scratch: usize): void {
  const k = it.k, lda = it.aStride, ldc = it.stride, step = <usize> k * PANEL * 4;
  const first = it.weights + <usize> p0 * step, column = <usize> (p0 * PANEL * 4);
  if (((i1 - i0) & (ROWS - 1)) == 1) {
    i1--;
    let w = first, bias = it.bias + column, c = it.c + <usize> i1 * ldc + column;
    for (let p = p0; p < p1; p++, w += step, bias += PANEL * 4, c += PANEL * 4) {
      f32Tile1x8(it.a + <usize> i1 * lda, w, 32, k, bias, c);
    }
  }
  for (let q = 0; q < k; q += F32_DEPTH) {
    const depth = min(F32_DEPTH, k - q), last = q + depth == k;
    packRows(it.a + (<usize> q << 2), lda, i0, i1, depth, scratch);
    let w = first + (<usize> q << 5), bias = it.bias + column, c = it.c + <usize> i0 * ldc + column;
    for (let p = p0; p < p1; p++, w += step, bias += PANEL * 4, c += PANEL * 4) {
      multiplyPanel(scratch, w, depth, i1 - i0, last ? bias : 0, q ? CARRY_ON : REPLACE, c, ldc);
    }
  }
}
