/**
 * Linear memory, laid out before it exists.
 *
 * Everything is placed first, while an {@link Arena} only counts; then memory of exactly that size is made.
 * Nothing is freed and nothing grows afterwards, so views stay valid and the peak is known beforehand.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";

const PAGE = 65536;

/** Memory below this belongs to the module's own constants. */
export const FIRST_FREE = PAGE;

/** Memory of a fixed size for a kernel module, shared or not as the module imports it. */
export function makeMemory(pages: number, shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
  } catch (error) {
    throw new RuntimeError(
      "runtime/memory",
      `the runtime refused ${pages * PAGE} bytes of linear memory: ${(error as Error).message}`,
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

/** Hands out addresses in ascending order. */
export class Arena {
  #top = FIRST_FREE;

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
  memory(most: number = Infinity, shared: boolean = false): WebAssembly.Memory {
    if (this.bytes > most) {
      throw new RuntimeError(
        "runtime/memory",
        `the encoder would take ${this.bytes} bytes of memory, and maxMemoryBytes leaves it ${most}: ` +
          "allow more, lower maxTokens, or take a smaller model (int8, int4 embeddings, fewer layers).",
      );
    }
    return makeMemory(pagesFor(this.#top), shared);
  }
}
