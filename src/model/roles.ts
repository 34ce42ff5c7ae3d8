/**
 * Names of an encoder's tensors by role: the single table that a package and a report go by.
 *
 * | name                                 | shape          | role                             |
 * | ------------------------------------ | -------------- | -------------------------------- |
 * | `embeddings.word.weight`             | `[V, E]`       | word embedding                   |
 * | `embeddings.position.weight`         | `[P, E]`       | position embedding               |
 * | `embeddings.type.weight`             | `[T, E]`       | token-type embedding, if any     |
 * | `embeddings.norm.{weight,bias}`      | `[E]`          | LayerNorm of the embeddings' sum |
 * | `embeddings.projection.{…}`          | `[H, E]`       | to the hidden size, where there is one |
 * | `layers.N.attention.qkv.{…}`         | `[3H, H]`      | query, key and value, stacked    |
 * | `layers.N.attention.output.{…}`      | `[H, H]`       | projection of the context        |
 * | `layers.N.attention.norm.{…}`        | `[H]`          | LayerNorm after attention        |
 * | `layers.N.feed_forward.up.{…}`       | `[F, H]`       | first half                       |
 * | `layers.N.feed_forward.down.{…}`     | `[H, F]`       | second half                      |
 * | `layers.N.feed_forward.norm.{…}`     | `[H]`          | LayerNorm after it               |
 * | `head.dense.{…}`                     | `[D, H]`       | inner layer of a head of two     |
 * | `classifier.{weight,bias}`           | `[L, H]`       | emissions; `[L, D]` behind that  |
 * | `features.input.weight`              | `[F, E]`       | what lexicon features add to an embedding, where there are any |
 * | `features.window.weight`             | `[3F, L]`      | what those of three tokens add to emissions |
 *
 * A linear map has `weight` (one row per output) and `bias` (one per row); a LayerNorm has `weight` (gamma) and `bias`
 * (beta). The features' tables are always float32. An int8 `weight` has `weight.scale` beside it, one per row. An int4 word embedding
 * is U8 `[V, ceil(E / 2)]`, two columns a byte, with its scales beside it as well.
 *
 * @module
 */
import { ModelError } from "../errors.ts";
import { classifierInputs, hasProjection, type ModelConfig } from "./config.ts";
import type {
  EncoderWeights,
  F32Matrix,
  LayerWeights,
  LinearWeights,
  Matrix,
  NormWeights,
} from "./weights.ts";

/** Reads or writes each part of an encoder, given its name and shape; what a table is walked with. */
export interface Visitor {
  /** A matrix `[rows, columns]`; `part` is undefined when the encoder is being put together. */
  matrix(name: string, rows: number, columns: number, part?: Matrix): Matrix;
  /** A float32 matrix `[rows, columns]` that is never quantized. */
  table(name: string, rows: number, columns: number, part?: F32Matrix): F32Matrix;
  /** A float32 vector `[size]`. */
  vector(name: string, size: number, part?: Float32Array): Float32Array;
}

/** A part that the configuration does not know of would be left out in silence. */
function checkRoles(config: ModelConfig, weights: EncoderWeights): void {
  const extra = !hasProjection(config) && weights.embeddingProjection !== undefined
    ? "an embedding projection"
    : config.typeVocabSize === 0 && weights.typeEmbedding !== undefined
    ? "a token-type embedding"
    : config.head === undefined && weights.headDense !== undefined
    ? "a head of two layers"
    : config.features === undefined && weights.features !== undefined
    ? "lexicon features"
    : weights.layers.length > config.layers
    ? `${weights.layers.length} layers`
    : undefined;
  if (extra === undefined) return;
  throw new ModelError(
    "model/weights",
    `The encoder has ${extra}, which its configuration does not say; set the configuration to what the ` +
      "weights are.",
  );
}

/**
 * {@link visitEncoder} with an encoder's parts; one that the configuration does not know of is a {@link ModelError}
 * `model/weights`.
 */
export function visitWeights(
  config: ModelConfig,
  visitor: Visitor,
  weights: EncoderWeights,
): EncoderWeights {
  checkRoles(config, weights);
  return visitEncoder(config, visitor, weights);
}

/**
 * Visits every tensor of an encoder of this configuration, in the order of the forward pass, and puts
 * together an encoder from what the visitor returns. With `weights`, the visitor is given their parts, which
 * {@link visitWeights} checks.
 */
export function visitEncoder(
  config: ModelConfig,
  visitor: Visitor,
  weights?: EncoderWeights,
): EncoderWeights {
  const { hiddenSize: H, embeddingSize: E, feedForwardSize: F } = config;
  const linear = (name: string, rows: number, columns: number, part?: LinearWeights) => ({
    weight: visitor.matrix(`${name}.weight`, rows, columns, part?.weight),
    bias: visitor.vector(`${name}.bias`, rows, part?.bias),
  });
  const norm = (name: string, part?: NormWeights, width = H): NormWeights => ({
    gamma: visitor.vector(`${name}.weight`, width, part?.gamma),
    beta: visitor.vector(`${name}.bias`, width, part?.beta),
  });
  const embedding = (name: string, rows: number, part?: Matrix): Matrix =>
    visitor.matrix(`embeddings.${name}.weight`, rows, E, part);

  const types = config.typeVocabSize;
  const wordEmbedding = embedding("word", config.vocabSize, weights?.wordEmbedding);
  const positionEmbedding = embedding("position", config.maxPositions, weights?.positionEmbedding);
  const typeEmbedding = types === 0 ? undefined : embedding("type", types, weights?.typeEmbedding);
  const embeddingNorm = norm("embeddings.norm", weights?.embeddingNorm, E);
  const embeddingProjection = hasProjection(config)
    ? linear("embeddings.projection", H, E, weights?.embeddingProjection)
    : undefined;
  const layers: LayerWeights[] = [];
  for (let i = 0; i < config.layers; i++) {
    const part = weights?.layers[i];
    const name = `layers.${i}`;
    layers.push({
      qkv: linear(`${name}.attention.qkv`, 3 * H, H, part?.qkv),
      attentionOutput: linear(`${name}.attention.output`, H, H, part?.attentionOutput),
      attentionNorm: norm(`${name}.attention.norm`, part?.attentionNorm),
      up: linear(`${name}.feed_forward.up`, F, H, part?.up),
      down: linear(`${name}.feed_forward.down`, H, F, part?.down),
      feedForwardNorm: norm(`${name}.feed_forward.norm`, part?.feedForwardNorm),
    });
  }
  const headDense = config.head && linear("head.dense", config.head.size, H, weights?.headDense);
  const inputs = classifierInputs(config), labels = config.labels.length;
  const classifier = linear("classifier", labels, inputs, weights?.classifier);
  const count = config.features, given = weights?.features;
  const features = count === undefined ? undefined : {
    input: visitor.table("features.input.weight", count, E, given?.input),
    window: visitor.table("features.window.weight", 3 * count, labels, given?.window),
  };
  return {
    config,
    wordEmbedding,
    positionEmbedding,
    typeEmbedding,
    embeddingNorm,
    embeddingProjection,
    layers,
    ...(headDense && { headDense }),
    classifier,
    ...(features && { features }),
  };
}
