/**
 * What a call asks for, in bytes, counted where it is asked.
 *
 * Resident memory says nothing about an `ArrayBuffer` of a gigabyte that nobody touches, and the heap's size
 * depends on when garbage was collected. So buffers are counted by their constructors: every `ArrayBuffer`,
 * typed array, WebAssembly memory and `new Array(length)` adds what it was asked for, whether it is given
 * back soon or not. That is the same number on every machine, and it is the number that promise is about:
 * nothing is allocated from a length that was not checked. Objects and strings are seen only in the heap's
 * growth, which is added to it and is rough.
 *
 * Weak: results of `slice`, `map` and `subarray` are made inside the engine and are not counted; they are
 * never larger than what they are made from.
 *
 * @module
 */

let buffers = 0;
let slots = 0;
let heap = 0;

function countBytes(bytes: number): void {
  if (bytes > 0) buffers += bytes;
}

/** Arrays live in the heap, where they are seen again if they were filled. */
function countSlots(first: unknown): void {
  if (typeof first === "number" && first > 0) slots += first * 8;
}

/** What was asked of a constructor: a length, or something that has one and is copied. */
function lengthOf(value: unknown): number {
  if (typeof value === "number") return value;
  if (value instanceof ArrayBuffer || typeof value !== "object" || value === null) return 0;
  const { length } = value as { length?: unknown };
  return typeof length === "number" ? length : 0;
}

const TYPED = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
];

// deno-lint-ignore no-explicit-any
type Constructor = new (...args: any[]) => object;

function counted<T extends Constructor>(made: T, note: (first: unknown) => void): T {
  return new Proxy(made, {
    construct(target, args, newTarget): object {
      note(args[0]);
      return Reflect.construct(target, args, newTarget);
    },
    // Only Array may be called without `new`.
    apply(target, self, args): unknown {
      note(args[0]);
      return Reflect.apply(target as unknown as (...args: unknown[]) => unknown, self, args);
    },
  });
}

/** Puts counting constructors in place of this realm's own. */
export function install(): void {
  const realm = globalThis as unknown as Record<string, Constructor>;
  for (const made of TYPED) {
    const width = made.BYTES_PER_ELEMENT;
    realm[made.name] = counted(made, (first) => countBytes(lengthOf(first) * width));
  }
  realm["ArrayBuffer"] = counted(ArrayBuffer, (first) => countBytes(lengthOf(first)));
  realm["Array"] = counted(Array as unknown as Constructor, countSlots);
  WebAssembly.Memory = counted(
    WebAssembly.Memory,
    (first) => countBytes((first as WebAssembly.MemoryDescriptor).initial * 65536),
  );
}

/** Starts counting anew. */
export function start(): void {
  buffers = slots = 0;
  heap = Deno.memoryUsage().heapUsed;
}

/** Bytes asked for since the start, and the heap's growth since. */
export function taken(): number {
  return buffers + Math.max(slots, Deno.memoryUsage().heapUsed - heap);
}

/** Bytes that are in use now, garbage collected first; WebAssembly's memories go a turn later. */
export async function held(): Promise<number> {
  let least = Infinity;
  for (let i = 0; i < 3; i++) {
    (globalThis as { gc?: () => void }).gc?.();
    const { heapUsed, external } = Deno.memoryUsage();
    least = Math.min(least, heapUsed + external);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return least;
}
