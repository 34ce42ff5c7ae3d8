/**
 * Lexicon features as the layers read them: a row for each token, with those of its neighbours; and which tables they go
 * through.
 *
 * @module
 */
import { type ModelConfig, sameLabels } from "../model/config.ts";
import type { FeatureTable, FeatureTables, PackedBatch } from "./backend.ts";

/**
 * A model's tables as they are for these labels. What features add to emissions was learnt for the model's own labels, and
 * says nothing of an adapter's others; what they tell the encoder stays.
 */
export function tablesFor<T extends FeatureTable>(
  { labels }: Pick<ModelConfig, "labels">,
  { features, config }: {
    readonly features: { readonly input: T; readonly window: T } | undefined;
    readonly config: ModelConfig;
  },
): FeatureTables<T> | undefined {
  if (features === undefined) return undefined;
  const { input, window } = features;
  return { input, window: sameLabels(labels, config.labels) ? window : undefined };
}

/** Where rows of features lie in a memory of float32; all in floats. */
export interface FeatureRows {
  readonly first: number;
  /** From one row to the next. */
  readonly stride: number;
  /** Floats of a row: three times the features of a token. */
  readonly width: number;
}

/**
 * Writes `[tokens, 3 * features]`: of the token before, of the token itself and of the token behind. Outside of a sequence
 * there are none.
 */
export function placeFeatures(
  memory: Float32Array,
  { first, stride, width }: FeatureRows,
  { ids, offsets, features }: PackedBatch,
): void {
  const count = width / 3;
  memory.fill(0, first, first + ids.length * stride);
  for (let s = 1; s < offsets.length; s++) {
    for (let t = offsets[s - 1]; t < offsets[s]; t++) {
      const own = features!.subarray(t * count, (t + 1) * count), at = first + t * stride;
      if (t > offsets[s - 1]) memory.set(own, at - stride + 2 * count);
      memory.set(own, at + count);
      if (t + 1 < offsets[s]) memory.set(own, at + stride);
    }
  }
}
