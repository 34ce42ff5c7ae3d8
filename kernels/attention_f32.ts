/**
 * Self-attention of one head over one sequence, in float32: softmax(Q K^T / sqrt(d)) V.
 *
 * Sequences lie packed one after the other without padding, so there is no mask: a head sees the rows of
 * its own sequence and nothing else. Q, K and V are column ranges of one tensor. K is transposed once into
 * panels of 8 keys; then four queries at a time go through scores, softmax and the product with V while
 * their scores stay in the first-level cache. Scratch grows with the sequence, not with its square.
 */
import { f32Tile1x8, f32Tile4x8 } from "./gemm_f32";
import { PANEL } from "./contract";
import { exp4, horizontalMax, horizontalSum } from "./math";
import { transposePanel } from "./transpose";

/** Queries that pass together. */
export const QUERIES: i32 = 4;

// @ts-ignore: decorator
@inline
export function keyPanels(s: i32): i32 {
  return (s + PANEL - 1) / PANEL;
}

/** Bytes of scratch for one call with sequences up to `s` tokens and `d` columns a head. */
export function attention_f32_scratch(s: i32, d: i32): i32 {
  return keyPanels(s) * PANEL * (d + QUERIES) * 4;
}

/**
 * Softmax of `scale * row[0 .. s]` in place; what lies between s and the next multiple of 8 becomes 0.
 * The largest score is subtracted first, so all-equal, huge and tiny scores are all safe.
 */
export function softmaxRow(row: usize, s: i32, scale: f32): void {
  const end = row + (<usize> (keyPanels(s) * PANEL) << 2);
  for (let p = row + (<usize> s << 2); p < end; p += 4) store<f32>(p, -Infinity);
  let high = f32x4.splat(-Infinity);
  for (let p = row; p < end; p += 16) high = f32x4.pmax(high, v128.load(p));
  const top = f32x4.splat(horizontalMax(high)), scales = f32x4.splat(scale);
  let sum = f32x4.splat(0);
  for (let p = row; p < end; p += 16) {
    const e = exp4(f32x4.mul(f32x4.sub(v128.load(p), top), scales));
    v128.store(p, e);
    sum = f32x4.add(sum, e);
  }
  // The padding's exponentials (e^-86 each) vanish beside the largest score's, which is 1.
  for (let p = row + (<usize> s << 2); p < end; p += 4) store<f32>(p, 0);
  const inverse = f32x4.splat(<f32> 1.0 / horizontalSum(sum));
  for (let p = row; p < end; p += 16) v128.store(p, f32x4.mul(v128.load(p), inverse));
}

/**
 * One head of one sequence: `query`, `key`, `value` point at its first row, rows `ld` bytes apart, `d`
 * columns (a multiple of 8) each; the context goes to `context`, rows `ldc` bytes apart.
 */
export function attention_f32(
  query: usize,
  key: usize,
  value: usize,
  ld: usize,
  s: i32,
  d: i32,
  scale: f32,
  context: usize,
  ldc: usize,
  scratch: usize,
): void {
  const panels = keyPanels(s), step = <usize> d * PANEL * 4;
  const lds = <usize> (panels * PANEL) << 2;
  const scores = scratch + <usize> panels * step;
  // Keys beyond s are the last one again; their scores are replaced.
  const last = key + <usize> (s - 1) * ld;
  for (let p = 0; p < panels; p++) {
    transposePanel(key + <usize> (p * PANEL) * ld, ld, last, d, scratch + <usize> p * step);
  }
  for (let i = 0; i < s;) {
    const rows = s - i >= QUERIES ? QUERIES : 1;
    for (let p = 0; p < panels; p++) {
      const w = scratch + <usize> p * step, c = scores + <usize> (p * PANEL * 4);
      if (rows == QUERIES) f32Tile4x8(query, ld, w, 32, d, 0, 0, c, lds);
      else f32Tile1x8(query, w, 32, d, 0, c);
    }
    for (let r = 0; r < rows; r++) softmaxRow(scores + <usize> r * lds, s, scale);
    for (let j = 0; j < d; j += PANEL) {
      const column = <usize> j << 2;
      if (rows == QUERIES) f32Tile4x8(scores, lds, value + column, ld, s, 0, 0, context + column, ldc);
      else f32Tile1x8(scores, value + column, ld, s, 0, context + column);
    }
    query += <usize> rows * ld;
    context += <usize> rows * ldc;
    i += rows;
  }
}
