/**
 * GPU memory: buffers that are counted, bounded and freed together.
 *
 * @module
 */
import { RuntimeError } from "../../errors.ts";
import { USAGE } from "./device.ts";

/** A buffer of numbers. */
export interface GpuArray {
  /** Tells arrays apart in keys of caches. */
  readonly number: number;
  readonly buffer: GPUBuffer;
}

/** What is written to a buffer. */
export type Data = Float32Array | Uint32Array | Uint16Array | Int8Array | Uint8Array;

let made = 0;

/** Buffers of one owner. */
export class GpuMemory {
  readonly #device: GPUDevice;
  readonly #most: number;
  readonly #parent: GpuMemory | undefined;
  readonly #arrays = new Set<GpuArray>();
  #bytes = 0;

  /** At most `most` bytes, and of `parent`'s. */
  constructor(device: GPUDevice, most: number, parent?: GpuMemory) {
    this.#device = device;
    this.#most = most;
    this.#parent = parent;
  }

  /** Memory of this one that is freed by itself. */
  part(): GpuMemory {
    return new GpuMemory(this.#device, Infinity, this);
  }

  /** Bytes of all buffers that are not freed. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes that one array may have. */
  get largest(): number {
    const { maxBufferSize, maxStorageBufferBindingSize } = this.#device.limits;
    return Math.min(maxBufferSize, maxStorageBufferBindingSize);
  }

  /** Counts bytes, which are not to be had beyond the bound. */
  #count(size: number): void {
    if (this.#bytes + size > this.#most) {
      throw new RuntimeError(
        "runtime/memory",
        `the model needs more than the ${this.#most} bytes of GPU memory that were allowed; allow more, or lower maxTokens.`,
      );
    }
    if (this.#parent) this.#parent.#count(size);
    this.#bytes += size;
  }

  /**
   * Zeros. Throws a {@link RuntimeError} `runtime/memory` for more than was allowed, or than the device gives at once; that the
   * GPU has no more shows when it is used.
   */
  take(bytes: number, usage: number = USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST): GpuArray {
    // Whole vec4s, and never an empty binding.
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    if (size > this.largest) {
      throw new RuntimeError(
        "runtime/memory",
        `a buffer of ${size} bytes is needed, and the GPU's device gives ${this.largest} at once; lower maxTokens, or take ` +
          "another backend.",
      );
    }
    this.#count(size);
    const array = { number: made++, buffer: this.#device.createBuffer({ size, usage }) };
    this.#arrays.add(array);
    return array;
  }

  /** An array with data in it. */
  of(data: Data): GpuArray {
    const array = this.take(data.byteLength);
    this.write(array, 0, data);
    return array;
  }

  /** Writes data at a multiple of 4 bytes. */
  write({ buffer }: GpuArray, at: number, data: Data): void {
    const { byteOffset, byteLength } = data, whole = byteLength & ~3;
    const bytes = data.buffer as ArrayBuffer;
    if (whole > 0) this.#device.queue.writeBuffer(buffer, at, bytes, byteOffset, whole);
    if (whole === byteLength) return;
    const rest = new Uint8Array(4);
    rest.set(new Uint8Array(bytes, byteOffset + whole, byteLength - whole));
    this.#device.queue.writeBuffer(buffer, at + whole, rest);
  }

  /** Gives one back. */
  free(array: GpuArray): void {
    if (!this.#arrays.delete(array)) return;
    const { size } = array.buffer;
    this.#discount(size);
    array.buffer.destroy();
  }

  #discount(size: number): void {
    this.#bytes -= size;
    if (this.#parent) this.#parent.#discount(size);
  }

  /** Gives all back. */
  freeAll(): void {
    for (const array of this.#arrays) this.free(array);
  }
}
