/**
 * What training starts from: a model with a head for the data's labels.
 *
 * The encoder is a loaded one's (quantized weights are expanded) or one of random weights, normal with deviation 0.02
 * as BERT's were (Devlin et al., arXiv 1810.04805). A head over the very same labels is kept, CRF and all; any other
 * is new; of a head of two layers, the outer one is.
 *
 * @module
 */
import { checkConfig, classifierInputs, type ModelConfig, sameLabels } from "../../model/config.ts";
import type { ModelBundle } from "../../model/bundle.ts";
import { featureCount, featuresFor, type Lexicons, sameFeatures } from "../../model/lexicon.ts";
import { visitEncoder } from "../../model/roles.ts";
import type { CrfWeights, F32Matrix } from "../../model/weights.ts";
import { dequantizeEncoder } from "../../quantize/encoder.ts";
import { dequantizeMatrix } from "../../quantize/matrix.ts";
import type { Tokenizer } from "../../tokenizer/types.ts";
import { Random } from "../random.ts";
import type { TrainableModel } from "../types.ts";

/** Standard deviation of new weights. */
const DEVIATION = 0.02;

/** A matrix of random numbers; `part` tells matrices apart. */
export function randomMatrix(rows: number, columns: number, seed: number, part: number): F32Matrix {
  const random = new Random(seed, "weights", part);
  const data = Float32Array.from({ length: rows * columns }, () => DEVIATION * random.normal());
  return { type: "f32", rows, columns, data };
}

/** The stream of new features' weights, apart from those of all matrices of an encoder. */
const FEATURES = 0x10000;

function zeroMatrix(rows: number, columns: number): F32Matrix {
  return { type: "f32", rows, columns, data: new Float32Array(rows * columns) };
}

/** Sizes of an encoder that is made of nothing; the rest follows from its tokenizer and the data. */
export type FreshSizes = Pick<
  ModelConfig,
  "hiddenSize" | "layers" | "heads" | "feedForwardSize" | "maxPositions"
>;

/**
 * An encoder of random weights that the seed decides. Throws a ModelError (`model/config`) for sizes that cannot be.
 */
export function freshModel(
  sizes: FreshSizes,
  tokenizer: Tokenizer,
  labels: readonly string[],
  seed: number,
): ModelBundle {
  const config = checkConfig({
    ...sizes,
    embeddingSize: sizes.hiddenSize,
    vocabSize: tokenizer.vocabSize,
    typeVocabSize: 1,
    activation: "gelu",
    layerNormEpsilon: Math.fround(1e-12),
    labels,
  });
  let part = 0;
  const weights = visitEncoder(config, {
    // The head's stream is the first, so that it is the same whatever encoder lies under it.
    matrix: (_, rows, columns) => randomMatrix(rows, columns, seed, ++part),
    table: (_, rows, columns) => randomMatrix(rows, columns, seed, ++part),
    vector: (name, size) => new Float32Array(size).fill(name.endsWith("norm.weight") ? 1 : 0),
  });
  return { weights, crf: undefined, tokenizer };
}

/** How a model is made ready. */
export interface StartOptions {
  /** Label names by emission column. */
  readonly labels: readonly string[];
  /** Whether there is to be a CRF. */
  readonly crf: boolean;
  /** Decides the new head's weights. */
  readonly seed: number;
  /** Lexicons whose features it is to take; what a model has learnt of features that mean the same is kept. */
  readonly lexicons?: Lexicons | undefined;
}

/** A model with a head for these labels, all in float32. */
export function startModel(
  { weights, crf, lexicons: had }: ModelBundle,
  options: StartOptions,
): TrainableModel {
  const { labels, seed, lexicons } = options, inputs = classifierInputs(weights.config);
  const kept = sameLabels(weights.config.labels, labels);
  const classifier = kept
    ? { ...weights.classifier, weight: dequantizeMatrix(weights.classifier.weight) }
    : {
      weight: randomMatrix(labels.length, inputs, seed, 0),
      bias: new Float32Array(labels.length),
    };
  // Written as a checkpoint, a model without token types gets one of zeros: it has it from the beginning, so that a
  // run that is resumed learns what one that went on learns.
  const { features: _, ...sizes } = weights.config, count = lexicons && featureCount(lexicons);
  const config = {
    ...sizes,
    labels,
    typeVocabSize: weights.config.typeVocabSize || 1,
    ...(count !== undefined && { features: count }),
  };
  const { features: taken, ...encoder } = weights;
  const same = had && lexicons && sameFeatures(had, lexicons);
  const features = count === undefined
    ? undefined
    : same && taken
    ? featuresFor(taken, labels, weights.config)
    : {
      input: randomMatrix(count, config.embeddingSize, seed, FEATURES),
      // Nothing is added to emissions until something has been learnt.
      window: zeroMatrix(3 * count, labels.length),
    };
  const types = weights.typeEmbedding ?? {
    type: "f32" as const,
    rows: 1,
    columns: config.embeddingSize,
    data: new Float32Array(config.embeddingSize),
  };
  return {
    weights: dequantizeEncoder({
      ...encoder,
      config,
      typeEmbedding: types,
      classifier,
      ...(features && { features }),
    }),
    ...(options.crf && { crf: kept && crf !== undefined ? crf : noCrf(labels.length) }),
  };
}

/** Every step between labels at the same cost. */
function noCrf(size: number): CrfWeights {
  return {
    start: new Float32Array(size),
    end: new Float32Array(size),
    transitions: new Float32Array(size * size),
  };
}
