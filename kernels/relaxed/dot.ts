/**
 * The int8 dot product that the relaxed kernels stand on, and what engines make of it.
 *
 * `i32x4.relaxed_dot_i8x16_i7x16_add_s` multiplies 16 signed bytes by 16 bytes of which the standard
 * promises an answer only for 0..127, and adds each group of four to an int32 lane. Engines differ once
 * the second operand has its top bit set: x86 with VNNI reads it as unsigned and is exact, x86 without
 * VNNI saturates pairs to int16, Arm reads it as signed. The probe (`probe.ts`) tells which; the kernels
 * are written once for all, because the first two facts below make the difference a matter of one bit:
 *
 *  - bytes read as unsigned carry q, bytes read as signed carry q - 128 when bit 7 is flipped;
 *  - the zero point leaves the sum through `zeroPoint * sum(w)`, whichever origin the bytes have.
 *
 * `DOT` is a compile-time constant. The shipped module has `DOT = 0`, the instruction itself. The others
 * spell an engine's behaviour out in baseline SIMD, so that tests can run the same kernels under each.
 *
 * Source: WebAssembly relaxed-simd proposal, "Relaxed integer dot product".
 */

import { DOT_DOUBLED, DOT_NATIVE, DOT_SATURATING, DOT_SIGNED } from "../contract";

// @ts-ignore: decorator
@inline
function pairSums(w: v128, a: v128, high: bool, signed: bool): v128 {
  const wide = high ? i16x8.extend_high_i8x16_s(w) : i16x8.extend_low_i8x16_s(w);
  const other = signed
    ? (high ? i16x8.extend_high_i8x16_s(a) : i16x8.extend_low_i8x16_s(a))
    : (high ? i16x8.extend_high_i8x16_u(a) : i16x8.extend_low_i8x16_u(a));
  return i32x4.dot_i16x8_s(wide, other);
}

// @ts-ignore: decorator
@inline
function saturate16(x: v128): v128 {
  return i32x4.max_s(i32x4.min_s(x, i32x4.splat(32767)), i32x4.splat(-32768));
}

/** `acc[i] + w[4i] a[4i] + ... + w[4i+3] a[4i+3]`; w signed, a as `DOT` says. */
// @ts-ignore: decorator
@inline
export function dot4(w: v128, a: v128, acc: v128): v128 {
  // @ts-ignore: DOT is given to the compiler
  if (DOT == DOT_NATIVE) {
    return i32x4.relaxed_dot_i8x16_i7x16_add_s(w, a, acc);
  } else {
    // @ts-ignore: DOT is given to the compiler
    const signed = DOT == DOT_SIGNED;
    let low = pairSums(w, a, false, signed), high = pairSums(w, a, true, signed);
    // @ts-ignore: DOT is given to the compiler
    if (DOT == DOT_SATURATING) {
      low = saturate16(low);
      high = saturate16(high);
    }
    const even = v128.shuffle<i32>(low, high, 0, 2, 4, 6);
    const odd = v128.shuffle<i32>(low, high, 1, 3, 5, 7);
    const sum = i32x4.add(even, odd);
    // @ts-ignore: DOT is given to the compiler
    return i32x4.add(acc, DOT == DOT_DOUBLED ? i32x4.add(sum, sum) : sum);
  }
}
