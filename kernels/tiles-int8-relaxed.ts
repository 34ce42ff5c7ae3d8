/**
 * Tiles of the int8 product with relaxed SIMD: a block of rows times one panel of weights or several.
 *
 * What bounds the product is not the dot alone, of which a core starts two a cycle, but the six or eight
 * instructions that it starts in all: an engine without a trap handler (Deno) adds two to every load, to check
 * its bounds. So the tile that takes nearly all rows is 5 x 8: 10 sums, enough for a dot that takes 5 cycles;
 * 2 weight vectors; and the activations of four rows in one load, each spread by a shuffle. Together with the
 * vector that is spread, 14 of the 15 registers that V8 can allocate on x86. 6 x 8 would have 16, and so
 * loads and spreads each row by itself; it takes what 5 leaves over. Few rows run over more panels at a time,
 * to have sums enough. Four k-steps are unrolled by hand, for the loop's own instructions count as well.
 * `deno task bench --filter kernels/gemm_int8` prints what each number of rows reaches of the dot's rate.
 *
 * Arguments, throughout: a block of packed activations, a panel of packed weights, their depth, the rows' and the
 * columns' parameters, where the first result goes, and from there the bytes to the next row's.
 */
import { dot4 } from "./dot";
import { PANEL_PARAMS } from "./contract";
import { madd, spread } from "./math";

/** Writes one row of a tile, given its columns' scales, biases and sums: takes the zero point out, scales, adds. */
// @ts-ignore: decorator
@inline
function storeRow(
  c: usize,
  rows: usize,
  sum0: v128,
  sum1: v128,
  s0: v128,
  s1: v128,
  b0: v128,
  b1: v128,
  z0: v128,
  z1: v128,
): void {
  const scale = v128.load32_splat(rows), zeroPoint = v128.load32_splat(rows, 4);
  const exact0 = i32x4.sub(sum0, i32x4.mul(zeroPoint, z0));
  const exact1 = i32x4.sub(sum1, i32x4.mul(zeroPoint, z1));
  v128.store(c, madd(f32x4.convert_i32x4_s(exact0), f32x4.mul(scale, s0), b0));
  v128.store(c, madd(f32x4.convert_i32x4_s(exact1), f32x4.mul(scale, s1), b1), 16);
}

/** The same, for one row alone. */
// @ts-ignore: decorator
@inline
function storeAlone(c: usize, rows: usize, columns: usize, sum0: v128, sum1: v128): void {
  const s0 = v128.load(columns), s1 = v128.load(columns, 16);
  const b0 = v128.load(columns, 32), b1 = v128.load(columns, 48);
  storeRow(c, rows, sum0, sum1, s0, s1, b0, b1, v128.load(columns, 64), v128.load(columns, 80));
}

/** 6 rows x 8 columns, 16 k a turn; no register is left to hold four broadcasts at once. */
export function tile6x8(a: usize, w: usize, k: i32, rows: usize, columns: usize, c: usize, ldc: usize): void {
  let c00 = i32x4.splat(0), c01 = c00;
  let c10 = c00, c11 = c00;
  let c20 = c00, c21 = c00;
  let c30 = c00, c31 = c00;
  let c40 = c00, c41 = c00;
  let c50 = c00, c51 = c00;
  for (; k > 0; k -= 16) {
    let w0: v128, w1: v128, x: v128;
    w0 = v128.load(w);
    w1 = v128.load(w, 16);
    x = v128.load32_splat(a, 0), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    x = v128.load32_splat(a, 4), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    x = v128.load32_splat(a, 8), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
    x = v128.load32_splat(a, 12), c30 = dot4(w0, x, c30), c31 = dot4(w1, x, c31);
    x = v128.load32_splat(a, 16), c40 = dot4(w0, x, c40), c41 = dot4(w1, x, c41);
    x = v128.load32_splat(a, 20), c50 = dot4(w0, x, c50), c51 = dot4(w1, x, c51);
    w0 = v128.load(w, 32);
    w1 = v128.load(w, 48);
    x = v128.load32_splat(a, 24), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    x = v128.load32_splat(a, 28), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    x = v128.load32_splat(a, 32), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
    x = v128.load32_splat(a, 36), c30 = dot4(w0, x, c30), c31 = dot4(w1, x, c31);
    x = v128.load32_splat(a, 40), c40 = dot4(w0, x, c40), c41 = dot4(w1, x, c41);
    x = v128.load32_splat(a, 44), c50 = dot4(w0, x, c50), c51 = dot4(w1, x, c51);
    w0 = v128.load(w, 64);
    w1 = v128.load(w, 80);
    x = v128.load32_splat(a, 48), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    x = v128.load32_splat(a, 52), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    x = v128.load32_splat(a, 56), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
    x = v128.load32_splat(a, 60), c30 = dot4(w0, x, c30), c31 = dot4(w1, x, c31);
    x = v128.load32_splat(a, 64), c40 = dot4(w0, x, c40), c41 = dot4(w1, x, c41);
    x = v128.load32_splat(a, 68), c50 = dot4(w0, x, c50), c51 = dot4(w1, x, c51);
    w0 = v128.load(w, 96);
    w1 = v128.load(w, 112);
    x = v128.load32_splat(a, 72), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    x = v128.load32_splat(a, 76), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    x = v128.load32_splat(a, 80), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
    x = v128.load32_splat(a, 84), c30 = dot4(w0, x, c30), c31 = dot4(w1, x, c31);
    x = v128.load32_splat(a, 88), c40 = dot4(w0, x, c40), c41 = dot4(w1, x, c41);
    x = v128.load32_splat(a, 92), c50 = dot4(w0, x, c50), c51 = dot4(w1, x, c51);
    a += 96;
    w += 128;
  }
  const s0 = v128.load(columns), s1 = v128.load(columns, 16);
  const b0 = v128.load(columns, 32), b1 = v128.load(columns, 48);
  const z0 = v128.load(columns, 64), z1 = v128.load(columns, 80);
  storeRow(c, rows, c00, c01, s0, s1, b0, b1, z0, z1);
  storeRow(c + ldc, rows + 8, c10, c11, s0, s1, b0, b1, z0, z1);
  storeRow(c + 2 * ldc, rows + 16, c20, c21, s0, s1, b0, b1, z0, z1);
  storeRow(c + 3 * ldc, rows + 24, c30, c31, s0, s1, b0, b1, z0, z1);
  storeRow(c + 4 * ldc, rows + 32, c40, c41, s0, s1, b0, b1, z0, z1);
  storeRow(c + 5 * ldc, rows + 40, c50, c51, s0, s1, b0, b1, z0, z1);
}

/** 5 rows x 8 columns, 16 k a turn: the tile of all but the last rows. */
export function tile5x8(a: usize, w: usize, k: i32, rows: usize, columns: usize, c: usize, ldc: usize): void {
  let c00 = i32x4.splat(0), c01 = c00;
  let c10 = c00, c11 = c00;
  let c20 = c00, c21 = c00;
  let c30 = c00, c31 = c00;
  let c40 = c00, c41 = c00;
  for (; k > 0; k -= 16) {
    let w0: v128, w1: v128, four: v128, x: v128;
    w0 = v128.load(w);
    w1 = v128.load(w, 16);
    four = v128.load(a);
    x = spread(four, 0), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    x = spread(four, 1), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    x = spread(four, 2), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
    x = spread(four, 3), c30 = dot4(w0, x, c30), c31 = dot4(w1, x, c31);
    four = v128.load(a, 16);
    x = spread(four, 0), c40 = dot4(w0, x, c40), c41 = dot4(w1, x, c41);
    w0 = v128.load(w, 32);
    w1 = v128.load(w, 48);
    x = spread(four, 1), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    x = spread(four, 2), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    x = spread(four, 3), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
    four = v128.load(a, 32);
    x = spread(four, 0), c30 = dot4(w0, x, c30), c31 = dot4(w1, x, c31);
    x = spread(four, 1), c40 = dot4(w0, x, c40), c41 = dot4(w1, x, c41);
    w0 = v128.load(w, 64);
    w1 = v128.load(w, 80);
    x = spread(four, 2), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    x = spread(four, 3), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    four = v128.load(a, 48);
    x = spread(four, 0), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
    x = spread(four, 1), c30 = dot4(w0, x, c30), c31 = dot4(w1, x, c31);
    x = spread(four, 2), c40 = dot4(w0, x, c40), c41 = dot4(w1, x, c41);
    w0 = v128.load(w, 96);
    w1 = v128.load(w, 112);
    x = spread(four, 3), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    four = v128.load(a, 64);
    x = spread(four, 0), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    x = spread(four, 1), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
    x = spread(four, 2), c30 = dot4(w0, x, c30), c31 = dot4(w1, x, c31);
    x = spread(four, 3), c40 = dot4(w0, x, c40), c41 = dot4(w1, x, c41);
    a += 80;
    w += 128;
  }
  const s0 = v128.load(columns), s1 = v128.load(columns, 16);
  const b0 = v128.load(columns, 32), b1 = v128.load(columns, 48);
  const z0 = v128.load(columns, 64), z1 = v128.load(columns, 80);
  storeRow(c, rows, c00, c01, s0, s1, b0, b1, z0, z1);
  storeRow(c + ldc, rows + 8, c10, c11, s0, s1, b0, b1, z0, z1);
  storeRow(c + 2 * ldc, rows + 16, c20, c21, s0, s1, b0, b1, z0, z1);
  storeRow(c + 3 * ldc, rows + 24, c30, c31, s0, s1, b0, b1, z0, z1);
  storeRow(c + 4 * ldc, rows + 32, c40, c41, s0, s1, b0, b1, z0, z1);
}

/** Like {@link tile5x8}, of a block of upper halves and the block of lower halves behind it. */
export function wide5x8(
  a: usize,
  w: usize,
  k: i32,
  rows: usize,
  columns: usize,
  c: usize,
  ldc: usize,
): void {
  let c00 = i32x4.splat(0), c01 = c00;
  let c10 = c00, c11 = c00;
  let c20 = c00, c21 = c00;
  let c30 = c00, c31 = c00;
  let c40 = c00, c41 = c00;
  const start = w, depth = k;
  for (let half = 0;; half++) {
    for (; k > 0; k -= 16) {
      let w0: v128, w1: v128, four: v128, x: v128;
      w0 = v128.load(w);
      w1 = v128.load(w, 16);
      four = v128.load(a);
      x = spread(four, 0), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
      x = spread(four, 1), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
      x = spread(four, 2), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
      x = spread(four, 3), c30 = dot4(w0, x, c30), c31 = dot4(w1, x, c31);
      four = v128.load(a, 16);
      x = spread(four, 0), c40 = dot4(w0, x, c40), c41 = dot4(w1, x, c41);
      w0 = v128.load(w, 32);
      w1 = v128.load(w, 48);
      x = spread(four, 1), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
      x = spread(four, 2), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
      x = spread(four, 3), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
      four = v128.load(a, 32);
      x = spread(four, 0), c30 = dot4(w0, x, c30), c31 = dot4(w1, x, c31);
      x = spread(four, 1), c40 = dot4(w0, x, c40), c41 = dot4(w1, x, c41);
      w0 = v128.load(w, 64);
      w1 = v128.load(w, 80);
      x = spread(four, 2), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
      x = spread(four, 3), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
      four = v128.load(a, 48);
      x = spread(four, 0), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
      x = spread(four, 1), c30 = dot4(w0, x, c30), c31 = dot4(w1, x, c31);
      x = spread(four, 2), c40 = dot4(w0, x, c40), c41 = dot4(w1, x, c41);
      w0 = v128.load(w, 96);
      w1 = v128.load(w, 112);
      x = spread(four, 3), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
      four = v128.load(a, 64);
      x = spread(four, 0), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
      x = spread(four, 1), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
      x = spread(four, 2), c30 = dot4(w0, x, c30), c31 = dot4(w1, x, c31);
      x = spread(four, 3), c40 = dot4(w0, x, c40), c41 = dot4(w1, x, c41);
      a += 80;
      w += 128;
    }
    if (half) break;
    c00 = i32x4.shl(c00, 7), c01 = i32x4.shl(c01, 7);
    c10 = i32x4.shl(c10, 7), c11 = i32x4.shl(c11, 7);
    c20 = i32x4.shl(c20, 7), c21 = i32x4.shl(c21, 7);
    c30 = i32x4.shl(c30, 7), c31 = i32x4.shl(c31, 7);
    c40 = i32x4.shl(c40, 7), c41 = i32x4.shl(c41, 7);
    k = depth;
    w = start;
  }
  const s0 = v128.load(columns), s1 = v128.load(columns, 16);
  const b0 = v128.load(columns, 32), b1 = v128.load(columns, 48);
  const z0 = v128.load(columns, 64), z1 = v128.load(columns, 80);
  storeRow(c, rows, c00, c01, s0, s1, b0, b1, z0, z1);
  storeRow(c + ldc, rows + 8, c10, c11, s0, s1, b0, b1, z0, z1);
  storeRow(c + 2 * ldc, rows + 16, c20, c21, s0, s1, b0, b1, z0, z1);
  storeRow(c + 3 * ldc, rows + 24, c30, c31, s0, s1, b0, b1, z0, z1);
  storeRow(c + 4 * ldc, rows + 32, c40, c41, s0, s1, b0, b1, z0, z1);
}

/** 4 rows x 8 columns, 16 k a turn. */
export function tile4x8(a: usize, w: usize, k: i32, rows: usize, columns: usize, c: usize, ldc: usize): void {
  let c00 = i32x4.splat(0), c01 = c00;
  let c10 = c00, c11 = c00;
  let c20 = c00, c21 = c00;
  let c30 = c00, c31 = c00;
  for (; k > 0; k -= 16) {
    let w0: v128, w1: v128, four: v128, x: v128;
    w0 = v128.load(w);
    w1 = v128.load(w, 16);
    four = v128.load(a);
    x = spread(four, 0), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    x = spread(four, 1), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    x = spread(four, 2), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
    x = spread(four, 3), c30 = dot4(w0, x, c30), c31 = dot4(w1, x, c31);
    w0 = v128.load(w, 32);
    w1 = v128.load(w, 48);
    four = v128.load(a, 16);
    x = spread(four, 0), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    x = spread(four, 1), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    x = spread(four, 2), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
    x = spread(four, 3), c30 = dot4(w0, x, c30), c31 = dot4(w1, x, c31);
    w0 = v128.load(w, 64);
    w1 = v128.load(w, 80);
    four = v128.load(a, 32);
    x = spread(four, 0), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    x = spread(four, 1), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    x = spread(four, 2), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
    x = spread(four, 3), c30 = dot4(w0, x, c30), c31 = dot4(w1, x, c31);
    w0 = v128.load(w, 96);
    w1 = v128.load(w, 112);
    four = v128.load(a, 48);
    x = spread(four, 0), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    x = spread(four, 1), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    x = spread(four, 2), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
    x = spread(four, 3), c30 = dot4(w0, x, c30), c31 = dot4(w1, x, c31);
    a += 64;
    w += 128;
  }
  const s0 = v128.load(columns), s1 = v128.load(columns, 16);
  const b0 = v128.load(columns, 32), b1 = v128.load(columns, 48);
  const z0 = v128.load(columns, 64), z1 = v128.load(columns, 80);
  storeRow(c, rows, c00, c01, s0, s1, b0, b1, z0, z1);
  storeRow(c + ldc, rows + 8, c10, c11, s0, s1, b0, b1, z0, z1);
  storeRow(c + 2 * ldc, rows + 16, c20, c21, s0, s1, b0, b1, z0, z1);
  storeRow(c + 3 * ldc, rows + 24, c30, c31, s0, s1, b0, b1, z0, z1);
}

/** 3 rows x 8 columns, 16 k a turn. */
export function tile3x8(a: usize, w: usize, k: i32, rows: usize, columns: usize, c: usize, ldc: usize): void {
  let c00 = i32x4.splat(0), c01 = c00;
  let c10 = c00, c11 = c00;
  let c20 = c00, c21 = c00;
  for (; k > 0; k -= 16) {
    let w0: v128, w1: v128, four: v128, x: v128;
    w0 = v128.load(w);
    w1 = v128.load(w, 16);
    four = v128.load(a);
    x = spread(four, 0), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    x = spread(four, 1), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    x = spread(four, 2), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
    w0 = v128.load(w, 32);
    w1 = v128.load(w, 48);
    x = spread(four, 3), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    four = v128.load(a, 16);
    x = spread(four, 0), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    x = spread(four, 1), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
    w0 = v128.load(w, 64);
    w1 = v128.load(w, 80);
    x = spread(four, 2), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    x = spread(four, 3), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    four = v128.load(a, 32);
    x = spread(four, 0), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
    w0 = v128.load(w, 96);
    w1 = v128.load(w, 112);
    x = spread(four, 1), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    x = spread(four, 2), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    x = spread(four, 3), c20 = dot4(w0, x, c20), c21 = dot4(w1, x, c21);
    a += 48;
    w += 128;
  }
  const s0 = v128.load(columns), s1 = v128.load(columns, 16);
  const b0 = v128.load(columns, 32), b1 = v128.load(columns, 48);
  const z0 = v128.load(columns, 64), z1 = v128.load(columns, 80);
  storeRow(c, rows, c00, c01, s0, s1, b0, b1, z0, z1);
  storeRow(c + ldc, rows + 8, c10, c11, s0, s1, b0, b1, z0, z1);
  storeRow(c + 2 * ldc, rows + 16, c20, c21, s0, s1, b0, b1, z0, z1);
}

/** 2 rows x 16 columns in two panels `step` bytes apart, 16 k a turn. */
export function tile2x16(
  a: usize,
  w: usize,
  step: usize,
  k: i32,
  rows: usize,
  columns: usize,
  c: usize,
  ldc: usize,
): void {
  let u = w + step;
  let c00 = i32x4.splat(0), c01 = c00, c02 = c00, c03 = c00;
  let c10 = c00, c11 = c00, c12 = c00, c13 = c00;
  for (; k > 0; k -= 16) {
    let w0: v128, w1: v128, w2: v128, w3: v128, four: v128, x: v128;
    w0 = v128.load(w);
    w1 = v128.load(w, 16);
    w2 = v128.load(u);
    w3 = v128.load(u, 16);
    four = v128.load(a);
    x = spread(four, 0), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    c02 = dot4(w2, x, c02), c03 = dot4(w3, x, c03);
    x = spread(four, 1), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    c12 = dot4(w2, x, c12), c13 = dot4(w3, x, c13);
    w0 = v128.load(w, 32);
    w1 = v128.load(w, 48);
    w2 = v128.load(u, 32);
    w3 = v128.load(u, 48);
    x = spread(four, 2), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    c02 = dot4(w2, x, c02), c03 = dot4(w3, x, c03);
    x = spread(four, 3), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    c12 = dot4(w2, x, c12), c13 = dot4(w3, x, c13);
    w0 = v128.load(w, 64);
    w1 = v128.load(w, 80);
    w2 = v128.load(u, 64);
    w3 = v128.load(u, 80);
    four = v128.load(a, 16);
    x = spread(four, 0), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    c02 = dot4(w2, x, c02), c03 = dot4(w3, x, c03);
    x = spread(four, 1), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    c12 = dot4(w2, x, c12), c13 = dot4(w3, x, c13);
    w0 = v128.load(w, 96);
    w1 = v128.load(w, 112);
    w2 = v128.load(u, 96);
    w3 = v128.load(u, 112);
    x = spread(four, 2), c00 = dot4(w0, x, c00), c01 = dot4(w1, x, c01);
    c02 = dot4(w2, x, c02), c03 = dot4(w3, x, c03);
    x = spread(four, 3), c10 = dot4(w0, x, c10), c11 = dot4(w1, x, c11);
    c12 = dot4(w2, x, c12), c13 = dot4(w3, x, c13);
    a += 32;
    w += 128, u += 128;
  }
  storeAlone(c, rows, columns, c00, c01);
  storeAlone(c + 32, rows, columns + PANEL_PARAMS, c02, c03);
  storeAlone(c + ldc, rows + 8, columns, c10, c11);
  storeAlone(c + ldc + 32, rows + 8, columns + PANEL_PARAMS, c12, c13);
}

/** 1 row x 16 columns in two panels `step` bytes apart, 4 k a turn: what is left of a row's panels. */
export function tile1x16(a: usize, w: usize, step: usize, k: i32, rows: usize, columns: usize, c: usize): void {
  let u = w + step;
  let c0 = i32x4.splat(0), c1 = c0, c2 = c0, c3 = c0;
  for (; k > 0; k -= 4) {
    const x = v128.load32_splat(a);
    c0 = dot4(v128.load(w), x, c0), c1 = dot4(v128.load(w, 16), x, c1);
    c2 = dot4(v128.load(u), x, c2), c3 = dot4(v128.load(u, 16), x, c3);
    a += 4;
    w += 32, u += 32;
  }
  storeAlone(c, rows, columns, c0, c1);
  storeAlone(c + 32, rows, columns + PANEL_PARAMS, c2, c3);
}

/** 1 row x 32 columns in four panels `step` bytes apart: enough independent sums to keep the dot busy. */
export function tile1x32(a: usize, w: usize, step: usize, k: i32, rows: usize, columns: usize, c: usize): void {
  let w1 = w + step, w2 = w1 + step, w3 = w2 + step;
  let c0 = i32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
  for (; k > 0; k -= 8) {
    let x: v128;
    x = v128.load32_splat(a);
    c0 = dot4(v128.load(w, 0), x, c0), c1 = dot4(v128.load(w, 16), x, c1);
    c2 = dot4(v128.load(w1, 0), x, c2), c3 = dot4(v128.load(w1, 16), x, c3);
    c4 = dot4(v128.load(w2, 0), x, c4), c5 = dot4(v128.load(w2, 16), x, c5);
    c6 = dot4(v128.load(w3, 0), x, c6), c7 = dot4(v128.load(w3, 16), x, c7);
    x = v128.load32_splat(a, 4);
    c0 = dot4(v128.load(w, 32), x, c0), c1 = dot4(v128.load(w, 48), x, c1);
    c2 = dot4(v128.load(w1, 32), x, c2), c3 = dot4(v128.load(w1, 48), x, c3);
    c4 = dot4(v128.load(w2, 32), x, c4), c5 = dot4(v128.load(w2, 48), x, c5);
    c6 = dot4(v128.load(w3, 32), x, c6), c7 = dot4(v128.load(w3, 48), x, c7);
    a += 8;
    w += 64, w1 += 64, w2 += 64, w3 += 64;
  }
  storeAlone(c, rows, columns, c0, c1);
  storeAlone(c + 32, rows, columns + PANEL_PARAMS, c2, c3);
  storeAlone(c + 64, rows, columns + 2 * PANEL_PARAMS, c4, c5);
  storeAlone(c + 96, rows, columns + 3 * PANEL_PARAMS, c6, c7);
}
