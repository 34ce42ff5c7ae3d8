/**
 * Softmax cross-entropy: of labels, and of word pieces behind a mask.
 *
 *   loss = log sum_j exp(x_j) - x_target    d loss / d x_j = softmax(x)_j - [j = target]
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import type { Loss, LossInput } from "../types.ts";
import { IGNORED } from "./targets.ts";

/** Label of every token of the batch, or {@link IGNORED}; the mean is over those that have one. */
export function crossEntropyLoss(labels: Int32Array): Loss {
  return {
    name: "cross entropy",
    head: "labels",
    count: labels.reduce((count, label) => count + (label === IGNORED ? 0 : 1), 0),
    evaluate: (input) => evaluate(input, labels),
  };
}

/**
 * Masked language modelling (Devlin et al., arXiv 1810.04805): `pieces[i]` is the id that token `tokens[i]` (ascending) of
 * the batch had before it was masked.
 */
export function maskedLoss(tokens: Int32Array, pieces: Int32Array): Loss {
  return {
    name: "masked",
    head: "masked",
    rows: tokens,
    count: tokens.length,
    evaluate: (input) => evaluate(input, pieces),
  };
}

function evaluate(
  { emissions, cotangent, scale, kernels }: LossInput,
  targets: Int32Array,
): number {
  const { rows, columns, start, stride } = emissions;
  if (targets.length !== rows) {
    throw new InputError(
      "input/labels",
      `there are ${targets.length} targets; expected ${rows}, one for each row of emissions.`,
    );
  }
  let loss = 0;
  for (let r = 0; r < rows; r++) {
    const target = targets[r];
    if (target === IGNORED) continue;
    if (!(target >= 0 && target < columns)) {
      throw new InputError(
        "input/labels",
        `row ${r} has target ${target}; expected 0 to ${
          columns - 1
        }, or ${IGNORED} to leave it out.`,
      );
    }
    const x = 4 * (start + r * stride), d = 4 * (cotangent.start + r * cotangent.stride);
    loss += kernels.cross_entropy(x, columns, target, scale, d);
  }
  return loss;
}
