/**
 * The int8 product, whatever the family: blocks of rows go through the family's tiles, panel by panel.
 *
 * `./family` is the folder of the family that is being built (tools/build/assemblyscript.ts); docs/kernels.md lists
 * what it must hold.
 */
import { PANEL, PANEL_PARAMS, ROW_PARAMS } from "./contract";
import { laneSum } from "./lanes";
import {
  ACTIVATION_BYTES,
  blockRows,
  FAMILY,
  packPanel,
  panelsTogether,
  quantizeBlock,
  setSigned,
} from "./family/family";
import { tile } from "./family/tiles";

/** Which family's module this is. */
export function family(): i32 {
  return FAMILY;
}

/** Bytes of one packed activation. */
export function int8_activation_bytes(): i32 {
  return ACTIVATION_BYTES;
}

/** Tells the kernels whether the engine's dot reads activations as signed bytes. */
export function int8_set_signed(signed: i32): void {
  setSigned(signed);
}

/**
 * Packs 8 rows of weights (8 output columns), `source[8][k]` int8 row-major with k a multiple of 16, into
 * one panel at `target` (8 k bytes), and what the product needs of them into the panel's parameters.
 */
export function int8_pack_panel(source: usize, k: i32, target: usize, columns: usize): void {
  packPanel(source, k, target, columns);
}

/**
 * The largest magnitude that one sign's weights in a lane sum to, over 8 rows of `k` int8 weights (a multiple of
 * 16) at `source`, row by row, as {@link int8_pack_panel} takes them: what a lane budget bounds.
 */
export function int8_lane_sum(source: usize, k: i32): i32 {
  return laneSum(source, source + <usize> PANEL * <usize> k);
}

/**
 * Quantizes rows i0 .. i1 of `x[m, k]` (rows `ldx` bytes apart, k a multiple of 16) into `a`, integers from 0 to
 * `levels`, after applying `activation` to them in place. Scale and zero point of row i go to `rows + 8 i`.
 */
export function quantize(
  x: usize,
  ldx: usize,
  m: i32,
  k: i32,
  a: usize,
  rows: usize,
  activation: i32,
  levels: i32,
  i0: i32,
  i1: i32,
): void {
  for (let i = i0; i < i1;) {
    const count = blockRows(i, m), xi = x + <usize> i * ldx, ri = rows + <usize> (i * ROW_PARAMS);
    quantizeBlock(xi, ldx, k, count, a + <usize> i * <usize> k * ACTIVATION_BYTES, ri, activation, levels);
    i += count;
  }
}

/**
 * Rows i0 .. i1 and columns 8 p0 .. 8 p1 of c[m, n] = a w: `a` and `rows` from {@link quantize}, `w` and
 * `columns` from {@link int8_pack_panel} with the scales and biases filled in. Rows of c are `ldc` bytes apart.
 * A panel's weights (8 k bytes) stay in the first-level cache while all rows pass. p0 and p1 are even: rows are
 * padded to two panels. `scratch` has PRODUCT_SCRATCH bytes that no other thread uses.
 */
export function gemm(
  m: i32,
  k: i32,
  a: usize,
  rows: usize,
  w: usize,
  columns: usize,
  c: usize,
  ldc: usize,
  p0: i32,
  p1: i32,
  i0: i32,
  i1: i32,
  scratch: usize,
): void {
  const step = <usize> k * PANEL;
  w += <usize> p0 * step;
  columns += <usize> (p0 * PANEL_PARAMS);
  c += <usize> (p0 * PANEL * 4);
  for (let p = p0; p < p1;) {
    const panels = panelsTogether(m, p1 - p);
    for (let i = i0; i < i1;) {
      const ai = a + <usize> i * <usize> k * ACTIVATION_BYTES;
      const ri = rows + <usize> (i * ROW_PARAMS);
      const count = blockRows(i, m);
      tile(count, panels, ai, w, step, k, ri, columns, c + <usize> i * ldc, ldc, scratch);
      i += count;
    }
    w += <usize> panels * step;
    columns += <usize> (panels * PANEL_PARAMS);
    c += <usize> (panels * PANEL * 4);
    p += panels;
  }
}
