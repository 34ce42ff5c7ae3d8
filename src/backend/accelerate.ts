/**
 * Whether an encoder runs on a GPU: always, where a caller says so (`webgpu`); where it is faster there (`auto`).
 *
 * What a GPU is, is handed in ({@link Gpu}): the runtime's own (`src/runtime/gpu/`), or one that a test has made up.
 * Nothing that recognises without a GPU imports this file.
 *
 * `auto` stays with WebAssembly where there is no GPU, where the GPU is a program on the processor (the kernels are the
 * better program), where it fails, and where it loses the race. Where it wins, the WebAssembly backend stays as a spare,
 * with weights of its own.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import type { EncoderWeights } from "../model/weights.ts";
import type { Backend } from "./backend.ts";
import { type Engine, type GpuReport, PlainEngine } from "./engine.ts";
import { EXPECTED, type Expected, expectedBatch, type Now, race } from "./race.ts";
import { RenewedEngine } from "./renewed.ts";
import { isFault, Loss, SpareEngine } from "./spare.ts";

/** Arithmetic on a GPU: float32; float32 sums of float16; int8 as on the processor. */
export type GpuPrecision = "f32" | "f16" | "int8";

/** What a backend on a GPU is made for. */
export interface GpuBackendOptions {
  readonly precision: GpuPrecision;
  readonly maxTokens: number;
  /** Bytes that its buffers may have. */
  readonly maxMemoryBytes: number | undefined;
}

/** A GPU, or what passes for one. */
export interface GpuAdapter {
  /** What it calls itself. */
  readonly description: string;
  /** Whether it is a program on the processor. */
  readonly software: boolean;
  /**
   * A backend on a device of its own, which ends with it; to be asked for once. Throws a {@link RuntimeError}
   * `runtime/no-gpu`, `runtime/gpu`, `runtime/gpu-lost` or `runtime/memory`.
   */
  backend(weights: EncoderWeights, options: GpuBackendOptions): Promise<Backend>;
}

/** A runtime's way to GPUs. */
export interface Gpu {
  /** An adapter; another one at each call. Throws a {@link RuntimeError} `runtime/no-gpu` if there is none. */
  adapter(): Promise<GpuAdapter>;
}

/** What callers say of GPUs. */
export interface AccelerationOptions {
  /** Default: `f32`. */
  readonly gpuPrecision?: GpuPrecision | undefined;
  /** Default: {@link EXPECTED}. */
  readonly expect?: Expected | undefined;
  /** Whichever is to run, so that there is no race. */
  readonly choice?: "wasm" | "webgpu" | undefined;
  /** Told once when a GPU's place is taken by WebAssembly. Default: a warning on the console. */
  readonly onGpuLost?: ((reason: RuntimeError) => void) | undefined;
}

/** An encoder that is to be run. */
export interface EngineRequest extends AccelerationOptions {
  readonly kind: "webgpu" | "auto";
  /** The weights in the form that a precision takes. */
  weights(precision: GpuPrecision): EncoderWeights;
  /** Most tokens of a batch, where the caller has said. */
  readonly maxTokens: number | undefined;
  /** Most tokens of a sequence. */
  readonly maxSequence: number;
  /** Bytes that all backends may have together. */
  readonly maxMemoryBytes: number | undefined;
  /** Makes the backend in WebAssembly. */
  wasm(): Promise<Backend>;
}

/** Makes engines of encoders: `acceleratorOf` in `src/runtime/gpu/`. */
export type MakeEngine = (request: EngineRequest) => Promise<Engine>;

/**
 * Tokens of a batch on a GPU, which has many cores to keep busy: enough for 32 texts of 128, and as many as a caller
 * expects, up to where a tensor no longer fits into a binding of 128 MiB at a width of 4096.
 */
const LEAST_TOKENS = 4096, MOST_TOKENS = 8192;

function warn(reason: RuntimeError): void {
  console.warn(`edge-ner goes on in WebAssembly: ${reason.message}`);
}

function optionsFor(request: EngineRequest, taken: number): GpuBackendOptions {
  const { gpuPrecision = "f32", expect = EXPECTED, maxTokens, maxMemoryBytes } = request;
  return {
    precision: gpuPrecision,
    maxTokens: maxTokens ?? Math.min(MOST_TOKENS, Math.max(LEAST_TOKENS, expect.tokens)),
    maxMemoryBytes: maxMemoryBytes === undefined ? undefined : Math.max(0, maxMemoryBytes - taken),
  };
}

/** The encoder on the GPU, whatever it costs. */
async function always(gpu: Gpu, request: EngineRequest): Promise<Engine> {
  const options = optionsFor(request, 0), { precision } = options, { maxSequence } = request;
  let first: GpuAdapter | undefined = await gpu.adapter();
  const { description, software } = first, weights = request.weights(precision);
  const make = async (): Promise<Backend> => {
    const adapter = first ?? await gpu.adapter();
    first = undefined;
    return await adapter.backend(weights, options);
  };
  return await RenewedEngine.open(make, {
    maxSequence,
    gpu: { choice: "webgpu", reason: "it was asked for", adapter: description, software },
  });
}

/** Milliseconds for people. */
function ms(time: number): string {
  return `${time.toPrecision(3)} ms`;
}

/** The encoder where it is faster. */
async function faster(gpu: Gpu, request: EngineRequest, now: Now): Promise<Engine> {
  const { choice, expect = EXPECTED, maxSequence, onGpuLost = warn } = request;
  const backend = await request.wasm(), wasm = new PlainEngine(backend, { maxSequence });
  const stay = (reason: string, more: Partial<GpuReport> = {}): Engine =>
    new PlainEngine(backend, { maxSequence, gpu: { choice: "wasm", reason, ...more } });
  if (choice === "wasm") return stay("the choice was handed in");
  let named: Pick<GpuReport, "adapter" | "software"> = {}, own: Engine | undefined;
  try {
    const adapter = await gpu.adapter(), { description, software } = adapter;
    named = { adapter: description, software };
    if (software && choice === undefined) {
      return stay(`${description} is a program on the processor`, named);
    }
    const options = optionsFor(request, backend.memoryBytes);
    const on = await adapter.backend(request.weights(options.precision), options);
    own = new PlainEngine(on, { keepsThread: false, maxSequence });
    const run = (report: GpuReport): Engine =>
      new SpareEngine(own, wasm, new Loss(onGpuLost), report);
    if (choice === "webgpu") {
      return run({ choice, reason: "the choice was handed in", ...named });
    }
    const batch = expectedBatch(expect, wasm), { tokens, sequences } = expect;
    const [here, there] = await race([wasm, own], batch, now);
    const more = { ...named, race: { tokens, sequences, wasm: here, webgpu: there } };
    const reason = `a batch of ${tokens} tokens took ${ms(here)} in WebAssembly and ${
      ms(there)
    } on the GPU`;
    if (there < here) return run({ choice: "webgpu", reason, ...more });
    own.close();
    return stay(reason, more);
  } catch (error) {
    own?.close();
    if (isFault(error) || error instanceof RuntimeError && error.code === "runtime/no-gpu") {
      return stay(error.message, named);
    }
    backend.close();
    throw error;
  }
}

/** The engine that a caller has asked for, on this GPU or beside it. */
export async function accelerate(
  gpu: Gpu,
  request: EngineRequest,
  now: Now = () => performance.now(),
): Promise<Engine> {
  return request.kind === "webgpu" ? await always(gpu, request) : await faster(gpu, request, now);
}
