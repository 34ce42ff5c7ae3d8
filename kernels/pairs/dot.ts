/**
 * The product that the pairs family stands on: 16 bytes of each operand to eight sums of two, in 16 bits.
 *
 * `i16x8.relaxed_dot_i8x16_i7x16_s` is one instruction on x86 (`pmaddubsw`: second operand unsigned, sums saturate).
 * Lane i holds
 *
 *   w[2 i] a[2 i] + w[2 i + 1] a[2 i + 1]
 *
 * With weights packed `[N/8][K/4][8][4]`, lanes 2 c and 2 c + 1 belong to column c: the first two and the last two of
 * four k. Four steps of a tile's loop are added up in 16 bits before they are widened to 32, which is what makes it fast:
 * a product and an addition for 16 multiplications, and a widening for 64. docs/lane_budget.md proves that nothing is
 * lost where the weights keep their budget.
 *
 * `DOT` is a compile-time constant, as in relaxed/dot.ts: 0 is the instruction itself, the others spell out for
 * tests what an engine makes of it.
 *
 * Source: WebAssembly relaxed-simd proposal, "Relaxed integer dot product".
 */
import { DOT_DOUBLED, DOT_NATIVE, DOT_SATURATING, DOT_SIGNED } from "../contract";

/** Eight int16 ones; loaded and not written as a constant, so that V8 keeps them in a register. */
const ONES: usize = memory.data<i16>([1, 1, 1, 1, 1, 1, 1, 1]);

/** What {@link widened} multiplies by. */
// @ts-ignore: decorator
@inline
export function loadOnes(): v128 {
  return v128.load(ONES);
}

/** Each two 16-bit lanes' sum, in 32 bits. (`extadd_pairwise` is slow in JavaScriptCore.) */
// @ts-ignore: decorator
@inline
export function widened(pairs: v128, ones: v128): v128 {
  return i32x4.dot_i16x8_s(pairs, ones);
}

// @ts-ignore: decorator
@inline
function products(w: v128, a: v128, high: bool, signed: bool): v128 {
  const wide = high ? i16x8.extend_high_i8x16_s(w) : i16x8.extend_low_i8x16_s(w);
  const other = signed
    ? (high ? i16x8.extend_high_i8x16_s(a) : i16x8.extend_low_i8x16_s(a))
    : (high ? i16x8.extend_high_i8x16_u(a) : i16x8.extend_low_i8x16_u(a));
  return i32x4.dot_i16x8_s(wide, other);
}

/** Sums of pairs of products, in 16 bits; w signed, a as `DOT` says. */
// @ts-ignore: decorator
@inline
export function dot2(w: v128, a: v128): v128 {
  // @ts-ignore: DOT is given to the compiler
  if (DOT == DOT_NATIVE) {
    return i16x8.relaxed_dot_i8x16_i7x16_s(w, a);
  } else {
    // @ts-ignore: DOT is given to the compiler
    const signed = DOT == DOT_SIGNED;
    const low = products(w, a, false, signed), high = products(w, a, true, signed);
    // @ts-ignore: DOT is given to the compiler
    const sums = DOT == DOT_SATURATING
      ? i16x8.narrow_i32x4_s(low, high)
      : v128.shuffle<i16>(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
    // @ts-ignore: DOT is given to the compiler
    return DOT == DOT_DOUBLED ? i16x8.add(sums, sums) : sums;
  }
}
