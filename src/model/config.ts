/**
 * What an encoder's shapes are, whoever stored them.
 *
 * The graph of a model is the authority on sizes; `config.json` adds what a graph does not say (label
 * names, the head count, the activation). {@link checkConfig} is the single place that decides whether
 * the combination can run.
 *
 * @module
 */
import { ModelError, show } from "../errors.ts";
import { type Activation, checkActivation } from "./activations.ts";

/** The layer inside a head of two: `classifier(activation(dense(hidden)))`, for each token. */
export interface HeadConfig {
  /** Columns between the two. */
  readonly size: number;
  /** What they pass through. */
  readonly activation: Activation;
}

/** Shapes and constants of a BERT-style encoder with a token-classification head. */
export interface ModelConfig {
  /** Width of a token's vector between layers. */
  readonly hiddenSize: number;
  /**
   * Width of the embeddings. Where it differs from `hiddenSize`, a linear projection follows the embeddings'
   * LayerNorm (ELECTRA, ALBERT).
   */
  readonly embeddingSize: number;
  /**
   * Whether that projection is there; absent where the two sizes say so, by differing. ALBERT and RemBERT have
   * one whatever their sizes.
   */
  readonly embeddingProjection?: boolean;
  /** Number of transformer layers. */
  readonly layers: number;
  /** Attention heads; divides `hiddenSize`. */
  readonly heads: number;
  /** Width of the feed-forward network. */
  readonly feedForwardSize: number;
  /** Rows of the word embedding: ids are 0 .. vocabSize - 1. */
  readonly vocabSize: number;
  /** Longest sequence, special tokens included. */
  readonly maxPositions: number;
  /** Rows of the token-type embedding; 0 when the model has none. */
  readonly typeVocabSize: number;
  /** Activation of the feed-forward network. */
  readonly activation: Activation;
  /** Epsilon under the root of every LayerNorm. */
  readonly layerNormEpsilon: number;
  /** Of a head of two layers, the inner one; absent where the classifier reads the hidden state. */
  readonly head?: HeadConfig | undefined;
  /** Features of a token that lexicons give (lexicon.ts); absent in a model without lexicons. */
  readonly features?: number;
  /** Label names by emission column, for instance `["O", "B-MED", "I-MED"]`. */
  readonly labels: readonly string[];
}

/** Largest K of an int8 product whose int32 sum cannot overflow: 2^31 / (255 * 127). */
export const MAX_INNER_SIZE = 66_000;

/** Most features of a token. */
export const MAX_FEATURES = 4096;

/** Whether labels are the same, in the same order. */
export function sameLabels(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((label, i) => label === b[i]);
}

const SIZES = [
  ["hiddenSize", 1, MAX_INNER_SIZE],
  ["embeddingSize", 1, MAX_INNER_SIZE],
  ["layers", 1, 256],
  ["heads", 1, 4096],
  ["feedForwardSize", 1, MAX_INNER_SIZE],
  ["vocabSize", 1, 1 << 24],
  ["maxPositions", 1, 1 << 16],
  ["typeVocabSize", 0, 1 << 16],
] as const;

/** Whether an encoder has a linear projection behind its embeddings' LayerNorm. */
export function hasProjection(
  { embeddingProjection, embeddingSize, hiddenSize }: ModelConfig,
): boolean {
  return embeddingProjection ?? embeddingSize !== hiddenSize;
}

/** Columns that a classifier reads. */
export function classifierInputs({ head, hiddenSize }: ModelConfig): number {
  return head?.size ?? hiddenSize;
}

function checkHead(head: unknown): void {
  if (typeof head !== "object" || head === null || Array.isArray(head)) {
    throw new ModelError(
      "model/config",
      `head is ${show(head)}; expected an object with size and activation, or nothing.`,
    );
  }
  const { size, activation } = head as HeadConfig;
  if (!Number.isInteger(size) || size < 1 || size > MAX_INNER_SIZE) {
    throw new ModelError(
      "model/config",
      `head.size is ${show(size)}; expected an integer from 1 to ${MAX_INNER_SIZE}.`,
    );
  }
  checkActivation(activation);
}

/**
 * Throws a {@link ModelError} (`model/config`) that names the first field that is out of range.
 * Returns the configuration so that it can be used in an expression.
 */
export function checkConfig(config: ModelConfig): ModelConfig {
  for (const [name, low, high] of SIZES) {
    const value = config[name];
    if (!Number.isInteger(value) || value < low || value > high) {
      throw new ModelError(
        "model/config",
        `${name} is ${show(value)}; expected an integer from ${low} to ${high}.`,
      );
    }
  }
  if (config.hiddenSize % config.heads !== 0) {
    throw new ModelError(
      "model/config",
      `hiddenSize ${config.hiddenSize} is not a multiple of heads ${config.heads}; ` +
        "each head needs the same number of columns.",
    );
  }
  const { embeddingProjection, embeddingSize } = config;
  if (embeddingProjection !== undefined && typeof embeddingProjection !== "boolean") {
    throw new ModelError(
      "model/config",
      `embeddingProjection is ${show(embeddingProjection)}; expected true, false or nothing.`,
    );
  }
  if (embeddingProjection === false && embeddingSize !== config.hiddenSize) {
    throw new ModelError(
      "model/config",
      `embeddings of ${embeddingSize} columns need a projection to the hidden size, ` +
        `${config.hiddenSize}, but embeddingProjection is false.`,
    );
  }
  checkActivation(config.activation);
  if (config.head !== undefined) checkHead(config.head);
  const epsilon = config.layerNormEpsilon;
  if (!(epsilon >= 0 && epsilon < 1)) {
    throw new ModelError(
      "model/config",
      `layerNormEpsilon is ${show(epsilon)}; expected a number from 0 to 1.`,
    );
  }
  const { features } = config;
  if (
    features !== undefined &&
    !(Number.isInteger(features) && features >= 1 && features <= MAX_FEATURES)
  ) {
    throw new ModelError(
      "model/config",
      `features is ${show(features)}; expected an integer from 1 to ${MAX_FEATURES}, or nothing.`,
    );
  }
  if (config.labels.length === 0 || config.labels.length > 1024) {
    throw new ModelError(
      "model/config",
      `the model has ${config.labels.length} labels; expected 1 to 1024.`,
    );
  }
  return config;
}
