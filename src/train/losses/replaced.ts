/**
 * Replaced-token detection (Clark et al., arXiv 2003.10555): logistic loss of one logit a token.
 *
 *   loss = log(1 + e^x) - y x    d loss / d x = 1 / (1 + e^-x) - y
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import type { Loss } from "../types.ts";
import { IGNORED } from "./targets.ts";

/** `replaced[t]` is 1 where token t of the batch was replaced, 0 where it is the original, or {@link IGNORED}. */
export function replacedLoss(replaced: Int32Array): Loss {
  return {
    name: "replaced",
    head: "replaced",
    count: replaced.reduce((count, flag) => count + (flag === IGNORED ? 0 : 1), 0),
    evaluate({ emissions, cotangent, scale, kernels: { exp64, log64 } }): number {
      const { rows, memory } = emissions;
      if (replaced.length !== rows) {
        throw new InputError(
          "input/labels",
          `there are ${replaced.length} flags; the batch has ${rows} tokens.`,
        );
      }
      let loss = 0;
      for (let r = 0; r < rows; r++) {
        const y = replaced[r];
        if (y === IGNORED) continue;
        if (y !== 0 && y !== 1) {
          throw new InputError(
            "input/labels",
            `token ${r} has flag ${y}; expected 0, 1 or ${IGNORED}.`,
          );
        }
        const x = memory[emissions.start + r * emissions.stride];
        // e^-|x| neither overflows nor loses the small side.
        const e = exp64(-Math.abs(x)), probability = (x < 0 ? e : 1) / (1 + e);
        loss += Math.max(x, 0) - y * x + log64(1 + e);
        memory[cotangent.start + r * cotangent.stride] += scale * (probability - y);
      }
      return loss;
    },
  };
}
