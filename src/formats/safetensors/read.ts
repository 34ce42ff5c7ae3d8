/**
 * Reading safetensors: a JSON header, then tensors back to back.
 *
 * The format (https://huggingface.co/docs/safetensors, crate safetensors 0.8): eight bytes with the
 * header's length, little-endian; the header, a JSON object from names to `dtype`, `shape` and
 * `data_offsets`; then the data. `__metadata__` may map strings to strings. Every tensor is a view.
 *
 * All that the reference checks is checked, and keys that occur twice are refused as well: the data have
 * no holes and no overlaps and end with the file, so that one tensor's bytes are never another's.
 *
 * Weak: types narrower than a byte (F4, F6) are not known. Assumes a little-endian host.
 *
 * @module
 */
import { FormatError, type FormatErrorCode, InputError, isBytes, show } from "../../errors.ts";
import { viewFloat32, widenBfloat16, widenFloat16 } from "../floats.ts";
import { decodeUtf8, parseJsonObject } from "../json.ts";

/** Types by the reference's order, and their bytes per element; a writer sorts by this order, last first. */
export const DTYPES = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  C64: 8,
  F64: 8,
  I64: 8,
  U64: 8,
} as const;

/** Name of an element type. */
export type Dtype = keyof typeof DTYPES;

/** One tensor: row-major, little-endian. */
export interface SafeTensor {
  /** Type of an element. */
  readonly dtype: Dtype;
  /** Dimensions; empty for a scalar. */
  readonly shape: readonly number[];
  /** As many bytes as the shape and the type need. */
  readonly data: Uint8Array;
}

/** A file's tensors by name, and its metadata. */
export interface SafeTensors {
  /** In the header's order. */
  readonly tensors: ReadonlyMap<string, SafeTensor>;
  /** `__metadata__`; empty when there is none. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Where a tensor lies in the data that follow the header. */
export interface TensorEntry {
  /** Name of the tensor. */
  readonly name: string;
  /** Type of an element. */
  readonly dtype: Dtype;
  /** Dimensions; empty for a scalar. */
  readonly shape: readonly number[];
  /** First byte, counted from the end of the header. */
  readonly start: number;
  /** One past the last byte. */
  readonly end: number;
}

/** What a header says. */
export interface SafeHeader {
  /** In the header's order. */
  readonly entries: readonly TensorEntry[];
  /** `__metadata__`; empty when there is none. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Bytes of data that follow. */
  readonly dataBytes: number;
}

/** The reference's limit on the header. */
const MAX_HEADER_BYTES = 100_000_000;

function fail(code: FormatErrorCode, message: string): never {
  throw new FormatError(code, `safetensors: ${message}.`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A list of integers of at least 0 that are exact in a double. */
function sizes(value: unknown, where: string): number[] {
  if (!Array.isArray(value) || !value.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    fail("safetensors/tensor", `${where} is ${show(value)}; expected integers of at least 0`);
  }
  return value;
}

function readMetadata(value: unknown): Map<string, string> {
  const metadata = new Map<string, string>();
  if (value === undefined) return metadata;
  if (!isObject(value)) fail("safetensors/header", "__metadata__ is not an object");
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") {
      fail("safetensors/header", `__metadata__ has ${JSON.stringify(key)} that is not a string`);
    }
    metadata.set(key, text);
  }
  return metadata;
}

/**
 * Length of the header, from a file's first 8 bytes.
 *
 * Throws {@link FormatError} `safetensors/header` when it is beyond what the format allows.
 */
export function headerLength(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
  const length = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  if (length > MAX_HEADER_BYTES) {
    fail(
      "safetensors/header",
      `the header claims ${length} bytes; at most ${MAX_HEADER_BYTES} are allowed`,
    );
  }
  return length;
}

/**
 * Reads a header (the bytes after the first 8). Throws as {@link readSafetensors} does, but knows nothing
 * of how many data follow.
 */
export function readHeader(bytes: Uint8Array): SafeHeader {
  const what = "The safetensors header";
  const json = decodeUtf8(bytes, "safetensors/header", what);
  if (json[0] !== "{") fail("safetensors/header", "the header does not start with `{`");
  const header = parseJsonObject(json, "safetensors/header", what);
  const entries: TensorEntry[] = [];
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const where = `tensor ${JSON.stringify(name)}`;
    if (!isObject(entry)) fail("safetensors/tensor", `${where} is not an object`);
    const dtype = entry["dtype"];
    if (typeof dtype !== "string" || !Object.hasOwn(DTYPES, dtype)) {
      fail("safetensors/tensor", `${where} has the dtype ${show(dtype)}, which is not known`);
    }
    const shape = sizes(entry["shape"], `${where}'s shape`);
    const offsets = sizes(entry["data_offsets"], `${where}'s data_offsets`);
    if (offsets.length !== 2) {
      fail("safetensors/tensor", `${where} has ${offsets.length} offsets, expected 2`);
    }
    const [start, end] = offsets as [number, number];
    if (start > end) fail("safetensors/tensor", `${where} starts at ${start} and ends at ${end}`);
    let need: number = DTYPES[dtype as Dtype];
    for (const dim of shape) {
      need *= dim;
      if (!Number.isSafeInteger(need)) {
        fail("safetensors/tensor", `${where}'s shape [${shape}] overflows`);
      }
    }
    if (need !== end - start) {
      fail(
        "safetensors/tensor",
        `${where} has ${end - start} bytes, but [${shape}] of ${dtype} needs ${need}`,
      );
    }
    entries.push({ name, dtype: dtype as Dtype, shape, start, end });
  }

  let at = 0;
  for (
    const { start, end, name } of entries.toSorted((a, b) => a.start - b.start || a.end - b.end)
  ) {
    if (start !== at) {
      fail(
        "safetensors/layout",
        `tensor ${JSON.stringify(name)} starts at ${start}, but the data before it end at ${at}`,
      );
    }
    at = end;
  }
  return { entries, metadata: readMetadata(header["__metadata__"]), dataBytes: at };
}

/**
 * Reads a safetensors file. Tensors are views into `bytes`.
 *
 * Throws {@link FormatError}: `safetensors/truncated` when the header or the data end early,
 * `safetensors/header` when the header is not what the format asks for, `safetensors/tensor` when a
 * tensor's type, shape and offsets contradict each other or the file, `safetensors/layout` when data
 * overlap or leave holes; {@link InputError} `input/bytes` when `bytes` is not a Uint8Array.
 */
export function readSafetensors(bytes: Uint8Array): SafeTensors {
  if (!isBytes(bytes)) {
    throw new InputError("input/bytes", "readSafetensors: expected the bytes as a Uint8Array.");
  }
  if (bytes.length < 8) fail("safetensors/truncated", `${bytes.length} bytes, expected at least 8`);
  const length = headerLength(bytes), dataStart = 8 + length;
  if (dataStart > bytes.length) {
    fail(
      "safetensors/truncated",
      `the header claims ${length} bytes, but only ${bytes.length - 8} follow`,
    );
  }
  const { entries, metadata, dataBytes } = readHeader(bytes.subarray(8, dataStart));
  const data = bytes.subarray(dataStart);
  for (const { name, end } of entries) {
    if (end > data.length) {
      const where = `tensor ${JSON.stringify(name)}`;
      fail(
        "safetensors/truncated",
        `${where} ends at ${end}, but there are ${data.length} bytes of data`,
      );
    }
  }
  if (dataBytes !== data.length) {
    fail("safetensors/layout", `${data.length - dataBytes} bytes follow the last tensor`);
  }
  const tensors = new Map(
    entries.map(({ name, dtype, shape, start, end }): [string, SafeTensor] => {
      return [name, { dtype, shape, data: data.subarray(start, end) }];
    }),
  );
  return { tensors, metadata };
}

/**
 * An F32 tensor's elements: a view where its bytes are aligned to four (a file's are, when the file's
 * own bytes start at a multiple of four), a copy where they are not.
 *
 * Throws {@link FormatError} `safetensors/tensor` for another type.
 */
export function safetensorFloats(tensor: SafeTensor, name: string): Float32Array {
  if (tensor.dtype !== "F32") {
    fail("safetensors/tensor", `tensor ${JSON.stringify(name)} is ${tensor.dtype}, expected F32`);
  }
  return viewFloat32(tensor.data);
}

/**
 * A floating-point tensor's elements: F32 as {@link safetensorFloats} gives them, F16 and BF16 widened.
 *
 * Throws {@link FormatError} `safetensors/tensor` for another type.
 */
export function widenedFloats(tensor: SafeTensor, name: string): Float32Array {
  if (tensor.dtype === "F16") return widenFloat16(tensor.data);
  if (tensor.dtype === "BF16") return widenBfloat16(tensor.data);
  return safetensorFloats(tensor, name);
}
