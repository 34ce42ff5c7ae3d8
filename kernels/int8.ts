/**
 * The int8 product of the module that is being compiled: `RELAXED` is given to the compiler, and the other
 * family's code is not even looked at.
 */
import { FAMILY_BASELINE, FAMILY_RELAXED } from "./contract";
import * as baseline from "./gemm-int8-baseline";
import * as relaxed from "./gemm-int8-relaxed";

/** Which module this is. */
export function family(): i32 {
  // @ts-ignore: RELAXED is given to the compiler
  return RELAXED ? FAMILY_RELAXED : FAMILY_BASELINE;
}

/** Bytes of one packed activation. */
export function int8_activation_bytes(): i32 {
  // @ts-ignore: RELAXED is given to the compiler
  return RELAXED ? relaxed.ACTIVATION_BYTES : baseline.ACTIVATION_BYTES;
}

/** Tells the kernels whether the engine's dot reads activations as signed bytes. */
export function int8_set_signed(signed: i32): void {
  // @ts-ignore: RELAXED is given to the compiler
  if (RELAXED) relaxed.setSigned(signed);
}

/**
 * Packs 8 rows of weights (8 output columns), `source[8][k]` int8 row-major with k a multiple of 16, into
 * one panel at `target` (8 k bytes), and what the product needs of them into the panel's parameters.
 */
export function int8_pack_panel(source: usize, k: i32, target: usize, columns: usize): void {
  // @ts-ignore: RELAXED is given to the compiler
  if (RELAXED) relaxed.packPanel(source, k, target, columns);
  else baseline.packPanel(source, k, target);
}

/**
 * Quantizes rows i0 .. i1 of `x[m, k]` (rows `ldx` bytes apart, k a multiple of 16) into `a`, after applying
 * `activation` to them in place. Scale and zero point of row i go to `rows + 8 i`.
 */
export function int8_quantize(
  x: usize,
  ldx: usize,
  m: i32,
  k: i32,
  a: usize,
  rows: usize,
  activation: i32,
  i0: i32,
  i1: i32,
): void {
  // @ts-ignore: RELAXED is given to the compiler
  if (RELAXED) relaxed.quantize(x, ldx, m, k, a, rows, activation, i0, i1);
  else baseline.quantize(x, ldx, m, k, a, rows, activation, i0, i1);
}

/**
 * Rows i0 .. i1 and columns 8 p0 .. 8 p1 of c[m, n] = a w: `a` and `rows` from {@link int8_quantize}, `w` and
 * `columns` from {@link int8_pack_panel} with the scales and biases filled in. Rows of c are `ldc` bytes apart.
 * A panel's weights (8 k bytes) stay in the first-level cache while all rows pass. p0 and p1 are even: rows are
 * padded to two panels.
 */
export function int8_gemm(
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
): void {
  // @ts-ignore: RELAXED is given to the compiler
  if (RELAXED) relaxed.gemm(m, k, a, rows, w, columns, c, ldc, p0, p1, i0, i1);
  else baseline.gemm(m, k, a, rows, w, columns, c, ldc, p0, p1, i0, i1);
}
