/**
 * Derivatives of losses, in float64: softmax cross-entropy of one row, and what a CRF expects of one sequence.
 */
import { exp64, log64 } from "../math64";

/**
 * Softmax cross-entropy of `n` logits at `x`; adds `scale` times its derivative to as many floats at `d`.
 *
 *   loss = log sum_j exp(x_j) - x_target    d loss / d x_j = softmax(x)_j - [j = target]
 */
export function cross_entropy(x: usize, n: i32, target: i32, scale: f64, d: usize): f64 {
  const end = x + (<usize> n << 2);
  let top: f32 = load<f32>(x);
  for (let p = x + 4; p < end; p += 4) top = max<f32>(top, load<f32>(p));
  const high = <f64> top;
  let sum: f64 = 0;
  for (let p = x; p < end; p += 4) sum += exp64(<f64> load<f32>(p) - high);
  const factor = scale / sum;
  for (let p = x, q = d; p < end; p += 4, q += 4) {
    const derivative = factor * exp64(<f64> load<f32>(p) - high);
    store<f32>(q, <f32> (<f64> load<f32>(q) + derivative));
  }
  const at = <usize> target << 2;
  store<f32>(d + at, <f32> (<f64> load<f32>(d + at) - scale));
  return high + log64(sum) - <f64> load<f32>(x + at);
}

// @ts-ignore: decorator
@inline
function at(row: usize, i: i32): f64 {
  return load<f64>(row + (<usize> i << 3));
}

// @ts-ignore: decorator
@inline
function add(row: usize, i: i32, value: f64): void {
  const p = row + (<usize> i << 3);
  store<f64>(p, load<f64>(p) + value);
}

/**
 * Adds `weight` times a sequence's expected counts: the derivative of its log-partition by emissions and parameters.
 *
 *   P(y_t = j) = exp(alpha_t[j] + beta_t[j] - Z)
 *   P(y_(t-1) = i, y_t = j) = exp(alpha_(t-1)[i] + transition[i][j] + emission_t[j] + beta_t[j] - Z)
 *
 * `alpha` (row 0 unused), `beta`, `emissions` and `crf` are those of crf.ts, Z is `partition`. `perLabel` receives
 * `[t][L]`, `parameters` what is laid out as start, end and transition; all f64. Exponents are summed before
 * they are taken, so that no score is too large or too small; what is forbidden (minus infinity) costs nothing.
 */
export function crf_expectations(
  emissions: usize,
  t: i32,
  labels: i32,
  crf: usize,
  alpha: usize,
  beta: usize,
  partition: f64,
  weight: f64,
  perLabel: usize,
  parameters: usize,
): void {
  const width = <usize> labels << 3, transitions = crf + (width << 1), dTransitions = parameters + (width << 1);
  alpha += width;
  for (let s = 0; s < t; s++) {
    for (let j = 0; j < labels; j++) {
      const state = at(alpha, j) + at(beta, j);
      if (state == -Infinity) continue;
      const p = weight * exp64(state - partition);
      add(perLabel, j, p);
      if (s == 0) add(parameters, j, p);
      if (s == t - 1) add(parameters, labels + j, p);
      if (s == 0) continue;
      const after = <f64> load<f32>(emissions + (<usize> j << 2)) + at(beta, j) - partition;
      for (let i = 0; i < labels; i++) {
        const before = at(alpha - width, i);
        if (before == -Infinity) continue;
        add(dTransitions, i * labels + j, weight * exp64(before + at(transitions, i * labels + j) + after));
      }
    }
    alpha += width, beta += width, perLabel += width, emissions += <usize> labels << 2;
  }
}
