/**
 * Activation functions that keep their argument, and their derivatives.
 *
 *   gelu'(x) = Phi(x) + x phi(x), Phi and phi being the normal distribution and its density
 *   tanh'(x) = 1 - tanh(x)^2
 *   gelu_tanh'(x) = s + x s (1 - s) 2 u', where gelu_tanh(x) = x s, s = 1 / (1 + e^(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3)
 *
 * Phi comes from the same rational function as gelu(x) = x Phi(x).
 */
import { ACTIVATION_GELU, ACTIVATION_GELU_TANH, ACTIVATION_TANH } from "../contract";
import { padded } from "../layout";
import { erf4, exp4, gelu4, geluTanh4, madd, tanh4 } from "../math";

/** 1 / sqrt(2 pi). */
const DENSITY: f32 = 0.3989422804014327;

// @ts-ignore: decorator
@inline
function geluDerivative4(x: v128): v128 {
  const density = f32x4.mul(exp4(f32x4.mul(f32x4.mul(x, x), f32x4.splat(-0.5))), f32x4.splat(DENSITY));
  const half = f32x4.splat(0.5);
  return madd(x, density, madd(half, erf4(x), half));
}

/** 2 sqrt(2 / pi), and three times the cubic coefficient. */
const TWICE: f32 = 1.5957691216057308;
const CUBIC: f32 = 0.044715;

// @ts-ignore: decorator
@inline
function geluTanhDerivative4(x: v128): v128 {
  const one = f32x4.splat(1), square = f32x4.mul(x, x);
  const twiceU = f32x4.mul(f32x4.mul(x, f32x4.splat(TWICE)), madd(square, f32x4.splat(CUBIC), one));
  const slope = f32x4.mul(f32x4.splat(TWICE), madd(square, f32x4.splat(3 * CUBIC), one));
  const s = f32x4.div(one, f32x4.add(one, exp4(f32x4.neg(twiceU))));
  const change = f32x4.mul(f32x4.mul(s, f32x4.sub(one, s)), slope);
  return madd(x, change, s);
}

// @ts-ignore: decorator
@inline
function tanhDerivative4(x: v128): v128 {
  const y = tanh4(x);
  return f32x4.sub(f32x4.splat(1), f32x4.mul(y, y));
}

/** Rows r0 .. r1 of y = activation(x), n columns. */
export function activation_forward(x: usize, y: usize, n: i32, activation: i32, r0: i32, r1: i32): void {
  const row = <usize> padded(n) << 2, end = <usize> r1 * row;
  if (activation == ACTIVATION_GELU_TANH) {
    for (let i = <usize> r0 * row; i < end; i += 16) v128.store(y + i, geluTanh4(v128.load(x + i)));
  } else if (activation == ACTIVATION_GELU) {
    for (let i = <usize> r0 * row; i < end; i += 16) v128.store(y + i, gelu4(v128.load(x + i)));
  } else if (activation == ACTIVATION_TANH) {
    for (let i = <usize> r0 * row; i < end; i += 16) v128.store(y + i, tanh4(v128.load(x + i)));
  } else unreachable();
}

/** Rows r0 .. r1 of dx = dy activation'(x), in place of dy. */
export function activation_backward(x: usize, dy: usize, n: i32, activation: i32, r0: i32, r1: i32): void {
  const row = <usize> padded(n) << 2, end = <usize> r1 * row;
  if (activation == ACTIVATION_GELU_TANH) {
    for (let i = <usize> r0 * row; i < end; i += 16) {
      v128.store(dy + i, f32x4.mul(v128.load(dy + i), geluTanhDerivative4(v128.load(x + i))));
    }
  } else if (activation == ACTIVATION_GELU) {
    for (let i = <usize> r0 * row; i < end; i += 16) {
      v128.store(dy + i, f32x4.mul(v128.load(dy + i), geluDerivative4(v128.load(x + i))));
    }
  } else if (activation == ACTIVATION_TANH) {
    for (let i = <usize> r0 * row; i < end; i += 16) {
      v128.store(dy + i, f32x4.mul(v128.load(dy + i), tanhDerivative4(v128.load(x + i))));
    }
  } else unreachable();
}
