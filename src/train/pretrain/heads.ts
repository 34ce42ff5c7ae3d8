/**
 * What stands on an encoder while it is pretrained, and the small encoder that makes its tasks: new, of random weights.
 *
 * @module
 */
import type { ModelConfig } from "../../model/config.ts";
import { freshModel, randomMatrix } from "../loop/start.ts";
import type { MaskedHead, ReplacedHead, TrainableModel } from "../types.ts";
import type { Tokenizer } from "../../tokenizer/types.ts";
import type { F32Matrix } from "../../model/weights.ts";

/** Where the heads' streams of random numbers begin; no encoder has so many matrices. */
const FIRST_PART = 1 << 20;

/** Predicts hidden pieces. */
export function maskedHead(
  { hiddenSize, embeddingSize, vocabSize }: ModelConfig,
  seed: number,
): MaskedHead {
  return {
    dense: {
      weight: randomMatrix(embeddingSize, hiddenSize, seed, FIRST_PART),
      bias: new Float32Array(embeddingSize),
    },
    norm: {
      gamma: new Float32Array(embeddingSize).fill(1),
      beta: new Float32Array(embeddingSize),
    },
    bias: new Float32Array(vocabSize),
  };
}

/** Tells replaced tokens from original ones. */
export function replacedHead({ hiddenSize }: ModelConfig, seed: number): ReplacedHead {
  return {
    dense: {
      weight: randomMatrix(hiddenSize, hiddenSize, seed, FIRST_PART + 1),
      bias: new Float32Array(hiddenSize),
    },
    prediction: {
      weight: randomMatrix(1, hiddenSize, seed, FIRST_PART + 2),
      bias: new Float32Array(1),
    },
  };
}

/** Narrowest generator: below that its heads are too small to tell anything apart. */
const LEAST_WIDTH = 16;

/**
 * An encoder that fills gaps, as deep as `config`'s and a quarter as wide (Clark et al., arXiv 2003.10555): a better one
 * makes a task that is too hard.
 *
 * Weak: its embeddings are its own, where the paper's are the larger encoder's.
 */
export function generatorOf(
  config: ModelConfig,
  tokenizer: Tokenizer,
  seed: number,
): TrainableModel {
  const heads = Math.max(1, Math.round(config.heads / 4));
  const hiddenSize = Math.max(LEAST_WIDTH, Math.round(config.hiddenSize / 4 / heads) * heads);
  const { weights } = freshModel(
    {
      hiddenSize: Math.ceil(hiddenSize / heads) * heads,
      layers: config.layers,
      heads,
      feedForwardSize: Math.max(LEAST_WIDTH, Math.round(config.feedForwardSize / 4)),
      maxPositions: config.maxPositions,
    },
    tokenizer,
    ["O"],
    // Another stream than the encoder's, whose first matrices have the same numbers else.
    (seed ^ 0x5bd1e995) >>> 0,
  );
  const types: F32Matrix = {
    type: "f32",
    rows: 1,
    columns: weights.config.embeddingSize,
    data: new Float32Array(weights.config.embeddingSize),
  };
  return {
    weights: { ...weights, typeEmbedding: weights.typeEmbedding ?? types },
    masked: maskedHead(weights.config, seed),
  };
}
