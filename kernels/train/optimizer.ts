/**
 * AdamW with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101), and the gradient's norm.
 *
 *   m = b1 m + (1 - b1) g    v = b2 v + (1 - b2) g^2
 *   p = (1 - rate decay) p - (rate / (1 - b1^t)) m / (sqrt(v / (1 - b2^t)) + epsilon)
 *
 * Element by element, so that no cut can matter. The norm is summed in float64 in blocks of one size, whose sums
 * the caller adds in order.
 */
import { madd } from "../math";
import { AdamwConstants } from "./contract";

/** Moves floats i0 .. i1 (multiples of 4). */
export function adamw(p: usize, g: usize, m: usize, v: usize, c: AdamwConstants, i0: i32, i1: i32): void {
  const factor = f32x4.splat(c.factor), b1 = f32x4.splat(c.beta1), a1 = f32x4.splat(c.oneMinusBeta1);
  const b2 = f32x4.splat(c.beta2), a2 = f32x4.splat(c.oneMinusBeta2), correction = f32x4.splat(c.correction2);
  const epsilon = f32x4.splat(c.epsilon), keep = f32x4.splat(c.keep), rate = f32x4.splat(c.rate);
  for (let i = <usize> i0 << 2, end = <usize> i1 << 2; i < end; i += 16) {
    const gradient = f32x4.mul(v128.load(g + i), factor);
    const first = madd(b1, v128.load(m + i), f32x4.mul(a1, gradient));
    const second = madd(b2, v128.load(v + i), f32x4.mul(a2, f32x4.mul(gradient, gradient)));
    v128.store(m + i, first);
    v128.store(v + i, second);
    const step = f32x4.div(
      f32x4.mul(rate, first),
      f32x4.add(f32x4.sqrt(f32x4.mul(second, correction)), epsilon),
    );
    v128.store(p + i, f32x4.sub(f32x4.mul(v128.load(p + i), keep), step));
  }
}

/** Sum of squares of floats i0 .. i1 (multiples of 4), f64, to `out`. */
export function square_sum(g: usize, out: usize, i0: i32, i1: i32): void {
  let low = f64x2.splat(0), high = low;
  for (let i = <usize> i0 << 2, end = <usize> i1 << 2; i < end; i += 16) {
    const x = v128.load(g + i), y = v128.shuffle<i32>(x, x, 2, 3, 2, 3);
    const a = f64x2.promote_low_f32x4(x), b = f64x2.promote_low_f32x4(y);
    low = f64x2.add(f64x2.mul(a, a), low);
    high = f64x2.add(f64x2.mul(b, b), high);
  }
  const sum = f64x2.add(low, high);
  store<f64>(out, f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1));
}
