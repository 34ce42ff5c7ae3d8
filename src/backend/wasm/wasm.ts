/**
 * The encoder's operations on the WASM kernels, in float32 or int8.
 *
 * int8 means: weights int8 per output channel, activations quantized to 8 bits per token just before each
 * linear layer, sums in int32; attention, LayerNorm and residuals stay float32. An activation function that
 * is followed by a linear layer is not run by itself: it is remembered, and applied while the rows are
 * quantized, when they are in cache anyway.
 *
 * No operation allocates. Weights, tensors and scratch are placed when the backend is made.
 *
 * @module
 */
import { InputError, ModelError } from "../../errors.ts";
import type { Activation, ModelConfig } from "../../model/config.ts";
import type {
  EncoderWeights,
  I8Matrix,
  LayerWeights,
  LinearWeights,
  Matrix,
} from "../../model/weights.ts";
import type { Backend, LayerHandles, PackedBatch, Workspace } from "../backend.ts";
import { checkBatch } from "../batch.ts";
import { Arena } from "./arena.ts";
import { type ChosenKernels, instantiateKernels, type Kernels } from "./kernels.ts";
import {
  headPlaces,
  padded,
  paddedHead,
  placeLinear,
  placeNorm,
  placeTensor,
  ROW_PARAMS,
  type WasmLinear,
  type WasmNorm,
  type WasmTensor,
} from "./layout.ts";
import {
  stagingBytes,
  tableRowBytes,
  uploadF32Linear,
  uploadInt8Linear,
  uploadNorm,
  uploadQuantizedTable,
  uploadTable,
  type Views,
  viewsOf,
} from "./upload.ts";

/** Codes of kernels/layout.ts. */
const ACTIVATION_CODES: Record<Activation, number> = { gelu: 1, gelu_tanh: 2 };

interface WasmLayer extends LayerHandles {
  readonly qkv: WasmLinear;
  readonly attentionOutput: WasmLinear;
  readonly attentionNorm: WasmNorm;
  readonly up: WasmLinear;
  readonly down: WasmLinear;
  readonly feedForwardNorm: WasmNorm;
}

type WasmWorkspace = { readonly [K in keyof Workspace]: WasmTensor };

/** Addresses of everything, settled before memory is made. */
interface Plan {
  readonly int8: boolean;
  readonly embeddingProjection: WasmLinear | undefined;
  readonly arena: Arena;
  readonly layers: ReadonlyMap<LayerWeights, WasmLayer>;
  readonly classifier: WasmLinear;
  readonly workspace: WasmWorkspace;
  readonly wordType: Matrix["type"];
  readonly words: number;
  readonly wordScales: number;
  readonly positions: number;
  readonly embeddingNorm: WasmNorm;
  readonly ids: number;
  readonly positionIds: number;
  /** Packed activations of one linear layer, and their rows' parameters. */
  readonly packed: number;
  readonly rows: number;
  /** Attention's scratch while running, a panel's rows while loading. */
  readonly scratch: number;
}

/** Keys' panels and four queries' scores; mirrors attention_scratch of kernels/attention.ts. */
function attentionScratch(config: ModelConfig, tokens: number): number {
  const s = Math.min(tokens, config.maxPositions);
  return ((s + 7) & ~7) * (paddedHead(config) + 4) * 4;
}

function plan(
  weights: EncoderWeights,
  int8: boolean,
  maxTokens: number,
  activationBytes: number,
): Plan {
  const { config } = weights, arena = new Arena();
  const { hiddenSize: h, feedForwardSize: f, heads } = config, labels = config.labels.length;
  const wide = heads * paddedHead(config), e = config.embeddingSize;
  const words = int8 ? weights.wordEmbedding.type : "f32";
  const qkvRows = { count: 3 * wide, places: headPlaces(config, 3) };
  const contextColumns = { count: wide, places: headPlaces(config, 1) };
  // A layer that occurs more than once (ALBERT) takes memory once.
  const layers = new Map(
    [...new Set(weights.layers)].map((layer): [LayerWeights, WasmLayer] => [layer, {
      qkv: placeLinear(arena, int8, 3 * h, h, qkvRows),
      attentionOutput: placeLinear(arena, int8, h, h, undefined, contextColumns),
      attentionNorm: placeNorm(arena, h),
      up: placeLinear(arena, int8, f, h),
      down: placeLinear(arena, int8, h, f),
      feedForwardNorm: placeNorm(arena, h),
    }]),
  );
  const widest = Math.max(padded(e), padded(h), padded(wide), padded(f));
  const projection = weights.embeddingProjection && placeLinear(arena, int8, h, e);
  const hidden = placeTensor(arena, maxTokens, h);
  return {
    int8,
    arena,
    embeddingProjection: projection,
    layers,
    classifier: placeLinear(arena, int8, labels, h),
    embeddingNorm: placeNorm(arena, e),
    wordType: words,
    words: arena.take(config.vocabSize * tableRowBytes(words, e)),
    wordScales: int8 ? arena.take(config.vocabSize * 4) : 0,
    positions: arena.take(config.maxPositions * padded(e) * 4),
    workspace: {
      embedded: projection ? placeTensor(arena, maxTokens, e) : hidden,
      hidden,
      qkv: placeTensor(arena, maxTokens, 3 * h, 3 * wide),
      context: placeTensor(arena, maxTokens, h, wide),
      update: placeTensor(arena, maxTokens, h),
      inner: placeTensor(arena, maxTokens, f),
      emissions: placeTensor(arena, maxTokens, labels),
    },
    ids: arena.take(maxTokens * 4),
    positionIds: arena.take(maxTokens * 4),
    packed: int8 ? arena.take(maxTokens * widest * activationBytes) : 0,
    rows: int8 ? arena.take(maxTokens * ROW_PARAMS) : 0,
    scratch: arena.take(Math.max(attentionScratch(config, maxTokens), stagingBytes(widest, int8))),
  };
}

function int8Of(matrix: Matrix): I8Matrix {
  if (matrix.type === "i8") return matrix;
  throw new ModelError(
    "model/weights",
    "the int8 backend takes int8 weights; quantize them first.",
  );
}

function upload(kernels: Kernels, views: Views, plan: Plan, weights: EncoderWeights): void {
  const linear = (target: WasmLinear, { weight, bias }: LinearWeights): void => {
    if (!plan.int8) uploadF32Linear(kernels, views, plan.scratch, target, weight, bias);
    else uploadInt8Linear(kernels, views, plan.scratch, target, int8Of(weight), bias);
  };
  for (const [source, target] of plan.layers) {
    linear(target.qkv, source.qkv);
    linear(target.attentionOutput, source.attentionOutput);
    uploadNorm(views, target.attentionNorm, source.attentionNorm);
    linear(target.up, source.up);
    linear(target.down, source.down);
    uploadNorm(views, target.feedForwardNorm, source.feedForwardNorm);
  }
  linear(plan.classifier, weights.classifier);
  if (plan.embeddingProjection) linear(plan.embeddingProjection, weights.embeddingProjection!);
  uploadNorm(views, plan.embeddingNorm, weights.embeddingNorm);
  uploadTable(views, plan.positions, weights.positionEmbedding, weights.typeEmbedding);
  const words = weights.wordEmbedding;
  if (!plan.int8) uploadTable(views, plan.words, words);
  else {
    const table = words.type === "i4" ? words : int8Of(words);
    uploadQuantizedTable(views, plan.words, plan.wordScales, table);
  }
}

/** {@link Backend} on a kernel module. */
export class WasmBackend implements Backend {
  readonly name: string;
  readonly config: ModelConfig;
  readonly embeddingProjection: WasmLinear | undefined;
  readonly layers: readonly WasmLayer[];
  readonly classifier: WasmLinear;
  readonly workspace: WasmWorkspace;
  readonly maxTokens: number;
  readonly memoryBytes: number;
  readonly #plan: Plan;
  #kernels: Kernels | undefined;
  #views: Views;
  #offsets: Int32Array = new Int32Array(1);
  #tokens = 0;
  /** The tensor whose activation function waits for its rows to be quantized, and its code. */
  #pending: WasmTensor | undefined;
  #pendingCode = 0;

  private constructor(
    weights: EncoderWeights,
    maxTokens: number,
    plan: Plan,
    kernels: Kernels,
    views: Views,
  ) {
    this.name = plan.int8 ? "wasm int8" : "wasm fp32";
    this.config = weights.config;
    this.embeddingProjection = plan.embeddingProjection;
    this.layers = weights.layers.map((layer) => plan.layers.get(layer)!);
    this.classifier = plan.classifier;
    this.workspace = plan.workspace;
    this.maxTokens = maxTokens;
    this.memoryBytes = plan.arena.bytes;
    this.#plan = plan;
    this.#kernels = kernels;
    this.#views = views;
  }

  /**
   * Loads weights for runs of up to `maxTokens` tokens. With `int8`, all matrices must be int8
   * ({@link ModelError}, `model/weights`); else they may be of either type and are expanded.
   */
  static async create(
    chosen: ChosenKernels,
    weights: EncoderWeights,
    int8: boolean,
    maxTokens: number,
  ): Promise<WasmBackend> {
    const planned = plan(weights, int8, maxTokens, chosen.activationBytes);
    const memory = planned.arena.memory();
    const kernels = await instantiateKernels(chosen.module, memory);
    const views = viewsOf(memory);
    kernels.int8_set_signed(chosen.signed ? 1 : 0);
    upload(kernels, views, planned, weights);
    return new WasmBackend(weights, maxTokens, planned, kernels, views);
  }

  get #run(): Kernels {
    if (!this.#kernels) throw new InputError("input/closed", "this recogniser has been closed.");
    return this.#kernels;
  }

  begin(batch: PackedBatch): void {
    checkBatch(batch, this.config, this.maxTokens);
    const { i32 } = this.#views, { ids, offsets } = batch;
    i32.set(ids, this.#plan.ids >> 2);
    const positions = this.#plan.positionIds >> 2;
    for (let s = 1; s < offsets.length; s++) {
      for (let t = offsets[s - 1]; t < offsets[s]; t++) i32[positions + t] = t - offsets[s - 1];
    }
    this.#offsets = offsets;
    this.#tokens = ids.length;
    this.#pending = undefined;
  }

  embed(out: WasmTensor): void {
    const { ids, positionIds, words, wordScales, positions, embeddingNorm } = this.#plan;
    const { gamma, beta } = embeddingNorm, n = out.width, epsilon = this.config.layerNormEpsilon;
    if (this.#plan.wordType === "f32") {
      // deno-fmt-ignore
      this.#run.embed_f32(out.address, n, ids, positionIds, words, positions, gamma, beta, epsilon, 0, this.#tokens);
      return;
    }
    const embed = this.#plan.wordType === "i4" ? this.#run.embed_int4 : this.#run.embed_int8;
    // deno-fmt-ignore
    embed(out.address, n, ids, positionIds, words, wordScales, positions, gamma, beta, epsilon, 0, this.#tokens);
  }

  linear(x: WasmTensor, weights: WasmLinear, out: WasmTensor): void {
    const m = this.#tokens, { k, panels } = weights;
    if (!this.#plan.int8) {
      // deno-fmt-ignore
      this.#run.f32_gemm(m, k, x.address, x.stride, weights.weights, weights.columns, out.address, out.stride, 0, panels);
      return;
    }
    const { packed, rows } = this.#plan;
    const activation = this.#pending === x ? this.#pendingCode : 0;
    this.#pending = undefined;
    this.#run.int8_quantize(x.address, x.stride, m, k, packed, rows, activation, 0, 1);
    // deno-fmt-ignore
    this.#run.int8_gemm(m, k, packed, rows, weights.weights, weights.columns, out.address, out.stride, 0, panels);
  }

  activate(x: WasmTensor, activation: Activation): void {
    const code = ACTIVATION_CODES[activation];
    if (this.#plan.int8) {
      this.#pending = x;
      this.#pendingCode = code;
    } else this.#run.activate(x.address, x.width, code, 0, this.#tokens);
  }

  /** Runs the activation function that waits for a tensor, before anything but a linear layer reads it. */
  #settle(x: WasmTensor): void {
    if (this.#pending !== x) return;
    this.#pending = undefined;
    this.#run.activate(x.address, x.width, this.#pendingCode, 0, this.#tokens);
  }

  attention(qkv: WasmTensor, out: WasmTensor): void {
    this.#settle(qkv);
    const { heads, hiddenSize } = this.config, d = paddedHead(this.config);
    const head = d * 4, part = heads * head, scale = 1 / Math.sqrt(hiddenSize / heads);
    const { scratch } = this.#plan, kernels = this.#run, offsets = this.#offsets;
    for (let s = 1; s < offsets.length; s++) {
      const start = offsets[s - 1], length = offsets[s] - start;
      for (let h = 0; h < heads; h++) {
        const query = qkv.address + start * qkv.stride + h * head;
        const context = out.address + start * out.stride + h * head;
        // deno-fmt-ignore
        kernels.attention_f32(query, query + part, query + 2 * part, qkv.stride, length, d, scale, context, out.stride, scratch);
      }
    }
  }

  addNorm(x: WasmTensor, update: WasmTensor, { gamma, beta }: WasmNorm): void {
    this.#settle(update);
    const epsilon = this.config.layerNormEpsilon;
    // deno-fmt-ignore
    this.#run.add_norm(x.address, update.address, x.width, gamma, beta, epsilon, 0, this.#tokens);
  }

  read(x: WasmTensor): Promise<Float32Array> {
    this.#settle(x);
    const { width, address, stride } = x, { f32 } = this.#views;
    const out = new Float32Array(this.#tokens * width);
    for (let t = 0; t < this.#tokens; t++) {
      const at = (address + t * stride) >> 2;
      out.set(f32.subarray(at, at + width), t * width);
    }
    return Promise.resolve(out);
  }

  close(): void {
    this.#kernels = undefined;
    this.#views = { i8: new Int8Array(0), i32: new Int32Array(0), f32: new Float32Array(0) };
  }
}
