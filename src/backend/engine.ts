/**
 * What a recogniser runs its batches on: a backend, or what chooses among several.
 *
 * A pass holds its backend's weights and tensors, so that nothing can be exchanged in the middle of one; between two it
 * can. An engine is the encoder seen from outside of its passes: batches go in, emissions come out, and which backend
 * they were computed on is its own affair ({@link PlainEngine}: always the same one; `renewed.ts`: one that is made again
 * when it was lost; `spare.ts`: another one from then on).
 *
 * @module
 */
import type { Adapter } from "../model/adapter.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Backend, PackedBatch, Pause, ThreadState } from "./backend.ts";
import { encode } from "./encoder.ts";

/** What ran against what when an encoder was loaded, and how long each took. */
export interface RaceTimes {
  /** Tokens of the batch, special ones included. */
  readonly tokens: number;
  /** Sequences of the batch. */
  readonly sequences: number;
  /** Median milliseconds of a batch in WebAssembly. */
  readonly wasm: number;
  /** Median milliseconds of a batch on the GPU. */
  readonly webgpu: number;
}

/** How it came that an encoder runs on a GPU, or that it does not. */
export interface GpuReport {
  /** What runs now. */
  readonly choice: "wasm" | "webgpu";
  /** Why, for people. */
  readonly reason: string;
  /** The adapter by its own words, where there is one. */
  readonly adapter?: string;
  /** Whether the adapter is a program on the processor. */
  readonly software?: boolean;
  /** What was measured; absent where there was nothing to measure. */
  readonly race?: RaceTimes;
  /** Why the GPU's place was taken by WebAssembly, once it was. */
  readonly lost?: string;
}

/** An encoder that runs batches. */
export interface Engine {
  /** See {@link Backend.name}; of what runs now. */
  readonly name: string;
  readonly config: ModelConfig;
  /** Most tokens of one batch. */
  readonly maxTokens: number;
  /** Most tokens of one sequence, which never changes: it decides how texts are cut, and so what they give. */
  readonly maxSequence: number;
  /** Whether a batch keeps the calling thread, so that large ones are better cut. */
  readonly keepsThread: boolean;
  /** See {@link Backend.memoryBytes}; of all backends together. */
  readonly memoryBytes: number;
  readonly adapterBytes?: number | undefined;
  readonly threads: ThreadState;
  /** For an encoder that was to run on a GPU, or perhaps on one. */
  readonly gpu?: GpuReport | undefined;

  /** Emissions of a batch of at most {@link maxTokens} tokens, `[tokens, labels]`; one at a time. */
  encode(batch: PackedBatch, pause?: Pause): Promise<Float32Array>;
  /** See {@link Backend.adapt}. */
  adapt(adapter: Adapter): Promise<Engine>;
  /** See {@link Backend.share}. */
  share(): Engine;
  /** See {@link Backend.close}. */
  close(): void;
}

/** What of an engine its backend does not say. */
export type EngineFacts = Partial<Pick<Engine, "keepsThread" | "maxSequence" | "gpu">>;

/** One backend. */
export class PlainEngine implements Engine {
  readonly keepsThread: boolean;
  readonly maxSequence: number;
  readonly gpu: GpuReport | undefined;
  readonly #backend: Backend;

  /** By default it keeps the thread, and a sequence may fill a batch. */
  constructor(backend: Backend, { keepsThread = true, maxSequence, gpu }: EngineFacts = {}) {
    const { config, maxTokens } = backend;
    this.#backend = backend;
    this.keepsThread = keepsThread;
    this.maxSequence = maxSequence ?? Math.min(config.maxPositions, maxTokens);
    this.gpu = gpu;
  }

  get name(): string {
    return this.#backend.name;
  }

  get config(): ModelConfig {
    return this.#backend.config;
  }

  get maxTokens(): number {
    return this.#backend.maxTokens;
  }

  get memoryBytes(): number {
    return this.#backend.memoryBytes;
  }

  get adapterBytes(): number | undefined {
    return this.#backend.adapterBytes;
  }

  get threads(): ThreadState {
    return this.#backend.threads;
  }

  async encode(batch: PackedBatch, pause?: Pause): Promise<Float32Array> {
    return await encode(this.#backend, batch, pause);
  }

  // deno-lint-ignore require-await
  async adapt(adapter: Adapter): Promise<Engine> {
    return new PlainEngine(this.#backend.adapt(adapter), this);
  }

  share(): Engine {
    return new PlainEngine(this.#backend.share(), this);
  }

  close(): void {
    this.#backend.close();
  }
}

/** Emissions of a batch of any size, whose sequences are handed over in as few batches as the engine takes. */
export async function encodeInParts(
  engine: Engine,
  batch: PackedBatch,
  pause?: Pause,
): Promise<Float32Array> {
  const { ids, offsets, features } = batch, { config, maxTokens } = engine;
  if (ids.length <= maxTokens) return await engine.encode(batch, pause);
  const labels = config.labels.length, width = config.features ?? 0;
  const out = new Float32Array(ids.length * labels);
  for (let first = 0, end = 1; first < offsets.length - 1; first = end++) {
    const start = offsets[first];
    while (end < offsets.length - 1 && offsets[end + 1] - start <= maxTokens) end++;
    const stop = offsets[end];
    const rows = await engine.encode({
      ids: ids.subarray(start, stop),
      offsets: offsets.subarray(first, end + 1).map((offset) => offset - start),
      ...(features && { features: features.subarray(start * width, stop * width) }),
    }, pause);
    out.set(rows, start * labels);
    await pause?.();
  }
  return out;
}
