/**
 * The encoder's operations on a GPU, in WGSL (kernels/webgpu/).
 *
 * Operations write down steps; {@link WebGpuBackend.read} submits them all and waits once. An activation function is done by
 * the product before it, as it writes; at precision int8 a LayerNorm's result is quantized as it is written.
 *
 * Weights are uploaded once, and tensors made once, as large as the largest batch needs them. What a sequence gives does not
 * depend on what it is packed with: every sum is taken in an order that its own row or sequence gives. Between devices results
 * differ in the last bits, since WGSL leaves it open whether a multiplication and an addition are one operation.
 *
 * @module
 */
import { InputError, RuntimeError } from "../../errors.ts";
import type { Activation } from "../../model/activations.ts";
import { type Adapter, checkAdapter } from "../../model/adapter.ts";
import type { ModelConfig } from "../../model/config.ts";
import type { EncoderWeights } from "../../model/weights.ts";
import type { GpuPrecision } from "../accelerate.ts";
import type { Backend, FeatureTables, PackedBatch, Pause, ThreadState } from "../backend.ts";
import { checkBatch } from "../batch.ts";
import { encode } from "../encoder.ts";
import { placeFeatures, tablesFor } from "../features.ts";
import { type GpuAdapter, placeAdapter } from "./adapter.ts";
import { Gpu } from "./device.ts";
import {
  FEW_ROWS,
  type Kernel,
  type KernelName,
  kernelOf,
  type Shapes,
  TILE_QUERIES,
} from "./kernels.ts";
import {
  type GpuLinear,
  type GpuNorm,
  type GpuTable,
  type GpuTensor,
  paddedHead,
  PANEL,
} from "./layout.ts";
import { Machine, type Step } from "./machine.ts";
import type { Data, GpuArray } from "./memory.ts";
import { type GpuLayer, type GpuWorkspace, type Placed, placeEncoder } from "./place.ts";
import { attentionTiles, cutGrid, type Grid, tileRows } from "./steps.ts";
import { STORED } from "./upload.ts";

/** What a backend is made for. */
export interface WebGpuOptions {
  /** A device, as `adapter.requestDevice(deviceDescriptor(adapter))` gives; it stays the caller's. */
  readonly device: GPUDevice;
  /** Of the linear layers; everything else is float32. */
  readonly precision: GpuPrecision;
  /** Most tokens of a run. */
  readonly maxTokens: number;
  /** Bytes of GPU buffers that the backend may have. Default: what there is. */
  readonly maxMemoryBytes?: number;
  /**
   * Whether `gpu.wgslLanguageFeatures` has `packed_4x8_integer_dot_product`. Default: no, and int8 products take their bytes
   * apart, to the same integers.
   */
  readonly packedDot?: boolean;
  /** Called once, when the last backend that shares these weights has been closed. */
  readonly released?: () => void;
  /** Multiplications of one submission. Default: what no driver's watchdog takes for a hang. */
  readonly submissionWork?: number;
}

/** An encoder in its machine. */
interface Encoder {
  readonly machine: Machine;
  readonly placed: Placed;
  readonly config: ModelConfig;
  readonly maxTokens: number;
  readonly packedDot: boolean;
}

/** What the last operation was, if it was a product: where its steps begin, and whether it wrote all of a tensor. */
interface LastProduct {
  readonly out: GpuTensor;
  readonly from: number;
  readonly whole: boolean;
}

/** The largest quantized activation, where weights keep no lane budget that says less. */
const LARGEST = 255;

/** Multiplications that a row-wise operation's value counts for: its time goes into moving it. */
const VALUE_WORK = 32;

/** {@link Backend} on a GPU: an encoder in a machine, alone or with an adapter. */
export class WebGpuBackend implements Backend {
  readonly name: string;
  readonly config: ModelConfig;
  readonly embeddingProjection: GpuLinear | undefined;
  readonly layers: readonly GpuLayer[];
  readonly headDense: GpuLinear | undefined;
  readonly classifier: GpuLinear;
  readonly features: FeatureTables<GpuTable> | undefined;
  readonly workspace: GpuWorkspace;
  readonly maxTokens: number;
  readonly threads: ThreadState = { threads: 1, chunks: [] };
  readonly #machine: Machine;
  readonly #placed: Placed;
  /** Without an adapter. */
  readonly #encoder: Encoder;
  readonly #adapter: GpuAdapter | undefined;
  #closed = false;
  /** What a run needs that is only written down; undefined in one that is carried out. */
  #rehearsed: { readonly steps: readonly Step[]; readonly bytes: number }[] | undefined;
  #tokens = 0;
  #longest = 0;
  #tiles = 0;
  #writes: (readonly [GpuArray, Data])[] = [];
  #steps: Step[] = [];
  #lastProduct: LastProduct | undefined;

  private constructor(encoder: Encoder, config: ModelConfig, adapter?: GpuAdapter) {
    const { machine, placed, maxTokens } = encoder, { workspace } = placed;
    this.name = `webgpu ${placed.precision}`;
    this.config = config;
    this.embeddingProjection = placed.embeddingProjection;
    this.layers = adapter?.layers ?? placed.layers;
    this.headDense = placed.headDense;
    this.classifier = adapter?.classifier ?? placed.classifier;
    this.features = tablesFor(config, { ...encoder, features: placed.features });
    this.workspace = adapter ? { ...workspace, emissions: adapter.emissions } : workspace;
    this.maxTokens = maxTokens;
    this.#machine = machine;
    this.#placed = placed;
    this.#encoder = encoder;
    this.#adapter = adapter;
    this.#rehearse();
  }

  /**
   * Loads weights and compiles kernels. At precision `int8` all matrices must be int8 ({@link ModelError}, `model/dtype`);
   * else they may be of either type and are expanded.
   *
   * @throws {RuntimeError} `runtime/memory` if memory is not to be had, `runtime/gpu` if the device has no half precision and is
   * asked for it, or refuses what it is given, `runtime/gpu-lost`
   */
  static async create(
    weights: EncoderWeights,
    {
      device,
      precision,
      maxTokens,
      maxMemoryBytes = Infinity,
      packedDot = false,
      released,
      submissionWork,
    }: WebGpuOptions,
  ): Promise<WebGpuBackend> {
    if (precision === "f16" && !device.features.has("shader-f16")) {
      throw new RuntimeError(
        "runtime/gpu",
        "the GPU's device has no half precision (shader-f16); take f32 or int8.",
      );
    }
    const gpu = new Gpu(device), { config } = weights;
    gpu.check();
    let machine: Machine | undefined;
    try {
      const backend = await gpu.guarded("loading a model", () => {
        machine = new Machine(gpu, maxMemoryBytes, { released, submissionWork });
        const placed = placeEncoder(machine.memory, weights, precision, maxTokens);
        return new WebGpuBackend({ machine, placed, config, maxTokens, packedDot }, config);
      });
      await backend.#machine.prepared();
      return backend;
    } catch (error) {
      machine?.release();
      throw error;
    }
  }

  /** See {@link Backend.adapt}. Classifiers are multiplied in the backend's precision, what is adapted in float32. */
  adapt(adapter: Adapter): WebGpuBackend {
    this.#open();
    const { machine, placed, config, maxTokens } = this.#encoder;
    checkAdapter(adapter, config);
    const memory = machine.memory.part();
    try {
      const beside = placeAdapter(memory, placed, config, maxTokens, adapter);
      const own = { ...config, labels: adapter.labels };
      const backend = new WebGpuBackend(this.#encoder, own, beside);
      machine.share();
      return backend;
    } catch (error) {
      memory.freeAll();
      throw error;
    }
  }

  /** See {@link Backend.share}. */
  share(): WebGpuBackend {
    this.#open();
    this.#machine.share();
    if (this.#adapter) this.#adapter.users++;
    return new WebGpuBackend(this.#encoder, this.config, this.#adapter);
  }

  get memoryBytes(): number {
    return this.#machine.memory.bytes;
  }

  get adapterBytes(): number | undefined {
    return this.#adapter?.memory.bytes;
  }

  #open(): void {
    if (this.#closed || !this.#machine.open) {
      throw new InputError("input/closed", "this recogniser has been closed.");
    }
  }

  /**
   * Begins to compile what runs of few tokens and of many ask for, and makes room for them, so that memory does not grow when
   * they come.
   */
  #rehearse(): void {
    this.#rehearsed = [];
    const width = this.config.features ?? 0;
    for (const tokens of [1, this.maxTokens]) {
      const step = Math.min(tokens, this.config.maxPositions), offsets = [0];
      while (offsets.at(-1)! < tokens) offsets.push(Math.min(tokens, offsets.at(-1)! + step));
      void encode(this, {
        ids: new Int32Array(tokens),
        offsets: Int32Array.from(offsets),
        ...(width > 0 && { features: new Float32Array(tokens * width) }),
      });
    }
    for (const { steps, bytes } of this.#rehearsed) this.#machine.reserve(steps, bytes);
    this.#rehearsed = undefined;
  }

  begin(batch: PackedBatch): void {
    checkBatch(batch, this.config, this.maxTokens);
    this.#open();
    this.#machine.gpu.check();
    const { ids, offsets } = batch, { tokens, tiles, features } = this.#placed;
    const places = new Uint32Array(2 * ids.length), queries = attentionTiles(offsets);
    this.#longest = 0;
    for (let s = 1; s < offsets.length; s++) {
      for (let t = offsets[s - 1]; t < offsets[s]; t++) {
        places[2 * t] = ids[t];
        places[2 * t + 1] = t - offsets[s - 1];
      }
      this.#longest = Math.max(this.#longest, offsets[s] - offsets[s - 1]);
    }
    this.#tokens = ids.length;
    this.#tiles = queries.length / 4;
    this.#writes = [[tokens, places], [tiles, queries]];
    if (features) {
      const width = 3 * this.config.features!, rows = new Float32Array(ids.length * width);
      placeFeatures(rows, { first: 0, stride: width, width }, batch);
      this.#writes.push([features.rows, rows]);
    }
    this.#steps = [];
    this.#lastProduct = undefined;
  }

  /** Writes down a kernel over arrays. */
  #add(
    kernel: Kernel,
    shapes: Shapes,
    arrays: readonly GpuArray[],
    grid: Grid,
  ): void {
    const dispatches = cutGrid(grid, this.#machine.submissionWork);
    this.#steps.push({ kernel, shapes, arrays, dispatches });
    this.#lastProduct = undefined;
  }

  /** A workgroup for each row. */
  #rows({ pitch }: GpuTensor): Grid {
    const work = pitch * VALUE_WORK;
    return { count: this.#tokens, block: 1, work, groups: (blocks) => [blocks, 1, 1] };
  }

  #norm({ width, pitch }: GpuTensor): Shapes {
    return { width: pitch / 4, columns: width, epsilon: this.config.layerNormEpsilon };
  }

  embed(out: GpuTensor): void {
    const { words, wordType, positions, embeddingNorm, tokens } = this.#placed;
    for (const { first, rows, table, scales } of words) {
      const ids = { ids_from: first, ids_to: first + rows };
      const shapes = { ...this.#norm(out), stored: STORED[wordType], ...ids };
      const arrays = [out.array, tokens, table, scales, positions, embeddingNorm.array];
      this.#add(kernelOf("embed"), shapes, arrays, this.#rows(out));
    }
  }

  addFeatures(x: GpuTensor, { array, first, count }: GpuTable): void {
    const pitch = 3 * this.config.features!;
    const shapes = { width: x.pitch / 4, pitch, feature: first, features: count };
    const arrays = [x.array, this.#placed.features!.rows, array];
    const grid = { ...this.#rows(x), work: x.pitch * (VALUE_WORK + count) };
    this.#add(kernelOf("features"), shapes, arrays, grid);
  }

  linear(x: GpuTensor, linear: GpuLinear, out: GpuTensor): void {
    this.#product(x, linear, out);
    for (const { a, b, low, column } of linear.lowRanks ?? []) {
      this.#product(x, a, low);
      this.#product(low, b, out, { column, add: true });
    }
  }

  /** Writes down a product into columns of a tensor, or onto what they hold. */
  #product(
    x: GpuTensor,
    { precision, k, width, parts }: GpuLinear,
    out: GpuTensor,
    { column = 0, add = false } = {},
  ): void {
    const quantized = precision === "int8" ? this.#quantize(x) : undefined;
    const from = this.#steps.length;
    for (const { first, panels, weights, columns } of parts) {
      const block = tileRows(this.#tokens, panels);
      const shapes = {
        k,
        y_width: out.pitch / 4,
        column: (column + first * PANEL) / 4,
        width: Math.min(panels * PANEL, width - first * PANEL) / 4,
        add: add ? 1 : 0,
      };
      this.#add(
        kernelOf(this.#productName(precision, block)),
        shapes,
        [
          out.array,
          quantized?.bytes ?? x.array,
          weights,
          columns,
          ...quantized ? [quantized.rows] : [],
        ],
        {
          count: this.#tokens,
          block,
          work: k * panels * PANEL,
          groups: (blocks) => [panels, blocks, 1],
        },
      );
    }
    this.#lastProduct = { out, from, whole: column === 0 && width === out.pitch };
  }

  #productName(precision: GpuPrecision, block: number): KernelName {
    const name = block === FEW_ROWS
      ? `product_${precision}_few` as const
      : `product_${precision}` as const;
    if (name !== "product_int8" && name !== "product_int8_few") return name;
    return this.#encoder.packedDot ? name : `${name}_unpacked`;
  }

  /** Has a tensor quantized: by the LayerNorm that has just written it, or by itself. */
  #quantize(x: GpuTensor): NonNullable<Placed["quantized"]> {
    const quantized = this.#placed.quantized!, { bytes, rows } = quantized;
    const levels = this.#placed.lanes?.levels ?? LARGEST, last = this.#steps.at(-1);
    if (last?.kernel.name === "add_norm" && last.arrays[0] === x.array) {
      this.#steps[this.#steps.length - 1] = {
        ...last,
        kernel: kernelOf("add_norm_quantize"),
        shapes: { ...last.shapes, levels },
        arrays: [...last.arrays, bytes, rows],
      };
    } else {
      const shapes = { width: x.pitch / 4, levels };
      this.#add(kernelOf("quantize"), shapes, [bytes, rows, x.array], this.#rows(x));
    }
    return quantized;
  }

  activate(x: GpuTensor, activation: Activation): void {
    const last = this.#lastProduct;
    if (last?.out !== x || !last.whole) {
      const kernel = kernelOf("activate", activation);
      this.#add(kernel, { width: x.pitch / 4 }, [x.array], this.#rows(x));
      return;
    }
    for (let i = last.from; i < this.#steps.length; i++) {
      const { kernel: { name }, ...step } = this.#steps[i];
      this.#steps[i] = { ...step, kernel: kernelOf(name, activation) };
    }
    this.#lastProduct = undefined;
  }

  attention(qkv: GpuTensor, out: GpuTensor): void {
    const { heads, hiddenSize } = this.config, d = paddedHead(this.config);
    const scale = Math.LOG2E / Math.sqrt(hiddenSize / heads);
    const shapes = { head: d / 4, width: out.pitch / 4, scale };
    const chunks = Math.ceil(d / 64), rounded = Math.ceil(this.#longest / 16) * 16;
    this.#add(kernelOf("attention"), shapes, [out.array, qkv.array, this.#placed.tiles], {
      count: this.#tiles,
      block: 1,
      work: TILE_QUERIES * rounded * heads * d * (chunks + 1),
      groups: (blocks) => [blocks, heads, chunks],
    });
  }

  addNorm(x: GpuTensor, update: GpuTensor, { array }: GpuNorm): void {
    const arrays = [x.array, update.array, array];
    this.#add(kernelOf("add_norm"), this.#norm(x), arrays, this.#rows(x));
  }

  /** Submits what was written down, and copies the tensor. */
  async read({ array, width, pitch, places }: GpuTensor, pause?: Pause): Promise<Float32Array> {
    const writes = this.#writes, steps = this.#steps, tokens = this.#tokens;
    this.#writes = [];
    this.#steps = [];
    this.#lastProduct = undefined;
    const bytes = tokens * pitch * 4;
    if (this.#rehearsed) {
      this.#rehearsed.push({ steps, bytes });
      return new Float32Array(0);
    }
    this.#open();
    const result = await this.#machine.run({ writes, steps, result: array, bytes }, pause);
    // It may have been closed meanwhile.
    this.#open();
    const rows = new Float32Array(result, 0, tokens * pitch);
    const out = new Float32Array(tokens * width);
    for (let t = 0; t < tokens; t++) {
      const at = t * pitch;
      if (!places) out.set(rows.subarray(at, at + width), t * width);
      else for (let c = 0; c < width; c++) out[t * width + c] = rows[at + places[c]];
    }
    return out;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#adapter && --this.#adapter.users === 0) {
      this.#adapter.memory.freeAll();
      this.#machine.forget();
    }
    this.#machine.release();
  }
}
