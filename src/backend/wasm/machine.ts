/**
 * What an encoder and its adapters share: linear memory, the kernels over it, the commands of a pass and the threads
 * that carry them out.
 *
 * A pass is written and carried out without a pause, so those who share a machine take turns by themselves. Memory
 * grows for the first adapter and for none that needs no more: an adapter's weights lie in one place behind the
 * encoder's, and are copied there when a pass needs them and another's are there. That costs a pass microseconds;
 * what waits its turn is an ordinary array, which goes when its recogniser does.
 *
 * @module
 */
import { COMMANDS, CONTROL_MAY_SLEEP, CONTROL_TAKEN } from "../../kernels/contract.ts";
import type { Kernels } from "../../kernels/exports.ts";
import { growMemory } from "../../kernels/memory.ts";
import { type ChosenKernels, instantiateKernels } from "../../kernels/module.ts";
import { Program } from "../../kernels/program.ts";
import { type Threading, Threads } from "../../kernels/threads.ts";
import type { ThreadState } from "../backend.ts";
import type { Plan } from "./plan.ts";
import { type Views, viewsOf } from "./upload.ts";

/** Weights that are copied to their place when they are needed. */
export interface Image {
  readonly address: number;
  readonly bytes: Int8Array;
}

/** Views of memory, the kernels over it and the commands in it. */
export interface Parts {
  readonly kernels: Kernels;
  readonly views: Views;
  readonly program: Program<typeof COMMANDS>;
}

/** A memory with an encoder in it, and what works on it. */
export class Machine {
  readonly chosen: ChosenKernels;
  readonly #plan: Plan;
  readonly #threads: Threads | undefined;
  /** Undefined once nobody uses it. */
  #open: { readonly memory: WebAssembly.Memory; parts: Parts } | undefined;
  #users = 1;
  #mounted: Image | undefined;

  private constructor(
    chosen: ChosenKernels,
    plan: Plan,
    kernels: Kernels,
    memory: WebAssembly.Memory,
    threading: Threading | undefined,
  ) {
    this.chosen = chosen;
    this.#plan = plan;
    this.#open = { memory, parts: partsOf(plan, kernels, memory) };
    this.#threads = threading && new Threads(threading, {
      module: chosen.module,
      memory,
      signed: chosen.signed ? 1 : 0,
      control: plan.control,
      program: plan.program,
    }, kernels.stop);
    const { i32 } = this.#open.parts.views;
    if (threading?.maySleep) i32[(plan.control + CONTROL_MAY_SLEEP) >> 2] = 1;
  }

  /** Makes memory for a plan; throws a {@link RuntimeError} (`runtime/memory`) if it is not to be had. */
  static async create(
    chosen: ChosenKernels,
    plan: Plan,
    most: number,
    threading: Threading | undefined,
  ): Promise<Machine> {
    const { shared } = chosen, memory = plan.arena.memory({ most, shared, growable: true });
    const kernels = await instantiateKernels(chosen.module, memory);
    kernels.int8_set_signed(chosen.signed ? 1 : 0);
    return new Machine(chosen, plan, kernels, memory, shared ? threading : undefined);
  }

  /** Undefined once the last user has let it go. */
  get parts(): Parts | undefined {
    return this.#open?.parts;
  }

  /** Bytes of linear memory, 0 when it is given back. */
  get memoryBytes(): number {
    return this.#open?.memory.buffer.byteLength ?? 0;
  }

  /** Threads to cut the next run for, given its multiplications. */
  forRun(work: number): number {
    return this.#threads?.forRun(work) ?? 1;
  }

  get threads(): ThreadState {
    const state = this.#threads?.state ?? { threads: 1 };
    const at = (this.#plan.control + CONTROL_TAKEN) >> 2;
    const chunks = this.parts?.views.i32.subarray(at, at + state.threads) ?? [];
    // Counters of 32 bits, which begin again after some 50 million calls.
    return { ...state, chunks: Array.from(chunks, (taken) => taken >>> 0) };
  }

  /**
   * Lets `fill` write behind the encoder's memory, which is made to have `bytes` at least, and returns what it wrote
   * from `address` to `end`, as it is to be mounted.
   */
  image(address: number, end: number, bytes: number, fill: (parts: Parts) => void): Image {
    const open = this.#open!;
    if (bytes > open.memory.buffer.byteLength) {
      growMemory(open.memory, bytes);
      open.parts = partsOf(this.#plan, open.parts.kernels, open.memory);
    }
    this.#mounted = undefined;
    fill(open.parts);
    return this.#mounted = { address, bytes: open.parts.views.i8.slice(address, end) };
  }

  /** Copies an image to its place, if another is there. */
  mount(image: Image): void {
    if (this.#mounted === image) return;
    this.parts!.views.i8.set(image.bytes, image.address);
    this.#mounted = image;
  }

  /** Counts one more user. */
  share(): this {
    this.#users++;
    return this;
  }

  /** Counts one less; the last one's leaving ends the threads and gives memory back. */
  release(): void {
    if (--this.#users > 0) return;
    this.#threads?.close();
    this.#open = undefined;
    this.#mounted = undefined;
  }
}

function partsOf(
  { program: address, commands }: Plan,
  kernels: Kernels,
  memory: WebAssembly.Memory,
): Parts {
  const program = new Program(COMMANDS, { memory, address, capacity: commands });
  return { kernels, views: viewsOf(memory), program };
}
