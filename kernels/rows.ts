/**
 * One row of activations on its way to int8: the activation function in place, then its range.
 *
 * Dynamic quantization per token, asymmetric: real = scale * (q - zeroPoint), q in 0..levels, which is 255 or, for
 * weights with a lane budget, what the model says. The range always includes 0, so that 0 is exact. A GELU's output (never below -0.17) would waste half of a
 * symmetric range; the zero point costs one multiply per output vector, and nothing in the baseline.
 */
import { ACTIVATION_GELU, ACTIVATION_GELU_TANH, ACTIVATION_TANH } from "./contract";
import { gelu4, geluTanh4, horizontalMax, horizontalSum, tanh4 } from "./math";

/** Applies `activation` to `n` floats (a multiple of 8) in place. */
export function activateRow(x: usize, n: i32, activation: i32): void {
  const end = x + (<usize> n << 2);
  if (activation == ACTIVATION_GELU) {
    for (let p = x; p < end; p += 32) {
      v128.store(p, gelu4(v128.load(p)));
      v128.store(p, gelu4(v128.load(p, 16)), 16);
    }
  } else if (activation == ACTIVATION_GELU_TANH) {
    for (let p = x; p < end; p += 16) v128.store(p, geluTanh4(v128.load(p)));
  } else if (activation == ACTIVATION_TANH) {
    for (let p = x; p < end; p += 16) v128.store(p, tanh4(v128.load(p)));
  }
}

/** Results of {@link rowRange}: what to multiply by, and what one step stands for. */
export let rowInverse: f32 = 0;
export let rowScale: f32 = 0;
export let rowZeroPoint: i32 = 0;

/**
 * Finds scale and zero point of a row of `n` floats (a multiple of 16), for integers from 0 to `levels`.
 * A row that holds a NaN or an infinity gets scale NaN, so that it cannot pass for a result.
 */
export function rowRange(x: usize, n: i32, levels: f32): void {
  const end = x + (<usize> n << 2);
  let high0 = f32x4.splat(0), high1 = high0, low0 = high0, low1 = high0, zero0 = high0, zero1 = high0;
  for (let p = x; p < end; p += 32) {
    const a = v128.load(p), b = v128.load(p, 16);
    high0 = f32x4.pmax(high0, a);
    high1 = f32x4.pmax(high1, b);
    low0 = f32x4.pmin(low0, a);
    low1 = f32x4.pmin(low1, b);
    zero0 = f32x4.add(zero0, f32x4.mul(a, f32x4.splat(0)));
    zero1 = f32x4.add(zero1, f32x4.mul(b, f32x4.splat(0)));
  }
  const high = horizontalMax(f32x4.pmax(high0, high1));
  const low = -horizontalMax(f32x4.neg(f32x4.pmin(low0, low1)));
  // pmin and pmax skip a NaN; 0 times a NaN or an infinity does not.
  const zero = horizontalSum(f32x4.add(zero0, zero1));
  // Between the bounds neither the step nor its inverse overflows or vanishes.
  const range = min<f32>(max<f32>(high - low, 1e-30), 3e38);
  rowInverse = levels / range;
  rowScale = zero == 0 ? range / levels : NaN;
  rowZeroPoint = <i32> nearest<f32>(-low * rowInverse);
}
