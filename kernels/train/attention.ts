/**
 * Self-attention of one head over one sequence, forward and backward, in float32:
 *
 *   S = Q K^T / sqrt(d)    P = softmax(S)    A = drop(P)    context = A V
 *
 *   dV = A^T dC    dP = drop(dC V^T) + what a loss on P itself asks for    dS = P (dP - sum_j P dP)    dQ = dS K / sqrt(d)    dK = dS^T Q / sqrt(d)
 *
 * As in attention_f32.ts sequences lie packed without padding, four queries go through together, and the forward
 * pass uses the same tiles in the same order: without dropout it gives the same bits. Nothing is kept for
 * the backward pass but Q, K and V: it computes P again, a quarter more work for memory that grows with
 * the sequence and not with its square.
 *
 * Each head is first gathered to rows of whole panels, so that any head size will do. dK and dV sum over queries
 * in ascending order. Where it is weak: that sum goes through memory once for every four queries, which
 * costs half as much again as a tile would; attention is a twentieth of a step at 64 tokens, a third at 512.
 */
import { keyPanels, QUERIES, softmaxRow } from "../attention_f32";
import { f32Tile1x8, f32Tile4x8 } from "../gemm_f32";
import { PANEL } from "../contract";
import { padded } from "../layout";
import { horizontalSum, madd } from "../math";
import { transposePanel } from "../transpose";
import { DROPS_ATTENTION } from "./contract";
import { dropRow, drops } from "./philox";

/** Columns of a gathered head. */
// @ts-ignore: decorator
@inline
function whole(d: i32): i32 {
  return (d + PANEL - 1) & ~(PANEL - 1);
}

/** Bytes of scratch for sequences up to `s` tokens and heads of `d` columns, backward (forward needs less). */
export function attention_train_scratch(s: i32, d: i32): i32 {
  const tokens = (keyPanels(s) + 1) * PANEL;
  // Q, K, V, dC, dK and dV; K and V in panels; four rows of P, A and dS; four rows of a result.
  return (8 * tokens * whole(d) + 3 * QUERIES * padded(s) + QUERIES * whole(d)) * 4;
}

/** Rows of d floats, `stride` bytes apart, to rows of whole panels; all beyond them up to `room` rows is 0. */
function gather(source: usize, stride: usize, rows: i32, room: i32, d: i32, target: usize): void {
  const wide = <usize> whole(d) << 2, bytes = <usize> d << 2;
  memory.fill(target, 0, <usize> room * wide);
  for (let i = 0; i < rows; i++, source += stride, target += wide) memory.copy(target, source, bytes);
}

/** The first d floats of rows of whole panels back to where they belong. */
function scatter(source: usize, rows: i32, d: i32, target: usize, stride: usize): void {
  const wide = <usize> whole(d) << 2, bytes = <usize> d << 2;
  for (let i = 0; i < rows; i++, source += wide, target += stride) memory.copy(target, source, bytes);
}

/** Gathered rows to panels of 8, `[d][8]` each. */
function panels(rows: usize, s: i32, d: i32, target: usize): void {
  const wide = <usize> d << 2, last = rows + <usize> (s - 1) * wide;
  for (let i = 0; i < s; i += PANEL, target += <usize> PANEL * wide) {
    transposePanel(rows + <usize> i * wide, wide, last, d, target);
  }
}

/** Four (or one) gathered rows times panels: `[rows][8 panels]`, what lies beyond the panels being 0. */
function scores(rows: i32, x: usize, w: usize, s: i32, d: i32, c: usize): void {
  const wide = <usize> d << 2, ldc = <usize> padded(s) << 2;
  memory.fill(c, 0, <usize> QUERIES * ldc);
  for (let p = 0; p < keyPanels(s); p++, w += <usize> PANEL * wide, c += PANEL * 4) {
    if (rows == QUERIES) f32Tile4x8(x, wide, w, 32, d, 0, 0, c, ldc);
    else for (let i = 0; i < rows; i++) f32Tile1x8(x + <usize> i * wide, w, 32, d, 0, c + <usize> i * ldc);
  }
}

/** Four (or fewer) rows `[s]` times gathered rows `[s][d]`. */
function gatherBy(rows: i32, weights: usize, s: i32, values: usize, d: i32, c: usize): void {
  const wide = <usize> d << 2, lds = <usize> padded(s) << 2;
  for (let j: usize = 0; j < wide; j += PANEL * 4) {
    if (rows == QUERIES) f32Tile4x8(weights, lds, values + j, wide, s, 0, 0, c + j, wide);
    else for (let i = 0; i < rows; i++) f32Tile1x8(weights + <usize> i * lds, values + j, wide, s, 0, c + j + <usize> i * wide);
  }
}

/** Adds to each of s rows what four rows `x` give it by the weights `[4][s]`. */
function spreadBy(weights: usize, s: i32, x: usize, d: i32, target: usize): void {
  const wide = <usize> d << 2, lds = <usize> padded(s) << 2;
  const x1 = x + wide, x2 = x1 + wide, x3 = x2 + wide;
  for (let j = 0; j < s; j++, weights += 4, target += wide) {
    const w0 = v128.load32_splat(weights), w1 = v128.load32_splat(weights + lds);
    const w2 = v128.load32_splat(weights + 2 * lds), w3 = v128.load32_splat(weights + 3 * lds);
    for (let c: usize = 0; c < wide; c += 16) {
      let sum = madd(w0, v128.load(x + c), v128.load(target + c));
      sum = madd(w1, v128.load(x1 + c), sum);
      sum = madd(w2, v128.load(x2 + c), sum);
      v128.store(target + c, madd(w3, v128.load(x3 + c), sum));
    }
  }
}

/**
 * The context of one head of one sequence. `query`, `key`, `value` and `context` point at its first row; rows are
 * `ld` and `ldc` bytes apart. `dropout` is of philox.ts or 0; the head's site is `site`, the sequence's first row `row`.
 */
export function attention_forward(
  query: usize,
  key: usize,
  value: usize,
  ld: usize,
  s: i32,
  d: i32,
  scale: f32,
  context: usize,
  ldc: usize,
  dropout: usize,
  site: u32,
  row: u32,
  scratch: usize,
): void {
  const n = whole(d), wide = <usize> n << 2, room = keyPanels(s) * PANEL + QUERIES;
  const table = <usize> room * wide, lds = <usize> padded(s) << 2;
  const q = scratch, k = q + table, v = k + table, keys = v + table, p = keys + table, out = p + <usize> QUERIES * lds;
  gather(query, ld, s, room, d, q);
  gather(key, ld, s, room, d, k);
  gather(value, ld, s, room, d, v);
  panels(k, s, n, keys);
  for (let i = 0; i < s; i += QUERIES) {
    const rows = min(QUERIES, s - i);
    scores(rows, q + <usize> i * wide, keys, s, n, p);
    for (let r = 0; r < rows; r++) {
      softmaxRow(p + <usize> r * lds, s, scale);
      if (drops(dropout, DROPS_ATTENTION)) dropRow(dropout, DROPS_ATTENTION, site, row + i + r, p + <usize> r * lds, padded(s));
    }
    gatherBy(rows, p, s, v, n, out);
    scatter(out, rows, d, context + <usize> i * ldc, ldc);
  }
}

/** The softmax of one head of one sequence, nothing dropped: a row of `padded(s)` floats for each query. */
export function attention_weights(query: usize, key: usize, ld: usize, s: i32, d: i32, scale: f32, weights: usize, scratch: usize): void {
  const n = whole(d), wide = <usize> n << 2, room = keyPanels(s) * PANEL + QUERIES;
  const table = <usize> room * wide, lds = <usize> padded(s) << 2;
  const q = scratch, k = q + table, keys = k + table, p = keys + table;
  gather(query, ld, s, room, d, q);
  gather(key, ld, s, room, d, k);
  panels(k, s, n, keys);
  for (let i = 0; i < s; i += QUERIES) {
    const rows = min(QUERIES, s - i);
    scores(rows, q + <usize> i * wide, keys, s, n, p);
    for (let r = 0; r < rows; r++) softmaxRow(p + <usize> r * lds, s, scale);
    memory.copy(weights + <usize> i * lds, p, <usize> rows * lds);
  }
}

/**
 * From the derivative by the context, `dContext`, and that by the softmax, `dWeights` as {@link attention_weights} lays it out or
 * 0, those by query, key and value, laid out as these are.
 */
export function attention_backward(
  query: usize,
  key: usize,
  value: usize,
  ld: usize,
  s: i32,
  d: i32,
  scale: f32,
  dContext: usize,
  ldc: usize,
  dWeights: usize,
  dQuery: usize,
  dKey: usize,
  dValue: usize,
  dropout: usize,
  site: u32,
  row: u32,
  scratch: usize,
): void {
  const n = whole(d), wide = <usize> n << 2, room = keyPanels(s) * PANEL + QUERIES;
  const table = <usize> room * wide, lds = <usize> padded(s) << 2, four = <usize> QUERIES * lds;
  const q = scratch, k = q + table, keys = k + table, values = keys + table, dc = values + table;
  const dk = dc + table, dv = dk + table, v = dv + table, p = v + table, a = p + four, ds = a + four, out = ds + four;
  const scales = f32x4.splat(scale);
  gather(query, ld, s, room, d, q);
  gather(key, ld, s, room, d, k);
  gather(value, ld, s, room, d, v);
  gather(dContext, ldc, s, room, d, dc);
  panels(k, s, n, keys);
  panels(v, s, n, values);
  memory.fill(dk, 0, 2 * table);
  for (let i = 0; i < s; i += QUERIES) {
    const rows = min(QUERIES, s - i), at = <usize> i * wide;
    scores(rows, q + at, keys, s, n, p);
    scores(rows, dc + at, values, s, n, ds);
    memory.fill(a, 0, four);
    for (let r = 0; r < rows; r++) {
      const o = <usize> r * lds;
      softmaxRow(p + o, s, scale);
      memory.copy(a + o, p + o, lds);
      if (drops(dropout, DROPS_ATTENTION)) {
        dropRow(dropout, DROPS_ATTENTION, site, row + i + r, a + o, padded(s));
        dropRow(dropout, DROPS_ATTENTION, site, row + i + r, ds + o, padded(s));
      }
      if (dWeights) {
        const own = dWeights + <usize> (i + r) * lds;
        for (let j: usize = 0; j < lds; j += 16) v128.store(ds + o + j, f32x4.add(v128.load(ds + o + j), v128.load(own + j)));
      }
      let sums = f32x4.splat(0);
      for (let j: usize = 0; j < lds; j += 16) sums = madd(v128.load(p + o + j), v128.load(ds + o + j), sums);
      const sum = f32x4.splat(horizontalSum(sums));
      for (let j: usize = 0; j < lds; j += 16) {
        const change = f32x4.mul(v128.load(p + o + j), f32x4.sub(v128.load(ds + o + j), sum));
        v128.store(ds + o + j, f32x4.mul(scales, change));
      }
    }
    gatherBy(rows, ds, s, k, n, out);
    scatter(out, rows, d, dQuery + <usize> i * ld, ld);
    spreadBy(ds, s, q + at, n, dk);
    spreadBy(a, s, dc + at, n, dv);
  }
  scatter(dk, s, d, dKey, ld);
  scatter(dv, s, d, dValue, ld);
}
