/**
 * Rounding that minimises a layer's error on sample text, under a lane budget or without.
 *
 * Weights are not rounded each for itself. With C the covariance of the layer's inputs, a row's error e (wanted minus
 * rounded) costs e C e'. Write C = (U + I) D (U + I)' with U strictly upper triangular and D diagonal; then
 *
 *   e C e' = sum over k of D[k] (e[k] + sum over j < k of e[j] U[j, k])^2
 *
 * so when column k is rounded, what the columns before it have done wrong is added to it first, as far as the text says
 * that it can stand in for them. (LDLQ: Chee et al., "QuIP", arXiv 2307.13304, who show that it is what GPTQ computes:
 * Frantar et al., arXiv 2210.17323.) What the inputs' mean makes of the error is constant, and the bias takes it back.
 *
 * Under a budget several scales of a row pass together, and the one that costs least is kept: a finer scale takes steps off
 * more lanes, which other columns can now make up for. A lane's budget is shared out before its run of columns is rounded,
 * where it would be exceeded, so that its last columns are not left with nothing.
 *
 * Of few inputs, columns seem to go together that do not: of n inputs of a width K, what two columns have in common is
 * believed by n / (n + K).
 *
 * Weak: inputs are those of the float32 model; what the layers before have rounded is not seen. Rounding of the inputs
 * themselves enters C as an even noise, which also keeps it positive.
 *
 * @module
 */
import { LANE_RUN, type LaneBudget, laneLimit, laneOf } from "../model/lanes.ts";
import type { F32Matrix, I8Matrix } from "../model/weights.ts";
import { lanesOf, largestLane, trim } from "./lanes.ts";
import { checkRow, largestMagnitude, MAX_Q, roundHalfEven } from "./matrix.ts";
import type { Moments } from "./moments.ts";

/** Scales that are tried under a budget, by the smallest at which no lane exceeds it. */
const SCALES = [1, 0.92, 0.84, 0.76] as const;

/** Variance of the inputs' own rounding, by theirs: steps of 1/181 of a range of some 8 deviations. */
const NOISE = (8 / 181) ** 2 / 12;

/** What all rows of a matrix go by. */
interface Course {
  readonly width: number;
  /** U', row-major below the diagonal. */
  readonly feedback: Float64Array;
  /** D. */
  readonly costs: Float64Array;
  /** Where each run of columns begins and ends. */
  readonly runs: readonly (readonly [start: number, end: number])[];
  /** The largest sum of one sign in a lane. */
  readonly limit: number;
}

/** Takes C = (U + I) D (U + I)' apart: leaves U' in the place of C, and returns D, no element below `least`. */
function decompose(c: Float64Array, width: number, least: number): Float64Array {
  const d = new Float64Array(width);
  for (let k = width - 1; k >= 0; k--) {
    const row = k * width, pivot = Math.max(c[row + k]!, least);
    d[k] = pivot;
    for (let i = 0; i < k; i++) {
      const factor = c[row + i]! / pivot, own = i * width;
      if (factor === 0) continue;
      for (let j = 0; j <= i; j++) c[own + j] = c[own + j]! - factor * c[row + j]!;
    }
    for (let i = 0; i < k; i++) c[row + i] = c[row + i]! / pivot;
  }
  return d;
}

/** The course of a matrix whose inputs are like `moments`, where runs begin anew every `segment` columns. */
function courseOf(moments: Moments, segment: number, limit: number): Course {
  const { width } = moments, feedback = moments.covariance();
  let power = 0;
  for (let k = 0; k < width; k++) power += feedback[k * width + k]!;
  const noise = Math.max(NOISE * power / width, 1e-30);
  const trusted = moments.count / (moments.count + width);
  for (let k = 0; k < width; k++) {
    for (let j = 0; j < k; j++) feedback[k * width + j] = trusted * feedback[k * width + j]!;
    feedback[k * width + k] = feedback[k * width + k]! + noise;
  }
  const runs: [number, number][] = [];
  for (let first = 0; first < width; first += segment) {
    for (let run = 0; run < segment; run += LANE_RUN) {
      runs.push([first + run, first + Math.min(run + LANE_RUN, segment)]);
    }
  }
  return { width, feedback, costs: decompose(feedback, width, noise), runs, limit };
}

function clamped(x: number, least: number, most: number): number {
  return x < least ? least : x > most ? most : x;
}

/** The smallest and largest integers that the columns of a run may be rounded to, so that all have their share. */
function shares(
  wanted: Float64Array,
  scale: number,
  limit: number,
): { least: Int8Array; most: Int8Array } {
  const steps = (i: number): number => wanted[i]! / scale;
  const q = Int8Array.from(wanted, (_, i) => clamped(roundHalfEven(steps(i)), -MAX_Q, MAX_Q));
  const least = new Int8Array(q.length).fill(-MAX_Q), most = new Int8Array(q.length).fill(MAX_Q);
  for (const lane of lanesOf(q.length)) {
    for (const sign of [1, -1] as const) {
      const own = lane.filter((i) => sign * q[i]! > 0);
      const sum = own.reduce((total, i) => total + sign * q[i]!, 0);
      if (sum <= limit) continue;
      trim(q, lane, sign, sum - limit, steps);
      for (const i of own) (sign > 0 ? most : least)[i] = q[i]!;
    }
  }
  return { least, most };
}

/** Sum of a[j] b[row + j] for j in `from` .. `to`; four sums at once, since each addition waits for the one before. */
function product(a: Float64Array, b: Float64Array, row: number, from: number, to: number): number {
  let s0 = 0, s1 = 0, s2 = 0, s3 = 0, j = from;
  for (; j + 3 < to; j += 4) {
    s0 += a[j]! * b[row + j]!;
    s1 += a[j + 1]! * b[row + j + 1]!;
    s2 += a[j + 2]! * b[row + j + 2]!;
    s3 += a[j + 3]! * b[row + j + 3]!;
  }
  for (; j < to; j++) s0 += a[j]! * b[row + j]!;
  return s0 + s1 + (s2 + s3);
}

/** A row at one scale, on its way from the first column to the last. */
class Attempt {
  readonly scale: number;
  readonly q: Int8Array;
  /** What was wanted of each column, minus what it became. */
  readonly #error: Float64Array;
  /** e C e', as far as it has come. */
  cost = 0;

  constructor(scale: number, width: number) {
    this.scale = scale;
    this.q = new Int8Array(width);
    this.#error = new Float64Array(width);
  }

  /** What column k should be, given the errors of columns `from` to `to` as well. */
  #corrected(value: number, { feedback, width }: Course, k: number, from: number, to: number) {
    return value + product(this.#error, feedback, k * width, from, to);
  }

  /** Rounds a run of columns. */
  round(values: Float32Array, course: Course, [start, end]: readonly [number, number]): void {
    const { costs, limit } = course, { scale } = this, wanted = new Float64Array(end - start);
    for (let k = start; k < end; k++) {
      wanted[k - start] = this.#corrected(values[k]!, course, k, 0, start);
    }
    const { least, most } = shares(wanted, scale, limit);
    const above = [limit, limit], below = [-limit, -limit];
    for (let k = start; k < end; k++) {
      const i = k - start, lane = laneOf(i);
      const value = this.#corrected(wanted[i]!, course, k, start, k);
      const low = Math.max(least[i]!, below[lane]!), high = Math.min(most[i]!, above[lane]!);
      const x = clamped(roundHalfEven(value / scale), low, high);
      if (x > 0) above[lane] = above[lane]! - x;
      else below[lane] = below[lane]! - x;
      this.q[k] = x;
      this.#error[k] = values[k]! - x * scale;
      this.cost += costs[k]! * (value - x * scale) ** 2;
    }
  }
}

/** The scales to try for a row. */
function scalesOf(values: Float32Array, segment: number, limit: number): number[] {
  const finest = Math.fround(largestMagnitude(values) / MAX_Q);
  if (limit === Infinity || finest === 0) return [finest];
  const coarse = Math.max(finest, largestLane(values, lanesOf(values.length, segment)) / limit);
  const scales = SCALES.map((factor) => Math.max(finest, Math.fround(coarse * factor)));
  return [...new Set(scales)];
}

/**
 * Quantizes a matrix by what its inputs are like, under a budget if there is one; `segment` is a head's width where
 * columns are those of heads. Returns the matrix and what is to be added to each row's bias.
 */
export function quantizeMatrixSampled(
  matrix: F32Matrix,
  moments: Moments,
  budget: LaneBudget | undefined,
  name = "matrix",
  segment: number = matrix.columns,
): { matrix: I8Matrix; shift: Float32Array } {
  const { rows, columns, data } = matrix, limit = budget ? laneLimit(budget) : Infinity;
  const course = courseOf(moments, segment, limit), mean = moments.mean();
  const out = new Int8Array(rows * columns), scales = new Float32Array(rows);
  const shift = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    checkRow(matrix, row, name);
    const start = row * columns, values = data.subarray(start, start + columns);
    const attempts = scalesOf(values, segment, limit).map((scale) => new Attempt(scale, columns));
    // A row of zeros has scale 0.
    if (attempts[0]!.scale === 0) continue;
    for (const run of course.runs) {
      for (const attempt of attempts) attempt.round(values, course, run);
    }
    const { scale, q } = attempts.reduce((a, b) => b.cost < a.cost ? b : a);
    scales[row] = scale;
    out.set(q, start);
    let constant = 0;
    for (let c = 0; c < columns; c++) constant += (values[c]! - q[c]! * scale) * mean[c]!;
    shift[row] = constant;
  }
  return { matrix: { type: "i8", rows, columns, data: out, scales }, shift };
}
