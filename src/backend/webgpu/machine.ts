/**
 * What an encoder and its adapters share: a device, the memory in it, compiled kernels, and the one thing that is done at
 * a time.
 *
 * A run is a list of steps, each a kernel over arrays. It is carried out by one submission and one wait, unless it is so long that
 * a driver might take it for a hang: then it is cut, within steps where need be, into submissions of {@link SUBMISSION_WORK}.
 * Pipelines and bind groups are made once and found again by what they are made of.
 *
 * Each run's number is written to the GPU before it and comes back with its results. In some runtimes the buffers of a
 * device that was destroyed can still be mapped; nothing that a run did not give passes for its result.
 *
 * @module
 */
import { InputError, RuntimeError } from "../../errors.ts";
import type { Pause } from "../backend.ts";
import { COMPUTE, type Gpu, MAP_READ, USAGE } from "./device.ts";
import { type Kernel, RUN_WORDS, type Shapes, writeRun } from "./kernels.ts";
import { type Data, type GpuArray, GpuMemory } from "./memory.ts";

/**
 * Multiplications of one submission: half a second for a processor that does 100 GFLOP/s, where the shortest watchdog, that
 * of Windows, waits for two.
 */
export const SUBMISSION_WORK = 25e9;

/** Workgroups of one dimension, in every implementation. */
export const MOST_GROUPS = 65_535;

/** Bytes from one dispatch's `Run` to the next: the alignment that every adapter can do with. */
const SLOT = 256;

/** Bytes behind results that say which run they are of. */
const STAMP = 16;

/** Part of a step: rows or tiles from `first` to `end`. */
export interface Dispatch {
  readonly first: number;
  readonly end: number;
  readonly groups: readonly [x: number, y: number, z: number];
  /** Multiplications. */
  readonly work: number;
}

/** A kernel over arrays. */
export interface Step {
  readonly kernel: Kernel;
  readonly arrays: readonly GpuArray[];
  readonly shapes: Shapes;
  readonly dispatches: readonly Dispatch[];
}

/** A run. */
export interface Work {
  /** What is written before it. */
  readonly writes: readonly (readonly [GpuArray, Data])[];
  readonly steps: readonly Step[];
  /** What is read after it, and how many bytes of it. */
  readonly result: GpuArray;
  readonly bytes: number;
}

interface Pipeline {
  /** Undefined while it is compiled. */
  ready: GPUComputePipeline | undefined;
  readonly compiled: Promise<GPUComputePipeline>;
}

interface Layout {
  readonly arrays: GPUBindGroupLayout;
  readonly pipeline: GPUPipelineLayout;
}

/** What dispatches are told, one behind the other. */
interface Slots {
  readonly array: GpuArray;
  readonly group: GPUBindGroup;
}

interface Dispatched {
  readonly step: Step;
  readonly dispatch: Dispatch;
}

/** A device with an encoder in it, and what is done with it. */
export class Machine {
  readonly gpu: Gpu;
  readonly memory: GpuMemory;
  readonly #released: (() => void) | undefined;
  /** Multiplications of one submission, and so the most of one dispatch. */
  readonly submissionWork: number;
  readonly #runs: GPUBindGroupLayout;
  readonly #layouts = new Map<string, Layout>();
  readonly #pipelines = new Map<string, Pipeline>();
  readonly #groups = new Map<string, GPUBindGroup>();
  #slots: Slots | undefined;
  #staging: GpuArray | undefined;
  readonly #stamp: GpuArray;
  #run = 0;
  /** Settles when all runs so far have. */
  #idle: Promise<unknown> = Promise.resolve();
  #users = 1;

  /** Takes a device, which stays the caller's; `released` is called when the last user has gone. */
  constructor(
    gpu: Gpu,
    most: number,
    { released, submissionWork = SUBMISSION_WORK }: {
      readonly released?: (() => void) | undefined;
      readonly submissionWork?: number | undefined;
    },
  ) {
    this.gpu = gpu;
    this.memory = new GpuMemory(gpu.device, most);
    this.#released = released;
    this.submissionWork = submissionWork;
    this.#stamp = this.memory.take(STAMP);
    this.#runs = gpu.device.createBindGroupLayout({
      entries: [{
        binding: 0,
        visibility: COMPUTE,
        buffer: { type: "uniform", hasDynamicOffset: true, minBindingSize: 4 * RUN_WORDS },
      }],
    });
  }

  /** Whether anybody uses it. */
  get open(): boolean {
    return this.#users > 0;
  }

  /** Counts one more user. */
  share(): this {
    this.#users++;
    return this;
  }

  /** Counts one less; the last one's leaving frees all there is. */
  release(): void {
    if (--this.#users > 0) return;
    this.memory.freeAll();
    this.#groups.clear();
    this.#pipelines.clear();
    this.#released?.();
  }

  /** Begins to compile a kernel, unless it is there. */
  prepare(kernel: Kernel): Pipeline {
    const found = this.#pipelines.get(kernel.key);
    if (found) return found;
    const compiled = this.#compile(kernel);
    const pipeline: Pipeline = { ready: undefined, compiled };
    this.#pipelines.set(kernel.key, pipeline);
    compiled.then((ready) => pipeline.ready = ready, () => this.#pipelines.delete(kernel.key));
    return pipeline;
  }

  /** Begins to compile what a run needs, and makes room for it. Throws a {@link RuntimeError} `runtime/memory`. */
  reserve(steps: readonly Step[], bytes: number): void {
    for (const { kernel } of steps) this.prepare(kernel);
    this.#slotsFor(steps.reduce((sum, { dispatches }) => sum + dispatches.length, 0));
    this.#stagingFor(bytes + STAMP);
  }

  /** Resolves when all kernels so far are compiled. */
  async prepared(): Promise<void> {
    await Promise.all([...this.#pipelines.values()].map(({ compiled }) => compiled));
  }

  async #compile({ name, bindings, code, constants }: Kernel): Promise<GPUComputePipeline> {
    const { device } = this.gpu, what = `compiling ${name}`;
    try {
      const { pipeline } = await this.gpu.guarded(what, () => {
        const module = device.createShaderModule({ code, label: name });
        const pipeline = device.createComputePipelineAsync({
          layout: this.#layout(bindings).pipeline,
          compute: { module, entryPoint: "main", constants },
          label: name,
        });
        // Who awaits it below is told; where the text is not even a module, that says more.
        pipeline.catch(() => {});
        return { pipeline };
      });
      return await pipeline;
    } catch (error) {
      await this.gpu.checkFailed();
      if (error instanceof RuntimeError) throw error;
      const { message } = error as Error;
      throw new RuntimeError("runtime/gpu", `${what}: ${message}`, { cause: error });
    }
  }

  /** Layouts are shared by all kernels that bind alike. */
  #layout(bindings: string): Layout {
    const found = this.#layouts.get(bindings);
    if (found) return found;
    const { device } = this.gpu;
    const arrays = device.createBindGroupLayout({
      entries: [...bindings].map((kind, binding) => ({
        binding,
        visibility: COMPUTE,
        buffer: { type: kind === "w" ? "storage" : "read-only-storage" },
      })),
    });
    const layout = {
      arrays,
      pipeline: device.createPipelineLayout({ bindGroupLayouts: [this.#runs, arrays] }),
    };
    this.#layouts.set(bindings, layout);
    return layout;
  }

  #group({ kernel: { bindings }, arrays }: Step): GPUBindGroup {
    const key = `${bindings} ${arrays.map(({ number }) => number).join(" ")}`;
    const found = this.#groups.get(key);
    if (found) return found;
    const group = this.gpu.device.createBindGroup({
      layout: this.#layout(bindings).arrays,
      entries: arrays.map(({ buffer }, binding) => ({ binding, resource: { buffer } })),
    });
    this.#groups.set(key, group);
    return group;
  }

  /** Forgets bind groups, which keep freed buffers alive; those that are still needed are made again. */
  forget(): void {
    this.#groups.clear();
  }

  /**
   * Carries out a run when those before it are done, and resolves to the bytes that it gave. Between submissions `pause` is
   * asked. Rejects with a {@link RuntimeError} `runtime/memory`, `runtime/gpu` or `runtime/gpu-lost`.
   */
  run(work: Work, pause?: Pause): Promise<ArrayBuffer> {
    const result = this.#idle.then(() => this.#carryOut(work, pause));
    this.#idle = result.catch(() => {});
    return result;
  }

  async #carryOut({ writes, steps, result, bytes }: Work, pause?: Pause): Promise<ArrayBuffer> {
    const { device } = this.gpu, number = ++this.#run;
    const pipelines = new Map<string, GPUComputePipeline>();
    for (const { kernel } of steps) {
      if (pipelines.has(kernel.key)) continue;
      const { ready, compiled } = this.prepare(kernel);
      pipelines.set(kernel.key, ready ?? await compiled);
    }
    this.#check();
    const staging = this.#stagingFor(bytes + STAMP);
    const pieces = submissions(steps, this.submissionWork), dispatched = pieces.flat();
    // A run without steps reads what the one before it has left.
    const last = pieces.pop() ?? [];
    let slot = 0;
    const submit = (piece: readonly Dispatched[], finish?: (encoder: GPUCommandEncoder) => void) =>
      this.gpu.guarded("a run", () => {
        if (slot === 0) {
          for (const [array, data] of writes) this.memory.write(array, 0, data);
          this.memory.write(this.#stamp, 0, Uint32Array.of(number));
          this.#writeSlots(dispatched);
        }
        const encoder = device.createCommandEncoder(), pass = encoder.beginComputePass();
        for (const { step, dispatch } of piece) {
          pass.setPipeline(pipelines.get(step.kernel.key)!);
          pass.setBindGroup(0, this.#slots!.group, [slot++ * SLOT]);
          pass.setBindGroup(1, this.#group(step));
          pass.dispatchWorkgroups(...dispatch.groups);
        }
        pass.end();
        finish?.(encoder);
        device.queue.submit([encoder.finish()]);
      });
    for (const piece of pieces) {
      await submit(piece);
      await device.queue.onSubmittedWorkDone();
      await pause?.();
      this.#check();
    }
    const valid = submit(last, (encoder) => {
      encoder.copyBufferToBuffer(result.buffer, 0, staging.buffer, 0, bytes);
      encoder.copyBufferToBuffer(this.#stamp.buffer, 0, staging.buffer, bytes, STAMP);
    });
    const mapped = staging.buffer.mapAsync(MAP_READ, 0, bytes + STAMP);
    return await this.#collect(staging, bytes, number, valid, mapped);
  }

  /** Waits for results and copies them. */
  async #collect(
    staging: GpuArray,
    bytes: number,
    number: number,
    valid: Promise<void>,
    mapped: Promise<unknown>,
  ): Promise<ArrayBuffer> {
    const [checked, map] = await Promise.allSettled([valid, mapped]);
    if (map.status === "rejected") {
      // Nobody maps it any more.
      if (this.#staging === staging) this.#staging = undefined;
      this.memory.free(staging);
      if (this.open) await this.gpu.checkFailed();
    }
    this.#check();
    if (checked.status === "rejected") {
      if (map.status === "fulfilled") staging.buffer.unmap();
      throw checked.reason;
    }
    if (map.status === "rejected") {
      const { message } = map.reason as Error;
      throw new RuntimeError("runtime/gpu", `reading results: ${message}`, { cause: map.reason });
    }
    const copy = staging.buffer.getMappedRange(0, bytes + STAMP).slice(0);
    staging.buffer.unmap();
    if (new Uint32Array(copy, bytes, 1)[0] !== number) {
      throw new RuntimeError(
        "runtime/gpu-lost",
        "the GPU gave the results of another run, as it does after its device was lost; the next call opens another, but of a device that was handed in: there, load the model again with a new one.",
      );
    }
    return copy;
  }

  /** Throws if the device is lost or the machine is closed. */
  #check(): void {
    if (!this.open) throw new InputError("input/closed", "this recogniser has been closed.");
    this.gpu.check();
  }

  #stagingFor(bytes: number): GpuArray {
    if (this.#staging && this.#staging.buffer.size >= bytes) return this.#staging;
    if (this.#staging) this.memory.free(this.#staging);
    return this.#staging = this.memory.take(bytes, USAGE.MAP_READ | USAGE.COPY_DST);
  }

  /** Room for what so many dispatches are told. */
  #slotsFor(count: number): Slots {
    const bytes = Math.max(1, count) * SLOT;
    if (this.#slots && this.#slots.array.buffer.size >= bytes) return this.#slots;
    if (this.#slots) this.memory.free(this.#slots.array);
    const array = this.memory.take(bytes, USAGE.UNIFORM | USAGE.COPY_DST);
    const group = this.gpu.device.createBindGroup({
      layout: this.#runs,
      entries: [{ binding: 0, resource: { buffer: array.buffer, size: 4 * RUN_WORDS } }],
    });
    return this.#slots = { array, group };
  }

  /** Writes what each dispatch covers. */
  #writeSlots(dispatched: readonly Dispatched[]): void {
    const { array } = this.#slotsFor(dispatched.length);
    const data = new Uint32Array(dispatched.length * SLOT / 4);
    dispatched.forEach(({ step: { kernel, shapes }, dispatch: { first, end } }, i) => {
      writeRun(data, i * SLOT / 4, kernel, [first, end], shapes);
    });
    this.memory.write(array, 0, data);
  }
}

/** Cuts a run into submissions, in order. */
function submissions(steps: readonly Step[], most: number): Dispatched[][] {
  const all: Dispatched[][] = [];
  let work = Infinity;
  for (const step of steps) {
    for (const dispatch of step.dispatches) {
      if (work + dispatch.work > most) {
        all.push([]);
        work = 0;
      }
      all[all.length - 1].push({ step, dispatch });
      work += dispatch.work;
    }
  }
  return all;
}
