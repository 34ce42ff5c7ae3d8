/**
 * Where everything of a model in training goes, settled before there is memory.
 *
 * @module
 */
import { Arena } from "../../kernels/memory.ts";
import { COMMAND_BYTES, CONTROL_BYTES } from "../../kernels/contract.ts";
import { crfScratchBytes } from "../losses/crf.ts";
import type { Head, Parameter, TrainableModel } from "../types.ts";
import { DROPOUT_BYTES } from "./contract.ts";
import type { Activations, Tensors } from "./encoder.ts";
import type { TrainKernels } from "./exports.ts";
import type { HeadTensors } from "./heads.ts";
import { PRODUCT_ROWS, SQUARES, type Workspace } from "./operations.ts";
import { padded, type Placed, placeParameters, type Tensor } from "./places.ts";

/** Sizes that decide the memory. */
export interface Sizes {
  readonly maxTokens: number;
  readonly maxMasked: number;
  readonly checkpointing: boolean;
  readonly attention: boolean;
  readonly threads: number;
}

/** Addresses of everything. */
export interface Plan {
  readonly arena: Arena;
  readonly placed: Placed;
  readonly tensors: Tensors;
  readonly heads: Readonly<Partial<Record<Head, HeadTensors>>>;
  /** Attention weights of one layer, or their derivative; 0: there is no room for them. */
  readonly attention: number;
  readonly workspace: Workspace;
  readonly program: {
    readonly address: number;
    readonly capacity: number;
    readonly control: number;
  };
  readonly lossScratch: { readonly address: number; readonly bytes: number };
  /** Sums of squares of blocks of derivatives, f64. */
  readonly squares: number;
  /** AdamW's constants, 16 floats for each parameter. */
  readonly constants: number;
}

/** Kernels that tell what scratch they need. */
export type ScratchSizes = Pick<TrainKernels, "attention_train_scratch" | "product_scratch">;

/** Places a model's parameters, derivatives, moments and activations. */
export function placeTraining(
  model: TrainableModel,
  parameters: readonly Parameter[],
  { maxTokens, maxMasked, checkpointing, attention, threads }: Sizes,
  scratch: ScratchSizes,
): Plan {
  const { config, embeddingProjection } = model.weights, arena = new Arena();
  const { hiddenSize: h, feedForwardSize: f, embeddingSize: e, heads, layers } = config;
  const tensor = (width: number, rows = maxTokens): Tensor => ({
    address: arena.take(rows * padded(width) * 4),
    width,
  });
  const placed = placeParameters(arena, parameters);

  const activations = (): Activations => ({
    qkv: tensor(3 * h),
    context: tensor(h),
    attentionSum: tensor(h),
    feedForwardSum: tensor(h),
    middle: tensor(h),
    inner: tensor(f),
    active: tensor(f),
  });
  const shared = checkpointing ? activations() : undefined;
  const hidden = Array.from({ length: layers + 1 }, () => tensor(h));
  const dHidden = tensor(h), dMiddle = tensor(h);
  const tensors: Tensors = {
    embeddingSum: tensor(e),
    embedded: embeddingProjection ? tensor(e) : hidden[0],
    hidden,
    layers: Array.from({ length: layers }, () => shared ?? activations()),
    update: tensor(h),
    dHidden,
    dMiddle,
    dUpdate: tensor(h),
    dInner: tensor(f),
    dContext: tensor(h),
    dQkv: tensor(3 * h),
    dEmbedded: embeddingProjection ? tensor(e) : dHidden,
    dEmbeddingSum: embeddingProjection ? tensor(e) : dMiddle,
  };

  const headTensors = (
    columns: number,
    rows: number,
    inner?: number,
    normed = false,
  ): HeadTensors => {
    const maybe = (wanted: boolean): Tensor | undefined =>
      wanted && inner !== undefined ? tensor(inner, rows) : undefined;
    return {
      gathered: tensor(h, rows),
      inner: maybe(true),
      active: maybe(true),
      normed: maybe(normed),
      dInner: maybe(true),
      dNormed: maybe(normed),
      emissions: tensor(columns, rows),
      cotangent: tensor(columns, rows),
      indices: arena.take(rows * 4),
    };
  };
  const headPlaces: Plan["heads"] = {
    labels: headTensors(config.labels.length, maxTokens, config.head?.size),
    ...model.masked && { masked: headTensors(config.vocabSize, maxMasked, e, true) },
    ...model.replaced && { replaced: headTensors(1, maxTokens, h) },
  };

  const longest = Math.min(maxTokens, config.maxPositions);
  const scratchBytes = 64 * Math.ceil(
    Math.max(
      scratch.product_scratch(PRODUCT_ROWS),
      scratch.attention_train_scratch(longest, h / heads),
    ) / 64,
  );
  const lossBytes = crfScratchBytes(longest, config.labels.length);
  // A layer takes 10 commands forward, as many again where it is recomputed, and 22 backward.
  const capacity = 40 * layers + 64 + parameters.length;
  return {
    arena,
    placed,
    tensors,
    heads: headPlaces,
    // Most where all sequences are as long as can be.
    attention: attention ? arena.take(heads * maxTokens * padded(longest) * 4) : 0,
    workspace: {
      dropout: arena.take(DROPOUT_BYTES),
      ids: arena.take(maxTokens * 4),
      positions: arena.take(maxTokens * 4),
      offsets: arena.take((maxTokens + 1) * 4),
      features: config.features === undefined ? undefined : tensor(3 * config.features),
      moments: arena.take(maxTokens * 8),
      scratch: arena.take(threads * scratchBytes),
      scratchBytes,
    },
    program: {
      address: arena.take(capacity * COMMAND_BYTES),
      capacity,
      control: arena.take(CONTROL_BYTES),
    },
    lossScratch: { address: arena.take(lossBytes), bytes: lossBytes },
    squares: arena.take(Math.ceil(placed.gradients.size / SQUARES) * 8),
    constants: arena.take(parameters.length * 64),
  };
}
