/**
 * The encoder's operations on the WASM kernels, in float32 or int8.
 *
 * int8 means: weights int8 per output channel, activations quantized to 8 bits per token just before each
 * linear layer, sums in int32, and likewise in attention (kernels/attention_int8.ts); softmax, LayerNorm and
 * residuals stay float32.
 *
 * Operations write commands; {@link WasmBackend.read} has the kernels carry them out, on as many threads as there
 * are, all at once or in pieces of a few milliseconds, for which products and attention are cut into several commands.
 * An operation whose output is quantized next is not written by itself: an activation
 * function, or a residual with its LayerNorm, waits until a linear layer asks for the tensor, and is then done
 * row by row in the command that quantizes it.
 *
 * No operation allocates linear memory. Weights, tensors and scratch are placed when the backend is made.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import {
  ACTIVATION,
  ACTIVATION_NONE,
  BLOCK_ROWS,
  type COMMANDS,
  LEVELS,
  PANEL,
  PANEL_PARAMS,
} from "../../kernels/contract.ts";
import {
  ACTIVATION_WORK,
  cutProduct,
  cutRows,
  ELEMENT_WORK,
  panelsOfPiece,
  PIECE_WORK,
  type RowCut,
  rowsF32,
  rowsInt8,
} from "../../kernels/cut.ts";
import type { ChosenKernels } from "../../kernels/module.ts";
import type { Program } from "../../kernels/program.ts";
import type { Threading } from "../../kernels/threads.ts";
import type { Adapter } from "../../model/adapter.ts";
import { type Activation, forActivation } from "../../model/activations.ts";
import type { ModelConfig } from "../../model/config.ts";
import { linearsOf } from "../../model/linears.ts";
import type { EncoderWeights } from "../../model/weights.ts";
import type { Backend, FeatureTables, PackedBatch, Pause, ThreadState } from "../backend.ts";
import { checkBatch } from "../batch.ts";
import { placeFeatures, tablesFor } from "../features.ts";
import { type Encoder, placeAdapter, type WasmAdapter } from "./placed_adapter.ts";
import {
  paddedHead,
  type Precision,
  type WasmLinear,
  type WasmLowRank,
  type WasmNorm,
  type WasmTable,
  type WasmTensor,
} from "./layout.ts";
import { WasmLoader } from "./loader.ts";
import { Machine, type Parts } from "./machine.ts";
import { placeEncoder, type Plan, type WasmLayer, type WasmWorkspace } from "./plan.ts";

/** What a backend may use beyond the kernels. */
export interface WasmLimits {
  /** Threads; only with kernels that import shared memory. Default: the calling one alone. */
  readonly threading?: Threading;
  /** Bytes of linear memory that the backend may have. Default: what WebAssembly allows. */
  readonly maxMemoryBytes?: number;
}

/** What a backend is made for. */
export interface WasmOptions extends WasmLimits {
  /** Of the linear layers and of attention. */
  readonly precision: Precision;
  /** Most tokens of a run. */
  readonly maxTokens: number;
}

/** An operation that waits for its tensor to be quantized. */
type Pending = PendingNorm | { readonly x: WasmTensor; readonly activation: number };

/** A residual with its LayerNorm. */
interface PendingNorm {
  readonly x: WasmTensor;
  readonly update: WasmTensor;
  readonly norm: WasmNorm;
}

/** {@link Backend} on a kernel module: an encoder in a machine, alone or with an adapter. */
export class WasmBackend implements Backend {
  readonly name: string;
  readonly config: ModelConfig;
  readonly embeddingProjection: WasmLinear | undefined;
  readonly layers: readonly WasmLayer[];
  readonly headDense: WasmLinear | undefined;
  readonly classifier: WasmLinear;
  readonly features: FeatureTables<WasmTable> | undefined;
  readonly workspace: WasmWorkspace;
  readonly maxTokens: number;
  readonly adapterBytes: number | undefined;
  readonly #machine: Machine;
  readonly #plan: Plan;
  /** Without an adapter. */
  readonly #encoder: Encoder;
  readonly #adapter: WasmAdapter | undefined;
  /** Multiplications per token of the linear layers, nearly all there are. */
  readonly #workPerToken: number;
  #closed = false;
  #sequences = 0;
  #tokens = 0;
  /** Threads that this run is cut for. */
  #cutFor = 1;
  #pending: Pending | undefined;

  private constructor(encoder: Encoder, config: ModelConfig, adapter?: WasmAdapter) {
    const { machine, plan, maxTokens } = encoder, { workspace } = plan;
    this.name = `wasm ${plan.precision}`;
    this.config = config;
    this.embeddingProjection = plan.embeddingProjection;
    this.layers = adapter?.layers ?? encoder.layers;
    this.headDense = plan.headDense;
    this.classifier = adapter?.classifier ?? plan.classifier;
    this.features = tablesFor(config, { ...encoder, features: plan.features });
    this.workspace = adapter ? { ...workspace, emissions: adapter.emissions } : workspace;
    this.maxTokens = maxTokens;
    this.adapterBytes = adapter?.image.bytes.length;
    this.#machine = machine;
    this.#plan = plan;
    this.#encoder = encoder;
    this.#adapter = adapter;
    this.#workPerToken = linearsOf(this).reduce((sum, l) => sum + l.inputs * l.outputs, 0);
  }

  /**
   * Loads weights. At precision `int8` all matrices must be int8 ({@link ModelError}, `model/weights`); else they may
   * be of either type and are expanded. Throws a {@link RuntimeError} (`runtime/memory`) if the memory is not to be
   * had.
   */
  static async create(
    chosen: ChosenKernels,
    weights: EncoderWeights,
    options: WasmOptions,
  ): Promise<WasmBackend> {
    const { backend, loader } = await WasmBackend.reserve(chosen, weights, options);
    const { wordEmbedding } = weights;
    loader.accept(wordEmbedding, 0, wordEmbedding);
    for (const { weight } of new Set(linearsOf(weights))) loader.accept(weight, 0, weight);
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
    { precision, maxTokens, threading, maxMemoryBytes = Infinity }: WasmOptions,
  ): Promise<{ backend: WasmBackend; loader: WasmLoader }> {
    const { config } = weights, { sizes } = chosen, threads = threading?.threads ?? 1;
    const { plan, layers } = placeEncoder(weights, { precision, maxTokens, threads, sizes });
    const machine = await Machine.create(chosen, plan, maxMemoryBytes, threading);
    const { kernels, views } = machine.parts!;
    const own = weights.layers.map((layer) => layers.get(layer)!);
    return {
      backend: new WasmBackend({ machine, plan, config, layers: own, maxTokens }, config),
      loader: new WasmLoader(kernels, views, plan, layers, weights),
    };
  }

  /** See {@link Backend.adapt}. Classifiers are multiplied in the backend's precision, what is adapted in float32. */
  adapt(adapter: Adapter): WasmBackend {
    this.#open;
    const encoder = this.#encoder, { config } = encoder;
    const placed = placeAdapter(encoder, adapter);
    encoder.machine.share();
    return new WasmBackend(encoder, { ...config, labels: adapter.labels }, placed);
  }

  /** See {@link Backend.share}. */
  share(): WasmBackend {
    this.#open;
    this.#encoder.machine.share();
    return new WasmBackend(this.#encoder, this.config, this.#adapter);
  }

  get memoryBytes(): number {
    return this.#machine.memoryBytes + (this.adapterBytes ?? 0);
  }

  get threads(): ThreadState {
    return this.#machine.threads;
  }

  get #open(): Parts {
    const parts = this.#closed ? undefined : this.#machine.parts;
    if (!parts) throw new InputError("input/closed", "this recogniser has been closed.");
    return parts;
  }

  get #program(): Program<typeof COMMANDS> {
    return this.#open.program;
  }

  begin(batch: PackedBatch): void {
    checkBatch(batch, this.config, this.maxTokens);
    const { views: { i32 }, program } = this.#open, { ids, offsets } = batch;
    if (this.#adapter) this.#machine.mount(this.#adapter.image);
    i32.set(ids, this.#plan.ids >> 2);
    i32.set(offsets, this.#plan.offsets >> 2);
    const positions = this.#plan.positionIds >> 2;
    for (let s = 1; s < offsets.length; s++) {
      for (let t = offsets[s - 1]; t < offsets[s]; t++) i32[positions + t] = t - offsets[s - 1];
    }
    if (this.#plan.features) {
      const { address, stride, width } = this.#plan.features.rows;
      placeFeatures(
        this.#open.views.f32,
        { first: address >> 2, stride: stride >> 2, width },
        batch,
      );
    }
    this.#sequences = offsets.length - 1;
    this.#tokens = ids.length;
    this.#pending = undefined;
    program.clear();
    this.#cutFor = this.#machine.forRun(this.#tokens * this.#workPerToken);
  }

  #rows(block: number): RowCut {
    return cutRows(this.#tokens, block, this.#cutFor);
  }

  embed(out: WasmTensor): void {
    this.#settleFor(out);
    const { ids, positionIds, words, wordScales, positions, embeddingNorm } = this.#plan;
    const { rows: chunkRows, chunks } = this.#rows(1);
    const work = this.#tokens * out.width * ELEMENT_WORK;
    this.#program.add(`embed_${this.#plan.wordType}`, chunks, {
      x: out.address,
      n: out.width,
      ids,
      positions: positionIds,
      words,
      scales: wordScales,
      positionTable: positions,
      gamma: embeddingNorm.gamma,
      beta: embeddingNorm.beta,
      epsilon: this.config.layerNormEpsilon,
      rows: this.#tokens,
      chunkRows,
    }, work);
  }

  addFeatures(x: WasmTensor, { columns, first, address: table }: WasmTable): void {
    this.#settle(x);
    const { address, stride } = this.#plan.features!.rows;
    const { rows: chunkRows, chunks } = this.#rows(1);
    this.#program.add("add_features", chunks, {
      x: x.address,
      n: x.width,
      features: address + 4 * first,
      stride,
      columns,
      table,
      rows: this.#tokens,
      chunkRows,
    });
  }

  linear(x: WasmTensor, linear: WasmLinear, out: WasmTensor): void {
    const { k, panels, weights, columns } = linear, { packed, rows, precision } = this.#plan;
    const { scratch, scratchBytes } = this.#plan, m = this.#tokens, int8 = precision === "int8";
    if (int8) this.#quantize(x, k);
    else this.#settle(x);
    this.#settleFor(out);
    const shape = int8
      ? rowsInt8(this.#machine.chosen.sizes.int8_activation_bytes() * k)
      : rowsF32(k);
    const step = panelsOfPiece(panels, m * k * panels * PANEL);
    for (let p = 0; p < panels; p += step) {
      const some = Math.min(step, panels - p);
      const cut = cutProduct({ m, k, panels: some, ...shape }, this.#cutFor);
      const product = {
        m,
        k,
        weights: weights + p * PANEL * k * (int8 ? 1 : 4),
        c: out.address + p * PANEL * 4,
        stride: out.stride,
        panels: some,
        chunkRows: cut.rows,
        chunkPanels: cut.panels,
        scratch,
        scratchBytes,
      };
      const work = m * k * some * PANEL;
      if (int8) {
        const a = { packed, rowParams: rows, columns: columns + p * PANEL_PARAMS };
        this.#program.add("gemm_int8", cut.chunks, { ...product, ...a }, work);
      } else {
        const a = { a: x.address, aStride: x.stride, bias: columns + p * PANEL * 4 };
        this.#program.add("gemm_f32", cut.chunks, { ...product, ...a }, work);
      }
    }
    for (const lowRank of linear.lowRanks ?? []) this.#addLowRank(x, lowRank, out);
  }

  /** Adds an adapter's part to a linear layer's output, of rows that nothing waits for any more. */
  #addLowRank(x: WasmTensor, { a, b, column, low, lowBytes }: WasmLowRank, out: WasmTensor): void {
    const { rows: chunkRows, chunks } = this.#rows(4), m = this.#tokens;
    this.#program.add("low_rank", chunks, {
      m,
      k: a.k,
      x: x.address,
      xStride: x.stride,
      a: a.weights,
      rank: b.k,
      b: b.weights,
      panels: b.panels,
      c: out.address + column * 4,
      stride: out.stride,
      chunkRows,
      low,
      lowBytes,
    }, m * b.k * (a.k + b.panels * PANEL));
  }

  /** Quantizes a tensor, after what waits for it. */
  #quantize(x: WasmTensor, k: number): void {
    const { packed, rows: rowParams, lanes } = this.#plan,
      { rows: chunkRows, chunks } = this.#rows(BLOCK_ROWS);
    const waiting = this.#pending?.x === x ? this.#pending : undefined;
    if (waiting) this.#pending = undefined;
    const activation = waiting && "activation" in waiting ? waiting.activation : ACTIVATION_NONE;
    const norm = waiting && "norm" in waiting
      ? this.#normArguments(waiting)
      : { update: 0, n: 0, gamma: 0, beta: 0, epsilon: 0 };
    this.#program.add("quantize", chunks, {
      x: x.address,
      stride: x.stride,
      m: this.#tokens,
      k,
      packed,
      rowParams,
      levels: lanes?.levels ?? LEVELS,
      chunkRows,
      activation,
      ...norm,
    }, this.#tokens * k * (activation === ACTIVATION_NONE ? ELEMENT_WORK : ACTIVATION_WORK));
  }

  #normArguments({ x, update, norm: { gamma, beta } }: PendingNorm) {
    const epsilon = this.config.layerNormEpsilon;
    return { update: update.address, n: x.width, gamma, beta, epsilon };
  }

  activate(x: WasmTensor, activation: Activation): void {
    this.#wait({ x, activation: forActivation(ACTIVATION, activation) });
  }

  addNorm(x: WasmTensor, update: WasmTensor, norm: WasmNorm): void {
    this.#settle(update);
    this.#wait({ x, update, norm });
  }

  /** Lets an operation wait if its tensor may be quantized next. */
  #wait(pending: Pending): void {
    this.#settle(this.#pending?.x);
    this.#pending = pending;
    if (this.#plan.precision !== "int8") this.#settle(pending.x);
  }

  /** Writes the operation that waits for a tensor, before anything but a linear layer reads it. */
  #settle(x: WasmTensor | undefined): void {
    const waiting = this.#pending;
    if (waiting === undefined || waiting.x !== x) return;
    this.#pending = undefined;
    const { rows: chunkRows, chunks } = this.#rows(1), { address, width: n } = x;
    const rows = { x: address, n, rows: this.#tokens, chunkRows };
    if ("norm" in waiting) {
      const args = { ...rows, ...this.#normArguments(waiting) };
      this.#program.add("add_norm", chunks, args, this.#tokens * n * ELEMENT_WORK);
    } else {
      const args = { ...rows, activation: waiting.activation };
      this.#program.add("activate", chunks, args, this.#tokens * n * ACTIVATION_WORK);
    }
  }

  /** Writes the operation that waits if it needs what is now overwritten. */
  #settleFor(out: WasmTensor): void {
    const waiting = this.#pending;
    if (waiting && "update" in waiting && waiting.update === out) this.#settle(waiting.x);
    else this.#settle(out);
  }

  attention(qkv: WasmTensor, out: WasmTensor): void {
    this.#settle(qkv);
    this.#settleFor(out);
    const { heads, hiddenSize } = this.config, d = paddedHead(this.config);
    const { precision, offsets, scratch, scratchBytes } = this.#plan;
    const kernel = precision === "int8" ? "attention_int8" : "attention_f32";
    // Heads of one sequence, or all heads of some: what a command can say.
    const add = (sequence: number, head: number, chunks: number, work: number): void =>
      this.#program.add(kernel, chunks, {
        qkv: qkv.address + head * d * 4,
        stride: qkv.stride,
        offsets: offsets + sequence * 4,
        heads,
        d,
        scale: 1 / Math.sqrt(hiddenSize / heads),
        context: out.address + head * d * 4,
        contextStride: out.stride,
        scratch,
        scratchBytes,
      }, work);
    const { i32 } = this.#open.views, at = offsets >> 2;
    let first = 0, gathered = 0;
    for (let s = 0; s < this.#sequences; s++) {
      const length = i32[at + s + 1] - i32[at + s], headWork = 2 * length * length * d;
      if (gathered > 0 && gathered + heads * headWork > PIECE_WORK) {
        add(first, 0, (s - first) * heads, gathered);
        first = s, gathered = 0;
      }
      if (heads * headWork <= PIECE_WORK) {
        gathered += heads * headWork;
        continue;
      }
      const step = Math.max(1, Math.floor(PIECE_WORK / headWork));
      for (let head = 0; head < heads; head += step) {
        const some = Math.min(step, heads - head);
        add(s, head, some, some * headWork);
      }
      first = s + 1;
    }
    if (first < this.#sequences) add(first, 0, (this.#sequences - first) * heads, gathered);
  }

  /** Carries out what was written, and copies the tensor. */
  async read(x: WasmTensor, pause?: Pause): Promise<Float32Array> {
    this.#settle(x);
    const { kernels, program } = this.#open,
      { width, address, stride, places } = x,
      tokens = this.#tokens;
    for (const _ of program.runInPieces(kernels, this.#plan.control)) {
      const turn = pause?.();
      if (turn === undefined) continue;
      await turn;
      // It may have been closed meanwhile.
      void this.#open;
    }
    const { views: { f32 } } = this.#open, out = new Float32Array(tokens * width);
    for (let t = 0; t < tokens; t++) {
      const at = (address + t * stride) >> 2;
      if (!places) out.set(f32.subarray(at, at + width), t * width);
      else for (let c = 0; c < width; c++) out[t * width + c] = f32[at + places[c]];
    }
    return out;
  }

  close(): void {
    if (!this.#closed) this.#machine.release();
    this.#closed = true;
  }
}
