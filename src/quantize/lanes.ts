/**
 * One float32 matrix to int8 under a lane budget (src/model/lanes.ts): what lets processors without an exact dot
 * product sum in 16 bits.
 *
 * A row's scale is the smallest at which no lane exceeds the budget, or the one that makes its largest weight 127. Rounding
 * may leave a lane some steps above its budget: they come off where that costs least. A finer scale, with more steps taken
 * off, was tried and gains nothing: what a lane's weights lose together costs more than all other weights gain.
 *
 * Only + - * / and `Math.fround` are used, in a fixed order, so every engine gives the same bytes.
 *
 * Weak: the error of a row's weights is taken for the error of its results, as if inputs were all alike and
 * independent. Sample text knows better (rounding.ts).
 *
 * @module
 */
import { LANE_RUN, type LaneBudget, laneLimit, laneOf } from "../model/lanes.ts";
import type { F32Matrix, I8Matrix } from "../model/weights.ts";
import { checkRow, largestMagnitude, MAX_Q, roundHalfEven } from "./matrix.ts";

/** Columns of one row by the lane that they are summed in. */
export type Lanes = readonly Int32Array[];

/** The lanes of a row, where runs begin anew every `segment` columns. */
export function lanesOf(columns: number, segment: number = columns): Lanes {
  const lanes: number[][] = [];
  for (let start = 0; start < columns; start += segment) {
    for (let run = 0; run < segment; run += LANE_RUN) {
      const own: [number[], number[]] = [[], []];
      for (let i = run; i < Math.min(run + LANE_RUN, segment); i++) own[laneOf(i)].push(start + i);
      lanes.push(...own);
    }
  }
  return lanes.filter((lane) => lane.length > 0).map((lane) => Int32Array.from(lane));
}

/** The largest sum of one sign's magnitudes in a lane. */
export function largestLane(values: Float32Array, lanes: Lanes): number {
  let largest = 0;
  for (const lane of lanes) {
    let positive = 0, negative = 0;
    for (const c of lane) {
      if (values[c]! > 0) positive += values[c]!;
      else negative -= values[c]!;
    }
    largest = Math.max(largest, positive, negative);
  }
  return largest;
}

/** Takes steps of one sign off a lane's integers until they sum to `limit`, each where it costs least. */
export function trim(
  q: Int8Array,
  lane: Int32Array,
  sign: 1 | -1,
  excess: number,
  wanted: (column: number) => number,
): void {
  for (; excess > 0; excess--) {
    let place = -1, most = -Infinity;
    for (const c of lane) {
      if (sign * q[c]! <= 0) continue;
      const above = sign * (q[c]! - wanted(c));
      if (above > most) {
        most = above;
        place = c;
      }
    }
    q[place] = q[place]! - sign;
  }
}

/** Quantizes one row into `q`; returns its scale. */
function quantizeRow(values: Float32Array, lanes: Lanes, limit: number, q: Int8Array): number {
  const finest = Math.fround(largestMagnitude(values) / MAX_Q);
  if (finest === 0) return 0;
  const scale = Math.max(finest, Math.fround(largestLane(values, lanes) / limit));
  const wanted = (column: number): number => values[column]! / scale;
  for (const lane of lanes) {
    let positive = 0, negative = 0;
    for (const c of lane) {
      const rounded = roundHalfEven(wanted(c));
      const x = rounded > MAX_Q ? MAX_Q : rounded < -MAX_Q ? -MAX_Q : rounded;
      q[c] = x;
      if (x > 0) positive += x;
      else negative -= x;
    }
    if (positive > limit) trim(q, lane, 1, positive - limit, wanted);
    if (negative > limit) trim(q, lane, -1, negative - limit, wanted);
  }
  return scale;
}

/**
 * Quantizes a matrix whose rows keep a lane budget; the result has one scale per row. Where columns are those of heads,
 * `segment` is a head's width. Rows of zeros, and the errors, are as with `quantizeMatrix`.
 */
export function quantizeMatrixLanes(
  matrix: F32Matrix,
  budget: LaneBudget,
  name = "matrix",
  segment: number = matrix.columns,
): I8Matrix {
  const { rows, columns, data } = matrix, limit = laneLimit(budget);
  const lanes = lanesOf(columns, segment);
  const out = new Int8Array(rows * columns), scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    checkRow(matrix, row, name);
    const start = row * columns, end = start + columns;
    scales[row] = quantizeRow(data.subarray(start, end), lanes, limit, out.subarray(start, end));
  }
  return { type: "i8", rows, columns, data: out, scales };
}

/** The largest sum of one sign's magnitudes in a lane of an int8 matrix. */
export function largestLaneSum(
  { rows, columns, data }: I8Matrix,
  segment: number = columns,
): number {
  const lanes = lanesOf(columns, segment);
  let largest = 0;
  for (let start = 0; start < rows * columns; start += columns) {
    for (const lane of lanes) {
      let positive = 0, negative = 0;
      for (const c of lane) {
        const x = data[start + c]!;
        if (x > 0) positive += x;
        else negative -= x;
      }
      largest = Math.max(largest, positive, negative);
    }
  }
  return largest;
}
