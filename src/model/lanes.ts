/**
 * The lane budget of int8 weights: what lets an encoder's products be summed in 16 bits and still be exact.
 *
 * Where a processor multiplies bytes fastest, it sums their products in lanes of 16 bits and saturates (x86's `pmaddubsw`).
 * Activations are integers from 0 to `levels`. A lane adds up 2 `depth` products of one row of weights: so if its
 * positive weights sum to at most floor(32767 / levels), and the negative ones' magnitudes too, no sum on the way
 * leaves 16 bits, whatever the activations are. docs/lane_budget.md has the proof.
 *
 * Which weights share a lane follows from how panels are packed (kernels/pairs/dot.ts): in each run of 4 `depth` columns
 * of a row, those whose place is 0 or 1 modulo 4, and those whose place is 2 or 3. Runs begin anew with each head
 * where the columns are those of attention's context, since heads are padded to whole runs.
 *
 * @module
 */
import { ModelError, show } from "../errors.ts";

/** A budget: weights that keep it are multiplied exactly in lanes of 16 bits. */
export interface LaneBudget {
  /** The largest quantized activation: activations are integers from 0 to this. */
  readonly levels: number;
  /** Products of pairs that a lane adds up before it is widened. */
  readonly depth: number;
}

/** The only depth that kernels add up to. */
export const LANE_DEPTH = 4;

/** Columns of a row whose weights make up two lanes. */
export const LANE_RUN = 4 * LANE_DEPTH;

/** The largest sum of magnitudes of one sign that a lane may hold. */
export function laneLimit({ levels }: LaneBudget): number {
  return Math.floor(32767 / levels);
}

/** The lane of a run, 0 or 1, that a column's weight is added up in. */
export function laneOf(column: number): number {
  return (column >> 1) & 1;
}

/** The budget unchanged, or a {@link ModelError} `model/config` that says what is wrong with it. */
export function checkLanes(lanes: LaneBudget): LaneBudget {
  const { levels, depth } = lanes;
  if (!Number.isInteger(levels) || levels < 1 || levels > 255) {
    throw new ModelError(
      "model/config",
      `the lane budget has ${show(levels)} levels; expected an integer from 1 to 255.`,
    );
  }
  if (depth !== LANE_DEPTH) {
    throw new ModelError(
      "model/config",
      `the lane budget is for sums of depth ${show(depth)}; the kernels add up ${LANE_DEPTH}.`,
    );
  }
  return lanes;
}
