/**
 * A model as it is where nobody computes lexicon features: in other engines, and beside them.
 *
 * It is the model that sees no term in any text, for no match means features of zeros. It finds less than with its
 * lexicons.
 *
 * @module
 */
import type { ModelBundle } from "./bundle.ts";
import type { EncoderWeights } from "./weights.ts";

/** An encoder without what lexicon features add. */
export function withoutFeatures({ features: _, ...weights }: EncoderWeights): EncoderWeights {
  const { features: __, ...config } = weights.config;
  return { ...weights, config };
}

/** A model without its lexicons; one that has none is returned as it is. */
export function withoutLexicons(bundle: ModelBundle): ModelBundle {
  if (bundle.weights.features === undefined) return bundle;
  const { lexicons: _, ...rest } = bundle;
  return { ...rest, weights: withoutFeatures(bundle.weights) };
}
