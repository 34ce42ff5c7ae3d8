/**
 * An encoder in GPU memory: its weights, and the tensors of its runs.
 *
 * @module
 */
import type { LaneBudget } from "../../model/lanes.ts";
import type { EncoderWeights, LayerWeights, Matrix } from "../../model/weights.ts";
import type { LayerHandles, Workspace } from "../backend.ts";
import { headPlaces } from "../heads.ts";
import type { GpuPrecision } from "../accelerate.ts";
import {
  type GpuLinear,
  type GpuNorm,
  type GpuTable,
  type GpuTensor,
  type GpuWords,
  padded,
  paddedHead,
} from "./layout.ts";
import type { GpuArray, GpuMemory } from "./memory.ts";
import { type Spread, uploadLinear, uploadNorm, uploadTable, uploadWords } from "./upload.ts";

/** One layer in GPU memory. */
export interface GpuLayer extends LayerHandles {
  readonly qkv: GpuLinear;
  readonly attentionOutput: GpuLinear;
  readonly attentionNorm: GpuNorm;
  readonly up: GpuLinear;
  readonly down: GpuLinear;
  readonly feedForwardNorm: GpuNorm;
}

/** The tensors. */
export type GpuWorkspace = { readonly [K in keyof Workspace]: GpuTensor };

/** Everything of one encoder. */
export interface Placed {
  readonly precision: GpuPrecision;
  /** The budget that int8 weights keep, if they keep one. */
  readonly lanes: LaneBudget | undefined;
  readonly embeddingProjection: GpuLinear | undefined;
  readonly layers: readonly GpuLayer[];
  readonly headDense: GpuLinear | undefined;
  readonly classifier: GpuLinear;
  /** Of a model with lexicon features: their tables, and rows of the features of three tokens. */
  readonly features:
    | { readonly input: GpuTable; readonly window: GpuTable; readonly rows: GpuArray }
    | undefined;
  readonly workspace: GpuWorkspace;
  readonly wordType: Matrix["type"];
  readonly words: readonly GpuWords[];
  /** Rows of positions, the token type's added. */
  readonly positions: GpuArray;
  readonly embeddingNorm: GpuNorm;
  /** Id and position of each token. */
  readonly tokens: GpuArray;
  /** Attention's tiles. */
  readonly tiles: GpuArray;
  /** Activations as bytes, and their rows' scales and zero points, of the product that is next; int8 only. */
  readonly quantized: { readonly bytes: GpuArray; readonly rows: GpuArray } | undefined;
}

/** Makes a tensor for so many tokens. */
export function placeTensor(
  memory: GpuMemory,
  tokens: number,
  width: number,
  { count, places }: Spread = { count: width, places: undefined },
): GpuTensor {
  const pitch = padded(count);
  return { width, pitch, places, array: memory.take(tokens * pitch * 4) };
}

/** Puts an encoder into memory. */
export function placeEncoder(
  memory: GpuMemory,
  weights: EncoderWeights,
  precision: GpuPrecision,
  maxTokens: number,
): Placed {
  const { config, wordEmbedding, positionEmbedding, typeEmbedding } = weights;
  const { hiddenSize: h, feedForwardSize: f, embeddingSize: e } = config;
  const head = paddedHead(config), wide = config.heads * head, labels = config.labels.length;
  const three = { count: 3 * wide, places: headPlaces(config, 3, head) };
  const one = { count: wide, places: headPlaces(config, 1, head) };
  // A layer that occurs more than once (ALBERT) takes memory once.
  const layers = new Map(
    [...new Set(weights.layers)].map((layer): [LayerWeights, GpuLayer] => [layer, {
      qkv: uploadLinear(memory, precision, layer.qkv, { rows: three }),
      attentionOutput: uploadLinear(memory, precision, layer.attentionOutput, { columns: one }),
      attentionNorm: uploadNorm(memory, layer.attentionNorm),
      up: uploadLinear(memory, precision, layer.up),
      down: uploadLinear(memory, precision, layer.down),
      feedForwardNorm: uploadNorm(memory, layer.feedForwardNorm),
    }]),
  );
  const projection = weights.embeddingProjection &&
    uploadLinear(memory, precision, weights.embeddingProjection);
  const headDense = weights.headDense && uploadLinear(memory, precision, weights.headDense);
  const tensor = (width: number, spread?: Spread) => placeTensor(memory, maxTokens, width, spread);
  const hidden = tensor(h), d = config.head?.size ?? 0, count = config.features;
  const widest = Math.max(...[e, h, wide, f, d].map(padded));
  const longest = Math.min(maxTokens, config.maxPositions);
  return {
    precision,
    lanes: weights.lanes,
    embeddingProjection: projection,
    layers: weights.layers.map((layer) => layers.get(layer)!),
    headDense,
    classifier: uploadLinear(memory, precision, weights.classifier),
    features: count === undefined ? undefined : {
      input: {
        width: e,
        window: false,
        array: uploadTable(memory, weights.features!.input),
        first: count,
        count,
      },
      window: {
        width: labels,
        window: true,
        array: uploadTable(memory, weights.features!.window),
        first: 0,
        count: 3 * count,
      },
      rows: memory.take(maxTokens * 3 * count * 4),
    },
    workspace: {
      embedded: projection ? tensor(e) : hidden,
      hidden,
      qkv: tensor(3 * h, three),
      context: tensor(h, one),
      update: tensor(h),
      inner: tensor(f),
      head: headDense ? tensor(d) : hidden,
      emissions: tensor(labels),
    },
    wordType: wordEmbedding.type,
    words: uploadWords(memory, wordEmbedding),
    positions: uploadTable(memory, positionEmbedding, longest, typeEmbedding),
    embeddingNorm: uploadNorm(memory, weights.embeddingNorm),
    tokens: memory.take(maxTokens * 8),
    // Sequences of one token make the most.
    tiles: memory.take(maxTokens * 16),
    quantized: precision !== "int8" ? undefined : {
      bytes: memory.take(maxTokens * widest),
      rows: memory.take(maxTokens * 8),
    },
  };
}
