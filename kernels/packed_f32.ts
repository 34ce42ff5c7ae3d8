/**
 * The tile of float32 products whose sides are both packed: four rows to `[k][4]`, eight columns to `[k][8]`.
 *
 * It never broadcasts: it multiplies eight columns by the four rows as they lie, turns the rows by one lane, and
 * multiplies again, four times; each accumulator gathers a diagonal, and the diagonals are sorted out once at the end.
 * That is 3 loads and 3 shuffles for 8 multiply-adds where a tile that broadcasts (gemm_f32.ts) has 6 loads, each with
 * its bounds check. Every output is one sum over k in ascending order, and multiply and add stay separate.
 *
 * Weak where few rows come: one to three take the time of four.
 */
import { PANEL } from "./contract";
import { madd } from "./math";
import { storeTransposed } from "./transpose";

/** Rows that a tile computes. */
export const ROWS: i32 = 4;

/** What a tile does with what is in C: replaces it, carries its sum on, or adds its own to it. */
export const REPLACE: i32 = 0;
export const CARRY_ON: i32 = 1;
export const ADD: i32 = 2;

/** Steps of p in one turn of the tile's loop; panels are padded with zeros to a multiple of it. */
const UNROLL: i32 = 4;

/** k rounded up to whole turns of the loop. */
// @ts-ignore: decorator
@inline
export function wholeTurns(k: i32): i32 {
  return (k + UNROLL - 1) & ~(UNROLL - 1);
}

// @ts-ignore: decorator
@inline
function turn(v: v128): v128 {
  return v128.shuffle<i32>(v, v, 1, 2, 3, 0);
}

/** The row of which each of four diagonals holds one lane: d0 lane 0, d3 lane 1, d2 lane 2, d1 lane 3. */
// @ts-ignore: decorator
@inline
function diagonal(d0: v128, d1: v128, d2: v128, d3: v128): v128 {
  return v128.shuffle<i64>(v128.shuffle<i32>(d0, d3, 0, 5, 0, 5), v128.shuffle<i32>(d2, d1, 2, 7, 2, 7), 0, 2);
}

/**
 * 4 rows x 8 columns: `r` is `[k][4]`, `s` is `[k][8]`, k a multiple of UNROLL. Reads (by `mode`) and writes the first
 * `rows` rows of `c`, `ldc` bytes apart; `bias` may be 0 for none.
 */
function tile4x8(r: usize, s: usize, k: i32, rows: i32, bias: usize, mode: i32, c: usize, ldc: usize): void {
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  if (mode == CARRY_ON) {
    // Rows to diagonals; one that is not there repeats the last.
    const c1 = rows > 1 ? c + ldc : c, c2 = rows > 2 ? c1 + ldc : c1, c3 = rows > 3 ? c2 + ldc : c2;
    let x0 = v128.load(c), x1 = v128.load(c1), x2 = v128.load(c2), x3 = v128.load(c3);
    a0 = diagonal(x0, x3, x2, x1), a1 = diagonal(x1, x0, x3, x2);
    a2 = diagonal(x2, x1, x0, x3), a3 = diagonal(x3, x2, x1, x0);
    x0 = v128.load(c, 16), x1 = v128.load(c1, 16), x2 = v128.load(c2, 16), x3 = v128.load(c3, 16);
    b0 = diagonal(x0, x3, x2, x1), b1 = diagonal(x1, x0, x3, x2);
    b2 = diagonal(x2, x1, x0, x3), b3 = diagonal(x3, x2, x1, x0);
  }
  for (let end = s + (<usize> k << 5); s < end; s += 32 * UNROLL, r += 16 * UNROLL) {
    let x = v128.load(r), left = v128.load(s), right = v128.load(s, 16);
    a0 = madd(left, x, a0), b0 = madd(right, x, b0), x = turn(x);
    a1 = madd(left, x, a1), b1 = madd(right, x, b1), x = turn(x);
    a2 = madd(left, x, a2), b2 = madd(right, x, b2), x = turn(x);
    a3 = madd(left, x, a3), b3 = madd(right, x, b3);
    x = v128.load(r, 16), left = v128.load(s, 32), right = v128.load(s, 48);
    a0 = madd(left, x, a0), b0 = madd(right, x, b0), x = turn(x);
    a1 = madd(left, x, a1), b1 = madd(right, x, b1), x = turn(x);
    a2 = madd(left, x, a2), b2 = madd(right, x, b2), x = turn(x);
    a3 = madd(left, x, a3), b3 = madd(right, x, b3);
    x = v128.load(r, 32), left = v128.load(s, 64), right = v128.load(s, 80);
    a0 = madd(left, x, a0), b0 = madd(right, x, b0), x = turn(x);
    a1 = madd(left, x, a1), b1 = madd(right, x, b1), x = turn(x);
    a2 = madd(left, x, a2), b2 = madd(right, x, b2), x = turn(x);
    a3 = madd(left, x, a3), b3 = madd(right, x, b3);
    x = v128.load(r, 48), left = v128.load(s, 96), right = v128.load(s, 112);
    a0 = madd(left, x, a0), b0 = madd(right, x, b0), x = turn(x);
    a1 = madd(left, x, a1), b1 = madd(right, x, b1), x = turn(x);
    a2 = madd(left, x, a2), b2 = madd(right, x, b2), x = turn(x);
    a3 = madd(left, x, a3), b3 = madd(right, x, b3);
  }
  let left = f32x4.splat(0), right = left;
  if (bias) left = v128.load(bias), right = v128.load(bias, 16);
  for (let t = 0; t < rows; t++, c += ldc) {
    const x = diagonal(a0, a1, a2, a3), y = diagonal(b0, b1, b2, b3);
    v128.store(c, f32x4.add(x, mode == ADD ? v128.load(c) : left));
    v128.store(c, f32x4.add(y, mode == ADD ? v128.load(c, 16) : right), 16);
    // The next row's diagonals begin one further on.
    let first = a0;
    a0 = a1, a1 = a2, a2 = a3, a3 = first;
    first = b0, b0 = b1, b1 = b2, b2 = b3, b3 = first;
  }
}

/** Four rows of `words` words (a multiple of 4), `stride` bytes apart, to `[words][4]`; of fewer, the last again. */
function packBlock(source: usize, stride: usize, rows: i32, words: i32, target: usize): void {
  const second = rows > 1 ? stride : 0, third = rows > 2 ? second + stride : second;
  const fourth = rows > 3 ? third + stride : third;
  for (let p = source, end = source + (<usize> words << 2); p < end; p += 16, target += 64) {
    const r0 = v128.load(p), r1 = v128.load(p + second), r2 = v128.load(p + third), r3 = v128.load(p + fourth);
    storeTransposed(r0, r1, r2, r3, target, 16);
  }
}

/** All rows of a packed left side by one packed panel of columns. */
// @ts-ignore: decorator
@inline
export function multiplyPanel(left: usize, right: usize, k: i32, rows: i32, bias: usize, mode: i32, c: usize, ldc: usize): void {
  for (let i = 0; i < rows; i += ROWS) {
    tile4x8(left, right, k, min(ROWS, rows - i), bias, mode, c, ldc);
    left += <usize> (ROWS * k) << 2;
    c += <usize> ROWS * ldc;
  }
}

/** Rows i0 .. i1 of x, `depth` columns, as left sides of tiles. */
// @ts-ignore: decorator
@inline
export function packRows(x: usize, ldx: usize, i0: i32, i1: i32, depth: i32, left: usize): void {
  for (let i = i0; i < i1; i += ROWS) {
    packBlock(x + <usize> i * ldx, ldx, min(ROWS, i1 - i), depth, left + (<usize> ((i - i0) * depth) << 2));
  }
}

