/**
 * The forward pass of a BERT-style encoder with a token-classification head, top to bottom.
 *
 * Post-norm transformer layers as in Devlin et al., arXiv 1810.04805, section 3: each sublayer's output is
 * added to the hidden state and normalized. Written once; what a linear layer or an attention *is* on a
 * given machine is the backend's business. Lexicon features, where a model has them, enter twice: at the embeddings, for
 * the encoder to weigh against the text, and at the emissions, for what needs no weighing.
 *
 * @module
 */
import type { Backend, PackedBatch, Pause } from "./backend.ts";

/**
 * Emissions (pre-CRF logits) of every token of the batch: float32, row-major, `[tokens, labels]`,
 * sequences one after the other as they were packed.
 */
export function encode(
  backend: Backend,
  batch: PackedBatch,
  pause?: Pause,
): Promise<Float32Array> {
  const { embedded, hidden, qkv, context, update, inner, head, emissions } = backend.workspace;
  const { embeddingProjection, headDense, features, config } = backend;
  backend.begin(batch);
  backend.embed(embedded);
  if (features) backend.addFeatures(embedded, features.input);
  if (embeddingProjection) backend.linear(embedded, embeddingProjection, hidden);
  for (const layer of backend.layers) {
    backend.linear(hidden, layer.qkv, qkv);
    backend.attention(qkv, context);
    backend.linear(context, layer.attentionOutput, update);
    backend.addNorm(hidden, update, layer.attentionNorm);

    backend.linear(hidden, layer.up, inner);
    backend.activate(inner, config.activation);
    backend.linear(inner, layer.down, update);
    backend.addNorm(hidden, update, layer.feedForwardNorm);
  }
  if (headDense) {
    backend.linear(hidden, headDense, head);
    backend.activate(head, config.head!.activation);
  }
  backend.linear(head, backend.classifier, emissions);
  if (features?.window) backend.addFeatures(emissions, features.window);
  return backend.read(emissions, pause);
}
