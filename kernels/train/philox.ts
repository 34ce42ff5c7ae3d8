/**
 * Dropout from a counter-based generator: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1,
 * 2, 3", SC11, table 2 and figure 4).
 *
 * What is dropped is a function of the seed, the step, the site (which of the model's dropouts), the row and
 * the column, and of nothing that came before: the backward pass, a recomputed layer and any thread find
 * the same answer without one bit of mask being stored.
 *
 * Key: seed, step. Counter: block of columns, row, site, example of the step. Each of a vector's lanes is a
 * generator of its own, so that one call gives 16 numbers.
 */

import { DROPOUT_EXAMPLE, DROPOUT_KINDS } from "./contract";

const M0: u32 = 0xD2511F53;
const M1: u32 = 0xCD9E8D57;
const W0: u32 = 0x9E3779B9;
const W1: u32 = 0xBB67AE85;
const ROUNDS: i32 = 10;

/** The four outputs of {@link philox}, each four generators wide. */
export let random0: v128 = i32x4.splat(0);
export let random1: v128 = i32x4.splat(0);
export let random2: v128 = i32x4.splat(0);
export let random3: v128 = i32x4.splat(0);

/** Philox4x32-10 of four counters at once, all with one key. */
// @ts-ignore: decorator
@inline
export function philox(c0: v128, c1: v128, c2: v128, c3: v128, key0: u32, key1: u32): void {
  const m0 = i32x4.splat(M0), m1 = i32x4.splat(M1);
  for (let round = 0; round < ROUNDS; round++) {
    const low0 = i64x2.extmul_low_i32x4_u(c0, m0), high0 = i64x2.extmul_high_i32x4_u(c0, m0);
    const low2 = i64x2.extmul_low_i32x4_u(c2, m1), high2 = i64x2.extmul_high_i32x4_u(c2, m1);
    c0 = v128.xor(v128.xor(v128.shuffle<i32>(low2, high2, 1, 3, 5, 7), c1), i32x4.splat(key0));
    c2 = v128.xor(v128.xor(v128.shuffle<i32>(low0, high0, 1, 3, 5, 7), c3), i32x4.splat(key1));
    c1 = v128.shuffle<i32>(low2, high2, 0, 2, 4, 6);
    c3 = v128.shuffle<i32>(low0, high0, 0, 2, 4, 6);
    key0 += W0;
    key1 += W1;
  }
  random0 = c0, random1 = c1, random2 = c2, random3 = c3;
}

/** For tests: four counters (`[4][4]` words, word-major) to as many outputs. */
export function philox_block(counters: usize, key0: u32, key1: u32, out: usize): void {
  philox(
    v128.load(counters),
    v128.load(counters, 16),
    v128.load(counters, 32),
    v128.load(counters, 48),
    key0,
    key1,
  );
  v128.store(out, random0);
  v128.store(out, random1, 16);
  v128.store(out, random2, 32);
  v128.store(out, random3, 48);
}

/*
 * What all dropouts of one pass share, at `d`: seed, step, example (u32 each), then for each kind (DROPS_HIDDEN,
 * DROPS_ATTENTION) threshold (u32; a number below it drops) and scale (f32, 1 / (1 - p)).
 */

/** Whether `kind` drops anything; `d` may be 0. */
// @ts-ignore: decorator
@inline
export function drops(d: usize, kind: i32): bool {
  return d != 0 && load<u32>(d + (<usize> kind << 3), DROPOUT_KINDS) != 0;
}

/**
 * Drops of `n` floats (a multiple of 16) at `x`, and scales what stays; `site` and `row` say which floats they
 * are.
 */
export function dropRow(d: usize, kind: i32, site: u32, row: u32, x: usize, n: i32): void {
  const seed = load<u32>(d), step = load<u32>(d, 4), example = v128.load32_splat(d, DROPOUT_EXAMPLE);
  const own = d + DROPOUT_KINDS + (<usize> kind << 3);
  const threshold = v128.load32_splat(own), scale = v128.load32_splat(own, 4);
  const rows = i32x4.splat(row), sites = i32x4.splat(site);
  let block = i32x4(0, 1, 2, 3);
  for (let end = x + (<usize> n << 2); x < end; x += 64) {
    philox(block, rows, sites, example, seed, step);
    v128.store(x, v128.and(f32x4.mul(v128.load(x), scale), i32x4.ge_u(random0, threshold)));
    v128.store(x, v128.and(f32x4.mul(v128.load(x, 16), scale), i32x4.ge_u(random1, threshold)), 16);
    v128.store(x, v128.and(f32x4.mul(v128.load(x, 32), scale), i32x4.ge_u(random2, threshold)), 32);
    v128.store(x, v128.and(f32x4.mul(v128.load(x, 48), scale), i32x4.ge_u(random3, threshold)), 48);
    block = i32x4.add(block, i32x4.splat(4));
  }
}
