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
import { InputError } from "../../errors.ts";
import type { Activation, ModelConfig } from "../../model/config.ts";
import type { EncoderWeights } from "../../model/weights.ts";
import type { Backend, PackedBatch } from "../backend.ts";
import { checkBatch } from "../batch.ts";
import { type ChosenKernels, instantiateKernels, type Kernels } from "./kernels.ts";
import { paddedHead, type WasmLinear, type WasmNorm, type WasmTensor } from "./layout.ts";
import { WasmLoader } from "./loader.ts";
import { placeEncoder, type Plan, type WasmLayer, type WasmWorkspace } from "./plan.ts";
import { type Views, viewsOf } from "./upload.ts";

/** Codes of kernels/layout.ts. */
const ACTIVATION_CODES: Record<Activation, number> = { gelu: 1, gelu_tanh: 2 };

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
    config: ModelConfig,
    layers: readonly WasmLayer[],
    maxTokens: number,
    plan: Plan,
    kernels: Kernels,
    views: Views,
  ) {
    this.name = plan.int8 ? "wasm int8" : "wasm fp32";
    this.config = config;
    this.embeddingProjection = plan.embeddingProjection;
    this.layers = layers;
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
    const { backend, loader } = await WasmBackend.reserve(chosen, weights, int8, maxTokens);
    const { wordEmbedding, embeddingProjection, classifier, layers } = weights;
    loader.accept(wordEmbedding, 0, wordEmbedding);
    const linears = [...new Set(layers)].flatMap((l) => [l.qkv, l.attentionOutput, l.up, l.down]);
    for (const linear of [...linears, classifier, embeddingProjection]) {
      if (linear) loader.accept(linear.weight, 0, linear.weight);
    }
    loader.finish();
    return backend;
  }

  /**
   * Makes room for weights whose data will be handed to the loader piece by piece. The backend must not run
   * before the loader has finished.
   */
  static async reserve(
    chosen: ChosenKernels,
    weights: EncoderWeights,
    int8: boolean,
    maxTokens: number,
  ): Promise<{ backend: WasmBackend; loader: WasmLoader }> {
    const { plan, layers } = placeEncoder(weights, int8, maxTokens, chosen.activationBytes);
    const memory = plan.arena.memory();
    const kernels = await instantiateKernels(chosen.module, memory);
    const views = viewsOf(memory);
    kernels.int8_set_signed(chosen.signed ? 1 : 0);
    const placed = weights.layers.map((layer) => layers.get(layer)!);
    return {
      backend: new WasmBackend(weights.config, placed, maxTokens, plan, kernels, views),
      loader: new WasmLoader(kernels, views, plan, layers, weights),
    };
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
