/**
 * Writes the commands that kernels/program.ts reads: a pass of operations, each cut into chunks (cut.ts).
 *
 * A pass is written once per run, nine commands of a few numbers for each layer of an encoder, and then carried out
 * by one call, on one thread or several.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import type { Kernels } from "./exports.ts";

/** Most threads of one backend. */
export const MAX_THREADS = 64;

/** Where the control words say that the calling thread may sleep, and where they count chunks by thread. */
export const MAY_SLEEP = 8;
export const TAKEN = 64;

/** Bytes of the threads' control words: a cache line, and a counter for each thread. */
export const CONTROL_BYTES = TAKEN + 4 * MAX_THREADS;

/** Bytes of one command. */
export const COMMAND_BYTES = 128;

/** Where a command's words begin. */
const WORDS = 64;

/** Arguments that a command has room for. */
const ARGUMENTS = 14;

/** Operations, by their numbers in kernels/program.ts. */
export const OPERATIONS = {
  embed_f32: 0,
  embed_i8: 1,
  embed_i4: 2,
  quantize: 3,
  gemm_int8: 4,
  gemm_f32: 5,
  activate: 6,
  add_norm: 7,
  attention_f32: 8,
  attention_int8: 9,
} as const;

/** An argument that is stored as float32; plain numbers are stored as int32. */
export interface Float {
  readonly f32: number;
}

/** A list of commands at one place in memory. */
export class Program {
  readonly #words: Int32Array;
  readonly #floats: Float32Array;
  readonly #address: number;
  readonly #capacity: number;
  #count = 0;

  /** Room for `capacity` commands at `address`, a multiple of 64. */
  constructor(memory: WebAssembly.Memory, address: number, capacity: number) {
    this.#words = new Int32Array(memory.buffer);
    this.#floats = new Float32Array(memory.buffer);
    this.#address = address;
    this.#capacity = capacity;
  }

  /** Forgets all commands. */
  clear(): void {
    this.#count = 0;
  }

  /** Adds a command of `chunks` chunks. */
  add(operation: keyof typeof OPERATIONS, chunks: number, ...args: (number | Float)[]): void {
    if (this.#count === this.#capacity || args.length > ARGUMENTS) {
      throw new RuntimeError("runtime/internal", "a pass has more commands than it has room for.");
    }
    let at = (this.#address + this.#count++ * COMMAND_BYTES + WORDS) >> 2;
    this.#words[at++] = OPERATIONS[operation];
    this.#words[at++] = chunks;
    for (const arg of args) {
      if (typeof arg === "number") this.#words[at++] = arg;
      else this.#floats[at++] = arg.f32;
    }
  }

  /** Carries out all commands, with the threads that wait at `control`, and forgets them. */
  run(kernels: Kernels, control: number): void {
    kernels.run(control, this.#address, this.#count);
    this.#count = 0;
  }
}
