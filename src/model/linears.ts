/**
 * The linear layers of an encoder: the one list of them.
 *
 * Whoever packs, streams, quantizes, counts or compares an encoder's linear layers goes through it, be they
 * weights, places in memory or a backend's handles, so that none is forgotten in one place.
 *
 * @module
 */

/** A transformer layer's linear layers, in the order of the forward pass. */
export const LAYER_LINEARS = ["qkv", "attentionOutput", "up", "down"] as const;

/** What an encoder's linear layers are, in any form. */
export interface EncoderLinears<L> {
  /** From the embeddings' width to the hidden state's; undefined if there is none. */
  readonly embeddingProjection: L | undefined;
  /** From the input to the output; one object may occur more than once (ALBERT). */
  readonly layers: readonly Readonly<Record<typeof LAYER_LINEARS[number], L>>[];
  /** Inside a head of two layers; undefined if it has one. */
  readonly headDense?: L | undefined;
  /** To the emissions. */
  readonly classifier: L;
}

/** All linear layers in the order of the forward pass; one that occurs more than once is there more than once. */
export function linearsOf<L>(
  { embeddingProjection, layers, headDense, classifier }: EncoderLinears<L>,
): L[] {
  return [
    ...embeddingProjection === undefined ? [] : [embeddingProjection],
    ...layers.flatMap((layer) => LAYER_LINEARS.map((name) => layer[name])),
    ...headDense === undefined ? [] : [headDense],
    classifier,
  ];
}

/** Whether every matrix is int8 (the word embedding perhaps int4), so that none has to be quantized first. */
export function isQuantized(
  weights: EncoderLinears<{ readonly weight: { readonly type: string } }> & {
    readonly wordEmbedding: { readonly type: string };
  },
): boolean {
  return weights.wordEmbedding.type !== "f32" &&
    linearsOf(weights).every(({ weight }) => weight.type === "i8");
}
