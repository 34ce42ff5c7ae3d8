/**
 * ONNX tensors: checked, and read as numbers.
 *
 * A tensor is kept as its little-endian bytes, a view of the file or of the external data that the
 * caller handed in, whatever way the file stored it. All lengths are checked here, once, before
 * anything is allocated from them; the accessors then cannot fail.
 *
 * Weak: assumes a little-endian host, as WebAssembly does. External data are looked up by name in what
 * the caller gave; a name is never used as a path.
 *
 * @module
 */
import { FormatError } from "../../errors.ts";
import { viewFloat32, widenBfloat16, widenFloat16 } from "../floats.ts";
import type { TensorProto } from "./proto.ts";

/** Element types that a weight or a small constant can have. */
export type OnnxType =
  | "float32"
  | "uint8"
  | "int8"
  | "int32"
  | "int64"
  | "bool"
  | "float16"
  | "float64"
  | "bfloat16";

/** A checked tensor. */
export interface OnnxTensor {
  readonly name: string;
  readonly type: OnnxType;
  readonly dims: readonly number[];
  /** Number of elements, the product of `dims`. */
  readonly size: number;
  /** Elements, row-major and little-endian, `size` times the element's width. */
  readonly bytes: Uint8Array;
}

/** TensorProto.DataType numbers: type and bytes per element. */
const TYPES: ReadonlyMap<number, readonly [OnnxType, number]> = new Map([
  [1, ["float32", 4]],
  [2, ["uint8", 1]],
  [3, ["int8", 1]],
  [6, ["int32", 4]],
  [7, ["int64", 8]],
  [9, ["bool", 1]],
  [10, ["float16", 2]],
  [11, ["float64", 8]],
  [16, ["bfloat16", 2]],
]);

/** More dimensions than any weight has; bounds the loops over `dims`. */
const MAX_RANK = 64;

function fail(proto: TensorProto, what: string): never {
  throw new FormatError("onnx/tensor", `Tensor ${JSON.stringify(proto.name)}: ${what}.`);
}

function sizeOf(proto: TensorProto): { dims: number[]; size: number } {
  if (proto.dims.length > MAX_RANK) fail(proto, `${proto.dims.length} dimensions`);
  const dims = proto.dims.map(Number);
  let size = 1;
  for (const dim of dims) {
    if (!Number.isSafeInteger(dim) || dim < 0) {
      fail(proto, `dimension ${dim} in [${dims}]; expected an integer of at least 0`);
    }
    size *= dim;
    if (!Number.isSafeInteger(size * 8)) fail(proto, `dimensions [${dims}] overflow`);
  }
  return { dims, size };
}

/** Bytes of `offset` or `length` in external data; both are decimal strings by the standard. */
function externalNumber(proto: TensorProto, key: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) {
    fail(proto, `external data's ${key} is ${JSON.stringify(text)}; expected a decimal integer`);
  }
  return Number(text);
}

function externalBytes(
  proto: TensorProto,
  byteLength: number,
  external: ReadonlyMap<string, Uint8Array> | undefined,
): Uint8Array {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location") ?? "";
  const quoted = JSON.stringify(location);
  const segments = location.split(/[/\\]/);
  if (
    location === "" || segments[0] === "" || segments.includes("..") || /^[A-Za-z]:/.test(location)
  ) {
    throw new FormatError(
      "onnx/external",
      `Tensor ${JSON.stringify(proto.name)} names external data ${quoted}; ` +
        "expected a relative name without `..`.",
    );
  }
  const file = external?.get(location);
  if (file === undefined) {
    throw new FormatError(
      "onnx/external",
      `Tensor ${JSON.stringify(proto.name)} is stored in ${quoted}, which was not handed in; ` +
        "pass that file's bytes as external data under this name.",
    );
  }
  const offset = externalNumber(proto, "offset", entries.get("offset") ?? "0");
  const length = externalNumber(proto, "length", entries.get("length") ?? String(byteLength));
  if (length !== byteLength) {
    fail(proto, `external data of ${length} bytes, but its shape and type need ${byteLength}`);
  }
  if (offset + length > file.length) {
    throw new FormatError(
      "onnx/external",
      `Tensor ${JSON.stringify(proto.name)} is bytes ${offset} to ${
        offset + length
      } of ${quoted}, ` +
        `which has ${file.length}.`,
    );
  }
  return file.subarray(offset, offset + length);
}

/** Little-endian bytes of a typed list; `size` elements are known to be there. */
function listBytes(proto: TensorProto, type: OnnxType, size: number): Uint8Array {
  switch (type) {
    case "float32":
      return new Uint8Array(Float32Array.from(proto.floatData).buffer);
    case "float64":
      return new Uint8Array(Float64Array.from(proto.doubleData).buffer);
    case "int64": {
      const view = new DataView(new ArrayBuffer(size * 8));
      proto.int64Data.forEach((value, i) => view.setBigInt64(i * 8, BigInt(value), true));
      return new Uint8Array(view.buffer);
    }
    case "int32":
      return new Uint8Array(Int32Array.from(proto.int32Data).buffer);
    case "float16":
    case "bfloat16":
      return new Uint8Array(Uint16Array.from(proto.int32Data).buffer);
    default:
      return Uint8Array.from(proto.int32Data);
  }
}

/**
 * Checks a TensorProto: its shape, its type, and that exactly as many bytes or elements are stored as
 * they say, in exactly one place.
 *
 * Throws {@link FormatError} `onnx/tensor`, or `onnx/external` for data outside the file.
 */
export function checkTensor(
  proto: TensorProto,
  external?: ReadonlyMap<string, Uint8Array>,
): OnnxTensor {
  const known = TYPES.get(proto.dataType);
  if (known === undefined) {
    fail(proto, `data type ${proto.dataType} is not supported (TensorProto.DataType)`);
  }
  const [type, width] = known;
  const { dims, size } = sizeOf(proto);
  const made = (bytes: Uint8Array): OnnxTensor => ({ name: proto.name, type, dims, size, bytes });

  const { floatData, int32Data, int64Data, doubleData, rawData } = proto;
  const lists = [floatData, int32Data, int64Data, doubleData].filter((list) => list.length > 0);
  const places = lists.length + (rawData.length > 0 ? 1 : 0);
  if (proto.dataLocation === 1) {
    if (places > 0) fail(proto, "data both inside and outside the file");
    return made(externalBytes(proto, size * width, external));
  }
  if (proto.dataLocation !== 0) fail(proto, `data location ${proto.dataLocation}`);
  if (places > 1) fail(proto, "data in more than one field");
  if (rawData.length > 0 || lists.length === 0) {
    if (rawData.length !== size * width) {
      fail(proto, `${rawData.length} bytes, but shape [${dims}] of ${type} needs ${size * width}`);
    }
    return made(rawData);
  }
  const expected = type === "float32"
    ? floatData
    : type === "float64"
    ? doubleData
    : type === "int64"
    ? int64Data
    : int32Data;
  if (expected.length !== size) {
    fail(proto, `${expected.length} elements for ${type}, but shape [${dims}] needs ${size}`);
  }
  return made(listBytes(proto, type, size));
}

/**
 * A floating-point tensor as float32, row-major. A float32 tensor is a view where its bytes are aligned
 * to four (a raw field lies wherever protobuf put it) and a copy where they are not; other types are
 * widened, and float64 is rounded to nearest.
 *
 * Returns undefined when the tensor is not of a floating-point type.
 */
export function tensorFloats(tensor: OnnxTensor): Float32Array | undefined {
  const { bytes, size } = tensor;
  switch (tensor.type) {
    case "float32":
      return viewFloat32(bytes);
    case "bfloat16":
      return widenBfloat16(bytes);
    case "float16":
      return widenFloat16(bytes);
    case "float64": {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const values = new Float32Array(size);
      for (let i = 0; i < size; i++) values[i] = view.getFloat64(8 * i, true);
      return values;
    }
    default:
      return undefined;
  }
}

/**
 * Any tensor's elements as numbers, for shapes, axes and scalars. An int64 beyond 2^53 is rounded: only
 * "to the end" bounds of a slice are that large.
 */
export function tensorNumbers(tensor: OnnxTensor): number[] {
  const floats = tensor.type === "float64" ? undefined : tensorFloats(tensor);
  if (floats !== undefined) return Array.from(floats);
  const { bytes, size } = tensor;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values: number[] = [];
  for (let i = 0; i < size; i++) {
    switch (tensor.type) {
      case "int64":
        values.push(view.getInt32(8 * i + 4, true) * 2 ** 32 + view.getUint32(8 * i, true));
        break;
      case "int32":
        values.push(view.getInt32(4 * i, true));
        break;
      case "float64":
        values.push(view.getFloat64(8 * i, true));
        break;
      case "int8":
        values.push(view.getInt8(i));
        break;
      default:
        values.push(bytes[i]!);
    }
  }
  return values;
}
