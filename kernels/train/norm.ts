/**
 * Residual, dropout and LayerNorm, forward and backward:
 *
 *   sum = x + drop(update)    y = unit * gamma + beta,  unit = (sum - mean) / sqrt(variance + epsilon)
 *
 *   dSum = (g - mean(g) - unit * mean(g * unit)) / sqrt(variance + epsilon),  g = dy * gamma
 *   dGamma = sum of dy * unit,  dBeta = sum of dy over all rows
 *
 * What is kept for the backward pass is `sum`, from which mean and variance come again: two passes over a row that
 * is in the first-level cache. The forward pass is norm.ts's own, so that its bits are. What belongs to columns (the
 * derivatives by gamma, beta and biases) is cut by columns, so that its sums over rows have one order.
 */
import { F32_DEPTH as DEPTH } from "../contract";
import { padded } from "../layout";
import { horizontalSum, madd } from "../math";
import { normalizeRow } from "../norm";
import { dropRow, drops } from "./philox";
import { DROPS_HIDDEN } from "./contract";

/** Results of {@link findMoments}: a row's mean and 1 / sqrt(variance + epsilon). */
let mean: f32 = 0;
let inverse: f32 = 0;

/** Mean and deviation of a row of n columns, summed as normalizeRow does. */
function findMoments(x: usize, n: i32, epsilon: f32): void {
  const end = x + (<usize> padded(n) << 2), whole = x + (<usize> (n & ~3) << 2);
  let sum0 = f32x4.splat(0), sum1 = sum0;
  for (let p = x; p < end; p += 32) {
    sum0 = f32x4.add(sum0, v128.load(p));
    sum1 = f32x4.add(sum1, v128.load(p, 16));
  }
  mean = horizontalSum(f32x4.add(sum0, sum1)) / <f32> n;
  const means = f32x4.splat(mean);
  let squares = f32x4.splat(0);
  for (let p = x; p < whole; p += 16) {
    const d = f32x4.sub(v128.load(p), means);
    squares = madd(d, d, squares);
  }
  let square = horizontalSum(squares);
  for (let p = whole, last = x + (<usize> n << 2); p < last; p += 4) {
    const d = load<f32>(p) - mean;
    square += d * d;
  }
  inverse = <f32> 1.0 / sqrt<f32>(square / <f32> n + epsilon);
}

/**
 * Rows r0 .. r1 of sum = x + drop(update) and y = LayerNorm(sum); what is dropped becomes 0 in `update`.
 * `site` says which dropout this is; `dropout` (philox.ts) may be 0.
 */
export function add_norm_forward(
  x: usize,
  update: usize,
  sum: usize,
  y: usize,
  n: i32,
  gamma: usize,
  beta: usize,
  epsilon: f32,
  dropout: usize,
  site: u32,
  r0: i32,
  r1: i32,
): void {
  const row = <usize> padded(n) << 2;
  for (let r = r0; r < r1; r++) {
    const o = <usize> r * row;
    if (drops(dropout, DROPS_HIDDEN)) dropRow(dropout, DROPS_HIDDEN, site, r, update + o, padded(n));
    for (let i = o; i < o + row; i += 16) {
      const v = f32x4.add(v128.load(x + i), v128.load(update + i));
      v128.store(sum + i, v);
      v128.store(y + i, v);
    }
    normalizeRow(y + o, n, gamma, beta, epsilon);
  }
}

/** Rows r0 .. r1 of y = drop(LayerNorm(sum)), `sum` being kept. */
export function norm_forward(
  sum: usize,
  y: usize,
  n: i32,
  gamma: usize,
  beta: usize,
  epsilon: f32,
  dropout: usize,
  site: u32,
  r0: i32,
  r1: i32,
): void {
  const width = padded(n), row = <usize> width << 2;
  memory.copy(y + <usize> r0 * row, sum + <usize> r0 * row, <usize> (r1 - r0) * row);
  for (let r = r0; r < r1; r++) {
    normalizeRow(y + <usize> r * row, n, gamma, beta, epsilon);
    if (drops(dropout, DROPS_HIDDEN)) dropRow(dropout, DROPS_HIDDEN, site, r, y + <usize> r * row, width);
  }
}

/**
 * From rows r0 .. r1 of the derivative by y, `dy`, those by x, `dx`, and by the update, `dUpdate`; where nothing is
 * dropped the two are the same and `dUpdate` may be 0. `moments` takes mean and 1 / deviation of each row (f32
 * each), for {@link norm_parameters}.
 */
export function norm_backward(
  dy: usize,
  sum: usize,
  n: i32,
  gamma: usize,
  epsilon: f32,
  moments: usize,
  dx: usize,
  dUpdate: usize,
  dropout: usize,
  site: u32,
  r0: i32,
  r1: i32,
): void {
  const width = padded(n), row = <usize> width << 2;
  for (let r = r0; r < r1; r++) {
    const o = <usize> r * row, end = o + row;
    findMoments(sum + o, n, epsilon);
    store<f32>(moments + (<usize> r << 3), mean);
    store<f32>(moments + (<usize> r << 3), inverse, 4);
    const means = f32x4.splat(mean), inverses = f32x4.splat(inverse);
    let sum1 = f32x4.splat(0), sum2 = sum1;
    for (let i = o, j: usize = 0; i < end; i += 16, j += 16) {
      const g = f32x4.mul(v128.load(dy + i), v128.load(gamma + j));
      const unit = f32x4.mul(f32x4.sub(v128.load(sum + i), means), inverses);
      sum1 = f32x4.add(sum1, g);
      sum2 = madd(g, unit, sum2);
    }
    const mean1 = f32x4.splat(horizontalSum(sum1) / <f32> n), mean2 = f32x4.splat(horizontalSum(sum2) / <f32> n);
    for (let i = o, j: usize = 0; i < end; i += 16, j += 16) {
      const g = f32x4.mul(v128.load(dy + i), v128.load(gamma + j));
      const unit = f32x4.mul(f32x4.sub(v128.load(sum + i), means), inverses);
      v128.store(dx + i, f32x4.mul(inverses, f32x4.sub(f32x4.sub(g, mean1), f32x4.mul(unit, mean2))));
    }
    // The padding took part in nothing.
    for (let i = o + (<usize> n << 2); i < end; i += 4) store<f32>(dx + i, 0);
    if (dUpdate) {
      memory.copy(dUpdate + o, dx + o, row);
      if (drops(dropout, DROPS_HIDDEN)) dropRow(dropout, DROPS_HIDDEN, site, r, dUpdate + o, width);
    }
  }
}

/** Adds two vectors to eight floats. */
// @ts-ignore: decorator
@inline
function addTwo(target: usize, left: v128, right: v128): void {
  v128.store(target, f32x4.add(v128.load(target), left));
  v128.store(target, f32x4.add(v128.load(target, 16), right), 16);
}

/**
 * Adds columns j0 .. j1 (multiples of 16) of the derivatives by gamma and beta (0 for one that is frozen), `count`
 * rows being summed in blocks of DEPTH.
 */
export function norm_parameters(
  dy: usize,
  sum: usize,
  moments: usize,
  count: i32,
  n: i32,
  dGamma: usize,
  dBeta: usize,
  j0: i32,
  j1: i32,
): void {
  const row = <usize> padded(n) << 2;
  for (let t = 0; t < count; t += DEPTH) {
    const first = <usize> t * row, end = <usize> min(t + DEPTH, count) * row;
    for (let j = <usize> j0 << 2; j < <usize> j1 << 2; j += 32) {
      let gamma0 = f32x4.splat(0), gamma1 = gamma0, beta0 = gamma0, beta1 = gamma0;
      for (let i = first + j, m = moments + (<usize> t << 3); i < end; i += row, m += 8) {
        const means = v128.load32_splat(m), inverses = v128.load32_splat(m, 4);
        const d0 = v128.load(dy + i), d1 = v128.load(dy + i, 16);
        gamma0 = madd(d0, f32x4.mul(f32x4.sub(v128.load(sum + i), means), inverses), gamma0);
        gamma1 = madd(d1, f32x4.mul(f32x4.sub(v128.load(sum + i, 16), means), inverses), gamma1);
        beta0 = f32x4.add(d0, beta0), beta1 = f32x4.add(d1, beta1);
      }
      if (dGamma) addTwo(dGamma + j, gamma0, gamma1);
      if (dBeta) addTwo(dBeta + j, beta0, beta1);
    }
  }
}

/** Adds columns j0 .. j1 (multiples of 16) of the sum of rows: the derivative by a bias. */
export function sum_rows(d: usize, n: i32, rows: i32, total: usize, j0: i32, j1: i32): void {
  const row = <usize> padded(n) << 2;
  for (let t = 0; t < rows; t += DEPTH) {
    const first = d + <usize> t * row, end = d + <usize> min(t + DEPTH, rows) * row;
    for (let j = <usize> j0 << 2; j < <usize> j1 << 2; j += 64) {
      let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
      for (let p = first + j; p < end + j; p += row) {
        s0 = f32x4.add(v128.load(p), s0), s1 = f32x4.add(v128.load(p, 16), s1);
        s2 = f32x4.add(v128.load(p, 32), s2), s3 = f32x4.add(v128.load(p, 48), s3);
      }
      const out = total + j;
      v128.store(out, f32x4.add(v128.load(out), s0)), v128.store(out, f32x4.add(v128.load(out, 16), s1), 16);
      v128.store(out, f32x4.add(v128.load(out, 32), s2), 32);
      v128.store(out, f32x4.add(v128.load(out, 48), s3), 48);
    }
  }
}
