/**
 * An engine with another in reserve: what the first cannot finish, the second does, in the same call and from then on.
 *
 * Only what is the GPU's own fault changes over (lost, out of memory, an operation that its driver refuses); a caller's
 * mistake stays one. Who shares the encoder changes over with it, and the caller is told once.
 *
 * Weak: the two compute differently, so a batch that was begun on one and finished on the other has emissions of both
 * (each sequence is of one); and the reserve takes memory that is hardly ever used.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import type { Adapter } from "../model/adapter.ts";
import type { ModelConfig } from "../model/config.ts";
import type { PackedBatch, Pause, ThreadState } from "./backend.ts";
import { encodeInParts, type Engine, type GpuReport } from "./engine.ts";

const FAULTS: readonly string[] = ["runtime/gpu", "runtime/gpu-lost", "runtime/memory"];

/** Whether it is a GPU that failed, and not who asked it. */
export function isFault(error: unknown): error is RuntimeError {
  return error instanceof RuntimeError && FAULTS.includes(error.code);
}

/** What all who share an encoder know of its loss. */
export class Loss {
  readonly #tell: (reason: RuntimeError) => void;
  #reason: RuntimeError | undefined;

  /** Tells of the first loss. */
  constructor(tell: (reason: RuntimeError) => void) {
    this.#tell = tell;
  }

  get reason(): RuntimeError | undefined {
    return this.#reason;
  }

  happened(reason: RuntimeError): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#tell(reason);
  }
}

/** See the file's beginning. */
export class SpareEngine implements Engine {
  readonly #spare: Engine;
  readonly #loss: Loss;
  readonly #report: GpuReport;
  /** Until it fails. */
  #first: Engine | undefined;

  /**
   * Owns both from now on; they cut texts alike, that is, have one `maxSequence`.
   *
   * @param report how it came that the first one runs
   */
  constructor(first: Engine | undefined, spare: Engine, loss: Loss, report: GpuReport) {
    this.#first = first;
    this.#spare = spare;
    this.#loss = loss;
    this.#report = report;
  }

  /** What runs now; once another who shares the encoder has met the loss, this one knows, too. */
  get #now(): Engine {
    if (this.#loss.reason !== undefined) {
      this.#first?.close();
      this.#first = undefined;
    }
    return this.#first ?? this.#spare;
  }

  get name(): string {
    return this.#now.name;
  }

  get config(): ModelConfig {
    return this.#spare.config;
  }

  get maxTokens(): number {
    return this.#now.maxTokens;
  }

  get maxSequence(): number {
    return this.#spare.maxSequence;
  }

  get keepsThread(): boolean {
    return this.#now.keepsThread;
  }

  get memoryBytes(): number {
    const now = this.#now;
    return this.#spare.memoryBytes + (now === this.#spare ? 0 : now.memoryBytes);
  }

  get adapterBytes(): number | undefined {
    return this.#now.adapterBytes;
  }

  get threads(): ThreadState {
    return this.#now.threads;
  }

  get gpu(): GpuReport {
    const { reason } = this.#loss;
    return reason === undefined
      ? this.#report
      : { ...this.#report, choice: "wasm", lost: reason.message };
  }

  async encode(batch: PackedBatch, pause?: Pause): Promise<Float32Array> {
    const now = this.#now;
    if (now !== this.#spare) {
      try {
        return await now.encode(batch, pause);
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#loss.happened(error);
      }
    }
    // It may have been cut for the other, which takes more at once.
    return await encodeInParts(this.#spare, batch, pause);
  }

  async adapt(adapter: Adapter): Promise<Engine> {
    const now = this.#now, spare = await this.#spare.adapt(adapter);
    let first: Engine | undefined;
    try {
      first = now === this.#spare ? undefined : await now.adapt(adapter);
    } catch (error) {
      if (!isFault(error)) {
        spare.close();
        throw error;
      }
      this.#loss.happened(error);
    }
    return new SpareEngine(first, spare, this.#loss, this.#report);
  }

  share(): Engine {
    const now = this.#now, first = now === this.#spare ? undefined : now.share();
    return new SpareEngine(first, this.#spare.share(), this.#loss, this.#report);
  }

  close(): void {
    this.#first?.close();
    this.#first = undefined;
    this.#spare.close();
  }
}
