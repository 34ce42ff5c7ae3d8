/**
 * Residual addition and LayerNorm of rows, in place: x = (x + y - mean) / sqrt(variance + epsilon) * gamma + beta.
 *
 * The variance is the mean of squared deviations, in a second pass over a row that is in the first-level
 * cache: the one-pass form loses all digits when the mean is large. Source: Ba et al., arXiv 1607.06450.
 */
import { padded } from "./layout";
import { horizontalSum, madd } from "./math";

/** One row of n columns, padded with zeros; gamma and beta are padded with zeros too. */
export function normalizeRow(x: usize, n: i32, gamma: usize, beta: usize, epsilon: f32): void {
  const end = x + (<usize> padded(n) << 2), whole = x + (<usize> (n & ~3) << 2);
  let sum0 = f32x4.splat(0), sum1 = sum0;
  for (let p = x; p < end; p += 32) {
    sum0 = f32x4.add(sum0, v128.load(p));
    sum1 = f32x4.add(sum1, v128.load(p, 16));
  }
  const mean = horizontalSum(f32x4.add(sum0, sum1)) / <f32> n;
  const means = f32x4.splat(mean);
  let squares = f32x4.splat(0);
  for (let p = x; p < whole; p += 16) {
    const d = f32x4.sub(v128.load(p), means);
    squares = madd(d, d, squares);
  }
  let square = horizontalSum(squares);
  // The padding is no part of the row: its deviation from the mean does not count.
  for (let p = whole, last = x + (<usize> n << 2); p < last; p += 4) {
    const d = load<f32>(p) - mean;
    square += d * d;
  }
  const inverse = f32x4.splat(<f32> 1.0 / sqrt<f32>(square / <f32> n + epsilon));
  for (let p = x; p < end; p += 16) {
    const unit = f32x4.mul(f32x4.sub(v128.load(p), means), inverse);
    v128.store(p, madd(unit, v128.load(gamma), v128.load(beta)));
    gamma += 16;
    beta += 16;
  }
}

/** x[i] = LayerNorm(x[i] + y[i]) for rows r0 .. r1 of n columns. */
export function add_norm(
  x: usize,
  y: usize,
  n: i32,
  gamma: usize,
  beta: usize,
  epsilon: f32,
  r0: i32,
  r1: i32,
): void {
  const row = <usize> padded(n) << 2;
  x += <usize> r0 * row;
  y += <usize> r0 * row;
  for (let r = r0; r < r1; r++) {
    for (let i: usize = 0; i < row; i += 16) {
      v128.store(x + i, f32x4.add(v128.load(x + i), v128.load(y + i)));
    }
    normalizeRow(x, n, gamma, beta, epsilon);
    x += row;
    y += row;
  }
}

