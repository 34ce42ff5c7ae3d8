/**
 * Where everything of one encoder goes, settled before there is memory.
 *
 * @module
 */
import { classifierInputs } from "../../model/config.ts";
import type { LaneBudget } from "../../model/lanes.ts";
import type { EncoderWeights, LayerWeights, Matrix } from "../../model/weights.ts";
import type { LayerHandles, Workspace } from "../backend.ts";
import { headPlaces } from "../heads.ts";
import { Arena } from "../../kernels/memory.ts";
import {
  padded,
  paddedHead,
  placeLinear,
  placeNorm,
  placeTable,
  placeTensor,
  type Precision,
  type WasmLinear,
  type WasmNorm,
  type WasmTable,
  type WasmTensor,
} from "./layout.ts";
import {
  COMMAND_BYTES,
  CONTROL_BYTES,
  PRODUCT_SCRATCH,
  ROW_PARAMS,
} from "../../kernels/contract.ts";
import { PIECE_WORK, scratchF32 } from "../../kernels/cut.ts";
import type { Sizes } from "../../kernels/module.ts";
import { stagingBytes, tableRowBytes } from "./upload.ts";

/** One layer's places. */
export interface WasmLayer extends LayerHandles {
  readonly qkv: WasmLinear;
  readonly attentionOutput: WasmLinear;
  readonly attentionNorm: WasmNorm;
  readonly up: WasmLinear;
  readonly down: WasmLinear;
  readonly feedForwardNorm: WasmNorm;
}

/** The tensors' places. */
export type WasmWorkspace = { readonly [K in keyof Workspace]: WasmTensor };

/** Places of layers by their weights; for loading only, so that the weights can be let go. */
export type PlacedLayers = ReadonlyMap<LayerWeights, WasmLayer>;

/** Places of what has to do with lexicon features. */
export interface PlacedFeatures {
  readonly input: WasmTable;
  readonly window: WasmTable;
  /** Float32 rows, those of the token before, of the token and of the token behind. */
  readonly rows: WasmTensor;
}

/** Addresses of everything else. */
export interface Plan {
  readonly precision: Precision;
  /** The budget that int8 weights keep, if they keep one. */
  readonly lanes: LaneBudget | undefined;
  readonly embeddingProjection: WasmLinear | undefined;
  readonly arena: Arena;
  readonly headDense: WasmLinear | undefined;
  readonly classifier: WasmLinear;
  /** Of a model with lexicon features: their tables, and rows of the features of three tokens. */
  readonly features: PlacedFeatures | undefined;
  readonly workspace: WasmWorkspace;
  readonly wordType: Matrix["type"];
  readonly words: number;
  readonly wordScales: number;
  readonly positions: number;
  readonly embeddingNorm: WasmNorm;
  readonly ids: number;
  readonly positionIds: number;
  /** Where each sequence begins. */
  readonly offsets: number;
  /** The threads' control words, and the commands of a run. */
  readonly control: number;
  readonly program: number;
  readonly commands: number;
  /** Packed activations of one linear layer, and their rows' parameters. */
  readonly packed: number;
  readonly rows: number;
  /** Attention's and products' scratch while running, `scratchBytes` for each thread; a panel's rows while loading. */
  readonly scratch: number;
  readonly scratchBytes: number;
  /** Most threads of a run. */
  readonly threads: number;
}

/** What an encoder is placed for. */
export interface PlanOptions {
  readonly precision: Precision;
  /** Most tokens of a run. */
  readonly maxTokens: number;
  /** Most threads of a run. */
  readonly threads: number;
  /** What the kernels take. */
  readonly sizes: Sizes;
}

/** Places an encoder's weights and tensors; `weights` may lack the data of their matrices. */
export function placeEncoder(
  weights: EncoderWeights,
  { precision, maxTokens, threads, sizes }: PlanOptions,
): { plan: Plan; layers: PlacedLayers } {
  const { config } = weights, arena = new Arena();
  const { hiddenSize: h, feedForwardSize: f, heads } = config, labels = config.labels.length;
  const head = paddedHead(config), wide = heads * head, e = config.embeddingSize;
  const int8 = precision === "int8";
  const words = int8 ? weights.wordEmbedding.type : "f32";
  const qkvRows = { count: 3 * wide, places: headPlaces(config, 3, head) };
  const contextColumns = { count: wide, places: headPlaces(config, 1, head) };
  // A layer that occurs more than once (ALBERT) takes memory once.
  const layers = new Map(
    [...new Set(weights.layers)].map((layer): [LayerWeights, WasmLayer] => [layer, {
      qkv: placeLinear(arena, precision, { outputs: 3 * h, inputs: h, rows: qkvRows }),
      attentionOutput: placeLinear(arena, precision, {
        outputs: h,
        inputs: h,
        columns: contextColumns,
      }),
      attentionNorm: placeNorm(arena, h),
      up: placeLinear(arena, precision, { outputs: f, inputs: h }),
      down: placeLinear(arena, precision, { outputs: h, inputs: f }),
      feedForwardNorm: placeNorm(arena, h),
    }]),
  );
  const d = config.head?.size ?? 0;
  const widest = Math.max(padded(e), padded(h), padded(wide), padded(f), padded(d));
  const projection = weights.embeddingProjection &&
    placeLinear(arena, precision, { outputs: h, inputs: e });
  const headDense = weights.headDense && placeLinear(arena, precision, { outputs: d, inputs: h });
  const hidden = placeTensor(arena, maxTokens, h);
  const count = config.features, longest = Math.min(maxTokens, config.maxPositions);
  // A layer takes 12 commands at most, and 6 for an adapter, embeddings, head and features fewer; what is cut into several
  // takes more.
  const layerWork = maxTokens * (h * 4 * wide + 2 * h * f + 4 * longest * wide);
  const otherWork = maxTokens * (h * (e + d) + classifierInputs(config) * labels);
  const commands = 18 * config.layers + 12 +
    2 * Math.ceil((config.layers * layerWork + otherWork) / PIECE_WORK);
  const scratch = int8 ? sizes.attention_int8_scratch : sizes.attention_f32_scratch;
  const attention = scratch(longest, paddedHead(config));
  const scratchBytes =
    Math.ceil(Math.max(attention, int8 ? PRODUCT_SCRATCH : scratchF32(maxTokens)) / 64) * 64;
  const plan: Plan = {
    precision,
    lanes: weights.lanes,
    arena,
    embeddingProjection: projection,
    headDense,
    classifier: placeLinear(arena, precision, {
      outputs: labels,
      inputs: classifierInputs(config),
    }),
    features: count === undefined ? undefined : {
      input: placeTable(arena, count, e, false),
      window: placeTable(arena, count, labels, true),
      rows: placeTensor(arena, maxTokens, 3 * count),
    },
    embeddingNorm: placeNorm(arena, e),
    wordType: words,
    words: arena.take(config.vocabSize * tableRowBytes(words, e)),
    wordScales: int8 ? arena.take(config.vocabSize * 4) : 0,
    positions: arena.take(config.maxPositions * padded(e) * 4),
    workspace: {
      embedded: projection ? placeTensor(arena, maxTokens, e) : hidden,
      hidden,
      qkv: placeTensor(arena, maxTokens, 3 * h, qkvRows),
      context: placeTensor(arena, maxTokens, h, contextColumns),
      update: placeTensor(arena, maxTokens, h),
      inner: placeTensor(arena, maxTokens, f),
      head: headDense ? placeTensor(arena, maxTokens, d) : hidden,
      emissions: placeTensor(arena, maxTokens, labels),
    },
    ids: arena.take(maxTokens * 4),
    positionIds: arena.take(maxTokens * 4),
    offsets: arena.take((maxTokens + 1) * 4),
    control: arena.take(CONTROL_BYTES),
    program: arena.take(commands * COMMAND_BYTES),
    commands,
    packed: int8 ? arena.take(maxTokens * widest * sizes.int8_activation_bytes()) : 0,
    rows: int8 ? arena.take(maxTokens * ROW_PARAMS) : 0,
    scratch: arena.take(Math.max(threads * scratchBytes, stagingBytes(widest, precision))),
    scratchBytes,
    threads,
  };
  return { plan, layers };
}
