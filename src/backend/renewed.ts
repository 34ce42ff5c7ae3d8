/**
 * An engine whose backend can be taken away from it, as a GPU's device can: by a driver that is exchanged, by the system,
 * by another program that kept the GPU too long.
 *
 * The call that was under way is rejected; the next one has a backend made again, from the weights that whoever made the
 * first one still has. A recogniser that shares this one's encoder, or has an adapter beside it, is derived from the new
 * backend in its turn.
 *
 * Weak: the weights stay in memory, beside those on the GPU, for as long as the engine is open; and tensors that were on
 * their way are computed again from the start.
 *
 * @module
 */
import { InputError, RuntimeError } from "../errors.ts";
import type { Adapter } from "../model/adapter.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Backend, PackedBatch, Pause, ThreadState } from "./backend.ts";
import { encode } from "./encoder.ts";
import type { Engine, GpuReport } from "./engine.ts";

/** Whether an error says that a backend is gone, and not that it could not do something. */
export function isLoss(error: unknown): boolean {
  return error instanceof RuntimeError && error.code === "runtime/gpu-lost";
}

/** The backend that all who share an encoder derive theirs from. */
class Origin {
  readonly #make: () => Promise<Backend>;
  #backend: Backend | undefined;
  #making: Promise<Backend> | undefined;
  #users = 0;

  constructor(make: () => Promise<Backend>, first: Backend) {
    this.#make = make;
    this.#backend = first;
  }

  /** The backend, made again if it was lost; by one, whoever asks meanwhile. */
  async current(): Promise<Backend> {
    return this.#backend ?? await (this.#making ??= this.#remake());
  }

  async #remake(): Promise<Backend> {
    try {
      const backend = await this.#make();
      if (this.#users > 0) this.#backend = backend;
      else backend.close();
      return backend;
    } finally {
      // Where it failed, the next call tries again.
      this.#making = undefined;
    }
  }

  /** The backend is gone. */
  drop(backend: Backend): void {
    if (this.#backend === backend) this.#backend = undefined;
    backend.close();
  }

  enter(): void {
    this.#users++;
  }

  leave(): void {
    if (--this.#users > 0) return;
    this.#backend?.close();
    this.#backend = undefined;
  }
}

/** What stays known of a backend that is gone. */
type Facts = Pick<
  Engine,
  "name" | "config" | "maxTokens" | "memoryBytes" | "adapterBytes" | "threads"
>;

function factsOf(backend: Backend): Facts {
  const { name, config, maxTokens, memoryBytes, adapterBytes, threads } = backend;
  return { name, config, maxTokens, memoryBytes, adapterBytes, threads };
}

/** See the file's beginning. */
export class RenewedEngine implements Engine {
  readonly keepsThread = false;
  readonly maxSequence: number;
  readonly gpu: GpuReport | undefined;
  readonly #origin: Origin;
  readonly #derive: (base: Backend) => Backend;
  /** Made of {@link #base}. */
  #own: Backend;
  #base: Backend;
  #facts: Facts;
  #closed = false;

  private constructor(
    origin: Origin,
    base: Backend,
    derive: (base: Backend) => Backend,
    { maxSequence, gpu }: Pick<Engine, "maxSequence" | "gpu">,
  ) {
    this.#own = derive(base);
    this.#origin = origin;
    this.#base = base;
    this.#derive = derive;
    this.#facts = factsOf(this.#own);
    this.maxSequence = maxSequence;
    this.gpu = gpu;
    origin.enter();
  }

  /** An engine on what `make` makes; throws what it throws. */
  static async open(
    make: () => Promise<Backend>,
    options: Pick<Engine, "maxSequence" | "gpu">,
  ): Promise<RenewedEngine> {
    const first = await make();
    return new RenewedEngine(new Origin(make, first), first, (base) => base.share(), options);
  }

  get name(): string {
    return this.#facts.name;
  }

  get config(): ModelConfig {
    return this.#facts.config;
  }

  get maxTokens(): number {
    return this.#facts.maxTokens;
  }

  get memoryBytes(): number {
    return this.#facts.memoryBytes;
  }

  get adapterBytes(): number | undefined {
    return this.#facts.adapterBytes;
  }

  get threads(): ThreadState {
    return this.#facts.threads;
  }

  /** See {@link Engine.encode}. Throws a {@link RuntimeError} `runtime/gpu-lost` if the backend is lost meanwhile. */
  async encode(batch: PackedBatch, pause?: Pause): Promise<Float32Array> {
    const own = await this.#current(), base = this.#base;
    try {
      return await encode(own, batch, pause);
    } catch (error) {
      if (isLoss(error)) this.#origin.drop(base);
      throw error;
    }
  }

  async adapt(adapter: Adapter): Promise<Engine> {
    await this.#current();
    return this.#derived((base) => base.adapt(adapter));
  }

  share(): Engine {
    this.#checkOpen();
    return this.#derived(this.#derive);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#own.close();
    this.#origin.leave();
  }

  #derived(derive: (base: Backend) => Backend): RenewedEngine {
    return new RenewedEngine(this.#origin, this.#base, derive, this);
  }

  #checkOpen(): void {
    if (this.#closed) throw new InputError("input/closed", "this recogniser has been closed.");
  }

  /** The backend of now, derived anew if the one that it was derived from is gone. */
  async #current(): Promise<Backend> {
    this.#checkOpen();
    const base = await this.#origin.current();
    // It may have been closed meanwhile.
    this.#checkOpen();
    if (base !== this.#base) {
      this.#own.close();
      this.#own = this.#derive(base);
      this.#base = base;
      this.#facts = factsOf(this.#own);
    }
    return this.#own;
  }
}
