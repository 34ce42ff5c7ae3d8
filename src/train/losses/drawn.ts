/**
 * Masked language modelling that also draws a piece for each gap, from what the model believes: how a generator makes
 * the task of replaced-token detection while it learns (Clark et al., arXiv 2003.10555).
 *
 * No probability is computed for it: the derivative of the cross-entropy has them all, softmax(x)_j - [j = target].
 *
 * @module
 */
import type { Random } from "../random.ts";
import type { Loss } from "../types.ts";
import { maskedLoss } from "./cross_entropy.ts";

/** As {@link maskedLoss}; once it was evaluated, `drawn[i]` is a piece for token `tokens[i]`. */
export function drawingLoss(
  tokens: Int32Array,
  pieces: Int32Array,
  random: Random,
): { readonly loss: Loss; readonly drawn: Int32Array } {
  const inner = maskedLoss(tokens, pieces), drawn = new Int32Array(pieces.length);
  const evaluate: Loss["evaluate"] = (input) => {
    // Where nothing is learnt the scale is 0, and the derivative would be, too.
    const scale = input.scale > 0 ? input.scale : 1;
    const sum = inner.evaluate({ ...input, scale });
    const { memory, start, stride, columns } = input.cotangent;
    pieces.forEach((piece, i) => {
      const row = start + i * stride;
      let left = random.uniform(), j = 0;
      for (; j < columns - 1; j++) {
        left -= memory[row + j]! / scale + Number(j === piece);
        if (left < 0) break;
      }
      drawn[i] = j;
    });
    return sum;
  };
  return { loss: { ...inner, name: "masked, drawn from", evaluate }, drawn };
}
