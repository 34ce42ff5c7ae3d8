/**
 * Kullback-Leibler divergence from a teacher's attention to a student's, layer by layer (Sun et al., arXiv 2004.02984).
 *
 *   loss = sum over layers, tokens and heads of sum_j t_j log(t_j / s_j), over the number of heads
 *   d loss / d s_j = -t_j / s_j
 *
 * t and s are the softmax weights of one query. Where both have as many heads, they are compared head by head, since a
 * student begins as a copy of some of its teacher's layers. Where they have not, no head is any other's, and what is
 * compared is the mean over heads, as a whole layer's distribution over tokens.
 *
 * Weights, which add up to 1, are compared and not the scores before the softmax (arXiv 1909.10351), so that a teacher whose scores are large teaches
 * no more than one whose scores are small. Weak: the mean over heads is less than what the heads say.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import type { AttentionLoss } from "../types.ts";

/** Added to a student's weight, so that a weight that float32 cannot tell from 0 gives a finite loss. */
const LEAST = 1e-30;

/** Whose attention is learnt, and how. */
export interface AttentionOptions {
  /** The teacher's heads in a layer. */
  readonly heads: number;
  /** Where sequences begin, and at last where they end. */
  readonly offsets: Int32Array;
  /** 0 for a query that is left out. */
  readonly counted: Uint8Array;
  /** Factor on the loss, above 0. */
  readonly weight: number;
}

/**
 * `teacher[i]`: the teacher's weights, laid out as a trainer's are, that the student's layer `layers[i]` (from 1, ascending) is to
 * have. The sum is divided by the number of layers and multiplied by `weight`.
 *
 * Throws {@link InputError} `input/option` for a weight that is not above 0; its `evaluate` throws `input/emissions` for a teacher of
 * other sequences than the batch's.
 */
export function attentionLoss(
  layers: readonly number[],
  teacher: readonly Float32Array[],
  { heads: theirs, offsets, counted, weight }: AttentionOptions,
): AttentionLoss {
  if (!(weight > 0 && weight < Infinity)) {
    throw new InputError("input/option", `the weight is ${weight}; expected more than 0.`);
  }
  return {
    layers,
    evaluate({ weights, cotangent, heads, scale, kernels }): number {
      const groups = heads === theirs ? heads : 1,
        [ours, their] = [heads / groups, theirs / groups];
      const factor = weight / (layers.length * groups);
      let sum = 0;
      for (const [i, own] of weights.entries()) {
        const target = teacher[i]!, d = cotangent[i]!;
        if (target.length * heads !== own.length * theirs) {
          throw new InputError(
            "input/emissions",
            `the teacher has ${target.length} attention weights of ${theirs} heads for layer ` +
              `${layers[i]}; the batch has ${own.length} of ${heads}.`,
          );
        }
        let squares = 0;
        for (let q = 1; q < offsets.length; q++) {
          const first = offsets[q - 1]!, s = offsets[q]! - first, map = s * s;
          for (let g = 0; g < groups; g++) {
            const mine = squares * heads + g * ours * map;
            const other = squares * theirs + g * their * map;
            for (let at = 0; at < map; at++) {
              if (!counted[first + Math.floor(at / s)]) continue;
              let t = 0, p = 0;
              for (let h = 0; h < their; h++) t += target[other + h * map + at]! / their;
              if (t === 0) continue;
              for (let h = 0; h < ours; h++) p += own[mine + h * map + at]! / ours;
              sum += factor * t * kernels.log64(t / (p + LEAST));
              const change = scale * factor * t / (p + LEAST) / ours;
              for (let h = 0; h < ours; h++) d[mine + h * map + at]! -= change;
            }
          }
          squares += map;
        }
      }
      return sum;
    },
  };
}
