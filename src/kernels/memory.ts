/**
 * Linear memory, laid out before it exists.
 *
 * Everything is placed first, while an {@link Arena} only counts; then memory of exactly that size is made, so the
 * peak is known beforehand. Nothing is freed, and nothing grows but what says so (`Room.growable`): its owner then has
 * to make its views anew.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";

const PAGE = 65536;

/** Memory below this belongs to the module's own constants. */
export const FIRST_FREE = PAGE;

/** Memory for a kernel module, shared or not as the module imports it; of a fixed size unless `maximum` is more. */
export function makeMemory(
  pages: number,
  shared: boolean,
  maximum: number = pages,
): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum, shared });
  } catch (error) {
    throw new RuntimeError(
      "runtime/memory",
      `the runtime refused ${pages * PAGE} bytes of linear memory: ${(error as Error).message}`,
    );
  }
}

/**
 * Lets memory have `bytes`; it never has less afterwards. Throws a {@link RuntimeError} (`runtime/memory`) where that is
 * more than it was made for. Whoever has views of it needs new ones.
 */
export function growMemory(memory: WebAssembly.Memory, bytes: number): void {
  const pages = pagesFor(bytes), more = pages - memory.buffer.byteLength / PAGE;
  if (more <= 0) return;
  try {
    memory.grow(more);
  } catch (error) {
    throw new RuntimeError(
      "runtime/memory",
      `memory cannot grow to ${pages * PAGE} bytes (${
        (error as Error).message
      }): it may have twice ` +
        "what the model took, and what maxMemoryBytes allows.",
    );
  }
}

/** Pages for `bytes` of memory. */
export function pagesFor(bytes: number): number {
  return Math.ceil(bytes / PAGE);
}

/** Cache line: what every block is aligned to. */
const ALIGN = 64;

/** WASM32's limit; offsets are signed 32-bit in the kernels. */
const LIMIT = 2 ** 31 - 65536;

/** How a memory is made. */
export interface Room {
  /** Most bytes that it may ever have. Default: what WebAssembly allows. */
  readonly most?: number;
  /** Whether the module imports it as shared. Default false. */
  readonly shared?: boolean;
  /**
   * Whether it may grow, up to twice its size. What it may grow to costs addresses and no memory until it does.
   * Default false.
   */
  readonly growable?: boolean;
}

/** Hands out addresses in ascending order. */
export class Arena {
  #top: number;

  /** Begins with `first`, behind what other arenas have handed out in the same memory. */
  constructor(first: number = FIRST_FREE) {
    this.#top = first;
  }

  /** Address of `bytes` bytes that nothing else uses, aligned to 64. */
  take(bytes: number): number {
    const address = this.#top;
    this.#top = Math.ceil((address + bytes) / ALIGN) * ALIGN;
    if (!(this.#top <= LIMIT)) {
      throw new RuntimeError(
        "runtime/memory",
        `the model needs more than ${LIMIT} bytes of linear memory; ` +
          "use int8 weights, fewer layers or a smaller maxTokens.",
      );
    }
    return address;
  }

  /** Bytes that memory must have, the kernels' own page included. */
  get bytes(): number {
    return pagesFor(this.#top) * PAGE;
  }

  /**
   * Makes the memory, once everything is placed; throws a {@link RuntimeError} (`runtime/memory`) if it would
   * have more than `most` bytes.
   */
  memory({ most = Infinity, shared = false, growable = false }: Room = {}): WebAssembly.Memory {
    if (this.bytes > most) {
      throw new RuntimeError(
        "runtime/memory",
        `the encoder would take ${this.bytes} bytes of memory, and maxMemoryBytes leaves it ${most}: ` +
          "allow more, lower maxTokens, or take a smaller model (int8, int4 embeddings, fewer layers).",
      );
    }
    const maximum = growable ? Math.min(2 * this.bytes, most, LIMIT) : this.bytes;
    return makeMemory(pagesFor(this.bytes), shared, Math.floor(maximum / PAGE));
  }
}
