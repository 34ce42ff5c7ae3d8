/**
 * A low-rank adapter's share of a linear layer: `c += (x A) B`, float32 whatever the layer is (LoRA; Hu et al., arXiv
 * 2106.09685).
 *
 * Four rows at a time go through both products, so that what lies between them, a rank's numbers a row, never leaves
 * the first-level cache, and rows of `c` are gone over once. Both products are gemm_f32.ts's tiles: a sum over k, then
 * one over the rank, each in ascending order from 0, and the second is added to `c` whole. No bit depends on which rows
 * are computed together.
 *
 * Weak where: A is read again for every four rows, from the second-level cache where k is large.
 */
import { LowRank, PANEL } from "./contract";
import { f32Tile1x8, f32Tile4x8 } from "./gemm_f32";

/** Rows i0 .. i1, in scratch number `thread`. */
export function low_rank(it: LowRank, i0: i32, i1: i32, thread: i32): void {
  const k = it.k, rank = it.rank, ldx = it.xStride, ldc = it.stride;
  const low = it.low + <usize> thread * it.lowBytes, ldl = it.lowBytes >> 2;
  const stepA = <usize> k * PANEL * 4, stepB = <usize> rank * PANEL * 4;
  let x = it.x + <usize> i0 * ldx, c = it.c + <usize> i0 * ldc;
  for (let i = i0; i < i1;) {
    const rows = i1 - i >= 4 ? 4 : 1;
    for (let j: usize = 0, a = it.a; j < ldl; j += PANEL * 4, a += stepA) {
      if (rows == 4) f32Tile4x8(x, ldx, a, 32, k, 0, 0, low + j, ldl);
      else f32Tile1x8(x, a, 32, k, 0, low + j);
    }
    for (let p = 0, b = it.b, cp = c; p < it.panels; p++, b += stepB, cp += PANEL * 4) {
      if (rows == 4) f32Tile4x8(low, ldl, b, 32, rank, cp, ldc, cp, ldc);
      else f32Tile1x8(low, b, 32, rank, cp, cp);
    }
    i += rows;
    x += <usize> rows * ldx;
    c += <usize> rows * ldc;
  }
}
