/**
 * Keeping some of an encoder's transformer layers.
 *
 * A student is often started from every third layer of its teacher (arXiv 2605.25463 takes 1, 5, 9 and 12
 * of twelve). The layers kept are used as they are: nothing is copied, nothing is rescaled, and a residual
 * stream lets each of them read what an earlier one wrote.
 *
 * Weak: without distillation afterwards the result recognises little. It is a start for training, or a way
 * to measure speed and size before there is a trained model.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import type { EncoderWeights } from "../model/weights.ts";

/**
 * The encoder with these of its layers, counted from 1 as in the paper, in ascending order.
 *
 * @throws {InputError} `input/layers` for a number that is no layer of this encoder, for numbers that do
 * not ascend, and for an empty list
 */
export function chooseLayers(weights: EncoderWeights, layers: readonly number[]): EncoderWeights {
  const count = weights.layers.length;
  if (layers.length === 0) {
    throw new InputError("input/layers", "no layer was named; an encoder needs at least one.");
  }
  layers.forEach((layer, i) => {
    if (!Number.isInteger(layer) || layer < 1 || layer > count) {
      throw new InputError(
        "input/layers",
        `the encoder has no layer ${layer}; its layers are 1 to ${count}.`,
      );
    }
    // An order of its own, or a layer twice, is more likely a slip than a wish.
    if (i > 0 && layer <= layers[i - 1]!) {
      throw new InputError(
        "input/layers",
        `layer ${layer} comes after ${layers[i - 1]}; expected ascending numbers.`,
      );
    }
  });
  return {
    ...weights,
    config: { ...weights.config, layers: layers.length },
    layers: layers.map((layer) => weights.layers[layer - 1]!),
  };
}
