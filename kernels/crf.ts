/**
 * Linear-chain CRF over L labels: Viterbi, forward and backward recursions.
 *
 *   score(y) = start[y0] + sum_t emission[t][y_t] + sum_t transition[y_(t-1)][y_t] + end[y_T]
 *
 * Everything is float64, so that scores are good to 1e-12 of their size and near ties are decided by the
 * emissions, not by rounding. A forbidden step is a transition (or start) of minus infinity.
 *
 * Each recursion works on a block of steps and carries its state to the next, so that memory is bounded by
 * the block and not by the text; the caller keeps the rows it needs.
 * Sources: Lafferty, McCallum and Pereira 2001; Rabiner 1989, section III.
 *
 * Parameter block at `crf`, all f64: start[L], end[L], transition[L][L], exp(transition)[L][L] (contract.ts), NaN in the
 * place of exponentials that products of such could be wrong with.
 * Emissions are float32 `[t][L]` without gaps; rows of scores are float64 `[L]`.
 */
import { CRF_END_ROW, CRF_TRANSITION_ROWS } from "./contract";
import { exp64, log64 } from "./math64";

/** Bytes of the parameter block. */
export function crf_bytes(labels: i32): i32 {
  return (CRF_TRANSITION_ROWS + 2 * labels) * labels * 8;
}

// @ts-ignore: decorator
@inline
function at(row: usize, i: i32): f64 {
  return load<f64>(row + (<usize> i << 3));
}

// @ts-ignore: decorator
@inline
function put(row: usize, i: i32, value: f64): void {
  store<f64>(row + (<usize> i << 3), value);
}

// @ts-ignore: decorator
@inline
function emissionAt(row: usize, i: i32): f64 {
  return <f64> load<f32>(row + (<usize> i << 2));
}

// @ts-ignore: decorator
@inline
function transitionsOf(crf: usize, labels: i32): usize {
  return crf + (<usize> (CRF_TRANSITION_ROWS * labels) << 3);
}

/**
 * Transitions above it are not multiplied as exponentials. A label so far behind the best one that its exponential
 * underflows (708) would be counted as none, although such a transition makes up for it; up to 200 what is lost
 * is below e^-508, beside sums that are above 1e-200 = e^-460: less than one part in 2^53.
 */
const LARGEST_STEP: f64 = 200;

/** Fills exp(transition), once start, end and transition are in place. */
export function crf_prepare(crf: usize, labels: i32): void {
  const transitions = transitionsOf(crf, labels), size = labels * labels;
  for (let i = 0; i < size; i++) {
    const step = at(transitions, i);
    put(transitions, size + i, step > LARGEST_STEP ? NaN : exp64(step));
  }
}

/** e^x, for turning a log score into a probability with the same bits everywhere. */
export function crf_exp(x: f64): f64 {
  return exp64(x);
}

/**
 * Viterbi over a block of t steps. `state` (2 L) holds the best score of a path ending in each label, from
 * the block before and then for the next; if `first`, the sequence begins here. `back` receives, uint16
 * `[t][L]`, the label from which each was reached (row 0 of the first block stays as it was).
 * Of equal scores the lowest label wins.
 */
export function crf_viterbi(
  emissions: usize,
  t: i32,
  labels: i32,
  crf: usize,
  state: usize,
  back: usize,
  first: i32,
): void {
  const transitions = transitionsOf(crf, labels), width = <usize> labels << 3;
  const next = state + width;
  for (let step = 0; step < t; step++) {
    if (first) {
      for (let j = 0; j < labels; j++) put(state, j, at(crf, j) + emissionAt(emissions, j));
      first = 0;
    } else {
      for (let j = 0; j < labels; j++) {
        let column = transitions + (<usize> j << 3);
        let best = at(state, 0) + load<f64>(column), from = 0;
        for (let i = 1; i < labels; i++) {
          column += width;
          const score = at(state, i) + load<f64>(column);
          if (score > best) best = score, from = i;
        }
        put(next, j, best + emissionAt(emissions, j));
        store<u16>(back + (<usize> j << 1), <u16> from);
      }
      memory.copy(state, next, width);
    }
    emissions += <usize> labels << 2;
    back += <usize> labels << 1;
  }
}

// @ts-ignore: decorator
@inline
function largest(row: usize, labels: i32): f64 {
  let high = at(row, 0);
  for (let i = 1; i < labels; i++) high = max<f64>(high, at(row, i));
  return high;
}

/** units[i] = exp(row[i] - high), the shared part of a step's sums. */
// @ts-ignore: decorator
@inline
function exponentials(row: usize, high: f64, labels: i32, units: usize): void {
  for (let i = 0; i < labels; i++) {
    put(units, i, high == -Infinity ? 0 : exp64(at(row, i) - high));
  }
}

/**
 * log sum_i exp(row[i] + step[i * stride]), given the row's exponentials and exp(step) in `steps`. A step
 * then costs L exponentials and not L^2. Where all products underflow although a path exists, or a step is too
 * large for a product, the sum is taken again around its own largest term.
 */
function logSum(
  row: usize,
  high: f64,
  units: usize,
  step: usize,
  steps: usize,
  stride: usize,
  labels: i32,
): f64 {
  let sum: f64 = 0;
  for (let i = 0, o: usize = 0; i < labels; i++, o += stride) {
    sum += at(units, i) * load<f64>(steps + o);
  }
  if (sum > 1e-200 && sum < 1e200) return high + log64(sum);
  let top = -Infinity;
  for (let i = 0, o: usize = 0; i < labels; i++, o += stride) {
    top = max<f64>(top, at(row, i) + load<f64>(step + o));
  }
  if (top == -Infinity) return top;
  sum = 0;
  for (let i = 0, o: usize = 0; i < labels; i++, o += stride) {
    sum += exp64(at(row, i) + load<f64>(step + o) - top);
  }
  return top + log64(sum);
}

/**
 * Forward recursion over a block: row s + 1 of `alpha` (`[t + 1][L]`) becomes the log of the summed weight
 * of all paths ending in each label at step s, its emission included. Row 0 is the last row of the block
 * before; if `first`, the sequence begins here. `scratch` holds L.
 */
export function crf_forward(
  emissions: usize,
  t: i32,
  labels: i32,
  crf: usize,
  alpha: usize,
  scratch: usize,
  first: i32,
): void {
  const width = <usize> labels << 3;
  const transitions = transitionsOf(crf, labels), steps = transitions + <usize> labels * width;
  for (let s = 0; s < t; s++) {
    const next = alpha + width;
    if (first) {
      for (let j = 0; j < labels; j++) put(next, j, at(crf, j) + emissionAt(emissions, j));
      first = 0;
    } else {
      const high = largest(alpha, labels);
      exponentials(alpha, high, labels, scratch);
      for (let j = 0; j < labels; j++) {
        const o = <usize> j << 3;
        const sum = logSum(alpha, high, scratch, transitions + o, steps + o, width, labels);
        put(next, j, sum + emissionAt(emissions, j));
      }
    }
    alpha = next;
    emissions += <usize> labels << 2;
  }
}

/**
 * Backward recursion over a block, last step first: row s of `beta` (`[t][L]`) becomes the log of the summed
 * weight of all that may follow each label at step s, the end included. `state` (L) carries
 * beta + emission of the step after the block; if `last`, the sequence ends here. `scratch` holds L.
 */
export function crf_backward(
  emissions: usize,
  t: i32,
  labels: i32,
  crf: usize,
  beta: usize,
  state: usize,
  scratch: usize,
  last: i32,
): void {
  const width = <usize> labels << 3;
  const transitions = transitionsOf(crf, labels), steps = transitions + <usize> labels * width;
  for (let s = t - 1; s >= 0; s--) {
    const row = beta + <usize> s * width;
    const emission = emissions + (<usize> (s * labels) << 2);
    if (last) {
      for (let j = 0; j < labels; j++) put(row, j, at(crf, CRF_END_ROW * labels + j));
      last = 0;
    } else {
      const high = largest(state, labels);
      exponentials(state, high, labels, scratch);
      for (let i = 0; i < labels; i++) {
        const from = <usize> i * width;
        put(row, i, logSum(state, high, scratch, transitions + from, steps + from, 8, labels));
      }
    }
    for (let j = 0; j < labels; j++) put(state, j, at(row, j) + emissionAt(emission, j));
  }
}

/** Log-partition: log sum_j exp(alpha[j] + end[j]) of the sequence's last forward row. */
export function crf_partition(alpha: usize, labels: i32, crf: usize): f64 {
  const end = crf + (<usize> (CRF_END_ROW * labels) << 3);
  let top = -Infinity;
  for (let j = 0; j < labels; j++) top = max<f64>(top, at(alpha, j) + at(end, j));
  if (top == -Infinity) return top;
  let sum: f64 = 0;
  for (let j = 0; j < labels; j++) sum += exp64(at(alpha, j) + at(end, j) - top);
  return top + log64(sum);
}
