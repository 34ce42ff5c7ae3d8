/**
 * Mean squared distance from a teacher's hidden states, layer by layer (Romero et al., arXiv 1412.6550; Jiao et al.,
 * arXiv 1909.10351).
 *
 *   loss = sum over layers and tokens of mean_j (x_j - t_j)^2    d loss / d x_j = 2 (x_j - t_j) / width
 *
 * Weak: teacher and student must be equally wide; there is no learnt map between other widths.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import type { HiddenLoss } from "../types.ts";

/**
 * `teacher[i]`: `[tokens, hiddenSize]`, what the student's layer `layers[i]` (from 1, ascending) is to give. The sum is
 * divided by the number of layers and multiplied by `weight`; `counted[t]` is 0 for a token that is left out.
 */
export function hiddenLoss(
  layers: readonly number[],
  teacher: readonly Float32Array[],
  { weight, counted }: { readonly weight: number; readonly counted: Uint8Array },
): HiddenLoss {
  if (!(weight > 0 && weight < Infinity)) {
    throw new InputError("input/option", `the weight is ${weight}; expected more than 0.`);
  }
  return {
    layers,
    evaluate({ hidden, cotangent, scale }): number {
      let sum = 0;
      hidden.forEach(({ rows, columns, stride, start, memory }, i) => {
        const target = teacher[i]!, d = cotangent[i]!, factor = weight / (layers.length * columns);
        if (target.length !== rows * columns) {
          throw new InputError(
            "input/emissions",
            `the teacher has ${target.length} hidden values for layer ${
              layers[i]
            }; the batch has ` +
              `${rows} tokens and ${columns} columns.`,
          );
        }
        for (let t = 0; t < rows; t++) {
          if (!counted[t]) continue;
          for (let j = 0; j < columns; j++) {
            const difference = memory[start + t * stride + j]! - target[t * columns + j]!;
            sum += factor * difference * difference;
            d[t * stride + j]! += scale * 2 * factor * difference;
          }
        }
      });
      return sum;
    },
  };
}
