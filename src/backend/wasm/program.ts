/**
 * Writes the commands that kernels/program.ts reads: a forward pass, cut into chunks.
 *
 * A pass is written once per run, nine commands of a few numbers for each layer, and then carried out by one call,
 * on one thread or several. How finely an operation is cut decides how well threads share it and how well
 * it fits caches, and nothing else: no bit depends on it.
 *
 * @module
 */
import { RuntimeError } from "../../errors.ts";
import type { Kernels } from "./kernels.ts";

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

/** How rows are cut: the last chunk takes what is left, up to 7 rows more than the others. */
export interface RowCut {
  /** Rows of a chunk: a multiple of the rows of a packed block. */
  readonly rows: number;
  readonly chunks: number;
}

/** How a matrix product is cut. */
export interface ProductCut extends RowCut {
  /** Panels of a chunk. */
  readonly panels: number;
}

/**
 * Bytes of activations that a chunk's panels go over again and again: they should stay in the second-level
 * cache, of which small cores have 256 KiB.
 */
const CACHED_BYTES = 192 * 1024;

/** A chunk of fewer multiplications (a few microseconds) would cost more to hand out than it saves. */
const LEAST_WORK = 1 << 18;

/** Chunks for each thread: the last ones to finish are this much shorter than the whole. */
const CHUNKS_PER_THREAD = 16;

/** Blocks of packed rows are whole up to this many rows before the end; see kernels/layout.ts. */
const LAST_ROWS = 8;

function cut(m: number, rows: number): RowCut {
  if (m === 0) return { rows, chunks: 0 };
  return { rows, chunks: Math.max(1, Math.floor((m - LAST_ROWS) / rows) + 1) };
}

/** Cuts m rows in blocks of `block`: enough chunks for the threads, no more. */
export function cutRows(m: number, block: number, threads: number): RowCut {
  return cut(
    m,
    m === 0 ? block : threads === 1 ? m * block : Math.ceil(m / (block * threads * 4)) * block,
  );
}

/** Cuts an m x k x (8 panels) product whose rows of activations take `rowBytes` and come in blocks of `block`. */
export function cutProduct(
  m: number,
  k: number,
  panels: number,
  rowBytes: number,
  block: number,
  threads: number,
): ProductCut {
  const fitting = Math.max(1, Math.floor(CACHED_BYTES / (rowBytes * block))) * block;
  // Equal blocks of rows, not full ones and a rest.
  const rowBlocks = Math.max(1, Math.ceil(m / fitting));
  const { rows, chunks } = cut(m, Math.ceil(m / rowBlocks / block) * block);
  let group = panels;
  if (threads > 1) {
    const work = m * k * panels * 8;
    const wanted = Math.min(CHUNKS_PER_THREAD * threads, Math.floor(work / LEAST_WORK));
    group = Math.ceil(panels / Math.max(1, Math.ceil(wanted / Math.max(1, chunks))));
    // A row alone takes four panels at a time, and panels come in pairs.
    group = m === 1 ? Math.ceil(group / 4) * 4 : Math.ceil(group / 2) * 2;
  }
  return { rows, panels: group, chunks: chunks * Math.ceil(panels / group) };
}
