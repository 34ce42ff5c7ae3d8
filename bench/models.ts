/**
 * The models that are measured, by shape; weights come from the package where there is one, else they are
 * random, made from a seed.
 *
 * All start as int8: their float32 form is what the int8 weights stand for, so every engine and every
 * precision runs the same model, and 102,025 rows of vocabulary take a quarter of the memory. Time does
 * not depend on the values; agreement does, so the scales give activations of ordinary size.
 *
 * Weak: random weights make emissions without structure, so what quantization costs in entities cannot be
 * seen on them. The evaluation of real models is another program's work.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import {
  LANE_DEPTH,
  type ModelBundle,
  type ModelConfig,
  quantizeEncoder,
  readPackage,
} from "../mod.ts";
import type { EncoderWeights, I8Matrix, LinearWeights, NormWeights } from "../src/model/weights.ts";
import { dequantizeMatrix, quantizeMatrix4 } from "../src/quantize/matrix.ts";
import { withoutFeatures } from "../src/model/without_lexicons.ts";
import { tokenizerFromJson } from "../src/tokenizer/load.ts";

/** A model to measure. */
export interface BenchModel {
  readonly name: string;
  readonly weights: EncoderWeights;
  /** Where the weights come from. */
  readonly source: string;
}

/** Thirteen labels in BIO: six types, as the default model has. */
const LABELS: readonly string[] = [
  "O",
  ...["MED", "DIS", "ORG", "HOR", "CHE", "SYM"].flatMap((type) => [`B-${type}`, `I-${type}`]),
];

const COMMON = {
  typeVocabSize: 2,
  activation: "gelu",
  layerNormEpsilon: 1e-12,
  labels: LABELS,
  maxPositions: 512,
} as const;

/** Shapes by name: the default model's, and the student of arXiv 2605.25463 with its vocabulary. */
export const SHAPES: Readonly<Record<"default" | "paper" | "smoke", ModelConfig>> = {
  default: {
    ...COMMON,
    hiddenSize: 256,
    embeddingSize: 256,
    layers: 4,
    heads: 4,
    feedForwardSize: 1024,
    vocabSize: 16000,
  },
  paper: {
    ...COMMON,
    hiddenSize: 768,
    embeddingSize: 768,
    layers: 4,
    heads: 12,
    feedForwardSize: 3072,
    vocabSize: 102025,
  },
  /** Every path in no time: odd widths, and an embedding of its own width, in int4. */
  smoke: {
    ...COMMON,
    hiddenSize: 40,
    embeddingSize: 24,
    layers: 2,
    heads: 2,
    feedForwardSize: 72,
    vocabSize: 300,
    maxPositions: 64,
  },
};

const root = new URL("../", import.meta.url);

/** The default model's package, from the repository's root. */
const PACKAGE = "models/meder/meder-int8.safetensors";
const TINY = "test/fixtures/tiny-torchscript/tokenizer.json";

/** Standard deviation of integers spread evenly over -127 .. 127. */
const SPREAD = Math.sqrt((255 * 255 - 1) / 12);

/** 32-bit numbers from a seed (xorshift, Marsaglia 2003): fast enough for a hundred million weights. */
function xorshift(seed: number): () => number {
  return () => {
    seed ^= seed << 13;
    seed ^= seed >>> 17;
    seed ^= seed << 5;
    return seed;
  };
}

/** Random weights of a shape. */
export function randomInt8Weights(config: ModelConfig, seed = 1): EncoderWeights {
  const next = xorshift(seed);
  const { hiddenSize: h, embeddingSize: e, feedForwardSize: f } = config;
  const matrix = (rows: number, columns: number, deviation = 1 / Math.sqrt(columns)): I8Matrix => {
    const words = new Int32Array(Math.ceil(rows * columns / 4));
    for (let i = 0; i < words.length; i++) words[i] = next();
    const data = new Int8Array(words.buffer, 0, rows * columns);
    for (let i = 0; i < data.length; i++) if (data[i] === -128) data[i] = 0;
    return {
      type: "i8",
      rows,
      columns,
      data,
      scales: new Float32Array(rows).fill(deviation / SPREAD),
    };
  };
  const vector = (size: number, mean: number, deviation: number): Float32Array =>
    Float32Array.from({ length: size }, () => mean + deviation * Math.sqrt(12) * next() / 2 ** 32);
  const linear = (rows: number, columns: number): LinearWeights => ({
    weight: matrix(rows, columns),
    bias: vector(rows, 0, 0.1),
  });
  const norm = (width = h): NormWeights => ({
    gamma: vector(width, 1, 0.1),
    beta: vector(width, 0, 0.1),
  });
  return {
    config,
    wordEmbedding: matrix(config.vocabSize, e, 1),
    positionEmbedding: matrix(config.maxPositions, e, 0.3),
    typeEmbedding: matrix(config.typeVocabSize, e, 0.3),
    embeddingNorm: norm(e),
    embeddingProjection: e === h ? undefined : linear(h, e),
    layers: Array.from({ length: config.layers }, () => ({
      qkv: linear(3 * h, h),
      attentionOutput: linear(h, h),
      attentionNorm: norm(),
      up: linear(f, h),
      down: linear(h, f),
      feedForwardNorm: norm(),
    })),
    classifier: linear(config.labels.length, h),
  };
}

/** A file of the repository, or undefined where it is not there. */
async function optional(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(new URL(path, root));
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Levels of the lane budget that random weights keep, as weights do that are converted with one. */
const LEVELS = 181;

/** Weights that keep a lane budget of so many levels, and what was done to them. */
function inLanes(weights: EncoderWeights, levels: number, source: string) {
  const lanes = { levels, depth: LANE_DEPTH };
  return {
    weights: quantizeEncoder(weights, { lanes }).weights,
    source: `${source}, lane budget of ${levels} levels`,
  };
}

/** The model that is in a package, as it is or in lanes of so many levels. */
function packedModel(bytes: Uint8Array, levels: number | undefined) {
  const bundle = readPackage(bytes);
  if (levels === undefined) return { bundle, source: PACKAGE };
  const { weights, source } = inLanes(bundle.weights, levels, PACKAGE);
  return { bundle: { ...bundle, weights }, source };
}

/** A model whose encoder is measured, in lanes of so many levels if that is asked for. */
export async function encoderModel(
  name: keyof typeof SHAPES,
  levels?: number,
): Promise<BenchModel> {
  const packed = name === "default" ? await optional(PACKAGE) : undefined;
  if (packed) {
    const { bundle: { weights }, source } = packedModel(packed, levels);
    // The encoder that other engines can run, too.
    return { name, weights: withoutFeatures(weights), source };
  }
  const random = randomInt8Weights(SHAPES[name]);
  const { weights, source } = inLanes(random, levels ?? LEVELS, "random weights");
  if (name !== "smoke") return { name, weights, source };
  const wordEmbedding = quantizeMatrix4(dequantizeMatrix(weights.wordEmbedding));
  return { name, weights: { ...weights, wordEmbedding }, source };
}

/**
 * A model with a tokenizer, for whole texts. Without the package it is a random encoder under the tests'
 * tiny vocabulary, which cuts Bangla into more tokens than a real one does.
 */
export async function textModel(
  name: keyof typeof SHAPES,
  levels?: number,
): Promise<{ bundle: ModelBundle; source: string }> {
  const packed = name === "default" ? await optional(PACKAGE) : undefined;
  if (packed) return packedModel(packed, levels);
  const tokenizer = tokenizerFromJson(new TextDecoder().decode(await optional(TINY)));
  return {
    bundle: { weights: randomInt8Weights(SHAPES[name]), crf: undefined, tokenizer },
    source: `random weights, tokenizer of ${TINY}`,
  };
}
