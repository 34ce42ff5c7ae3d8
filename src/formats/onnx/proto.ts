/**
 * The part of ONNX's protobuf schema that a weight reader needs, and its decoder.
 *
 * The schema is a table, and messages are read by it with `@bufbuild/protobuf`'s reader of the wire format. That library's own decoder wants
 * descriptors, whose code is most of it: loading it took longer than loading a model that is no ONNX file at all.
 * Fields that are left out (subgraphs, functions, training info, element types) are skipped unread, so the schema
 * is not recursive and nesting is at most seven deep. `bytes` fields are views.
 *
 * Field numbers and types: onnx/onnx.proto, ONNX 1.23 (IR version 14); they never change once assigned
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
 *
 * Weak: what a damaged file holds before the damage is decoded before it is refused; it is bounded by the file's
 * size and {@link MAX_MESSAGES}.
 *
 * @module
 */
import { BinaryReader, WireType } from "npm:@bufbuild/protobuf@2.17.0/wire";
import { FormatError } from "../../errors.ts";

/** An int64 as the library decodes it; `Number()` reads both forms. */
export type Int64 = bigint | string;

/** A key and a value, for instance `location` of external data. */
export interface StringStringEntryProto {
  readonly key: string;
  readonly value: string;
}

/** A tensor as stored: the data are in one of the typed lists, in `rawData`, or outside the file. */
export interface TensorProto {
  readonly dims: readonly Int64[];
  readonly dataType: number;
  readonly floatData: readonly number[];
  readonly int32Data: readonly number[];
  readonly int64Data: readonly Int64[];
  readonly name: string;
  readonly rawData: Uint8Array;
  readonly doubleData: readonly number[];
  readonly externalData: readonly StringStringEntryProto[];
  /** 1 when the data are outside the file. */
  readonly dataLocation: number;
}

/** An attribute of a node; `type` says which field holds it. */
export interface AttributeProto {
  readonly name: string;
  readonly f: number;
  readonly i: Int64;
  readonly s: Uint8Array;
  readonly t?: TensorProto;
  readonly floats: readonly number[];
  readonly ints: readonly Int64[];
  readonly type: number;
}

/** One operation. */
export interface NodeProto {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly name: string;
  readonly opType: string;
  readonly attribute: readonly AttributeProto[];
  readonly domain: string;
}

/** A graph input or output; of its type the shape of a tensor is read. */
export interface ValueInfoProto {
  readonly name: string;
  readonly type?: {
    readonly tensorType?: {
      readonly shape?: { readonly dim: readonly { readonly dimValue: Int64 }[] };
    };
  };
}

/** Nodes and constants. */
export interface GraphProto {
  readonly node: readonly NodeProto[];
  readonly initializer: readonly TensorProto[];
  readonly input: readonly ValueInfoProto[];
  readonly output: readonly ValueInfoProto[];
}

/** The whole file. */
export interface ModelProto {
  readonly irVersion: Int64;
  readonly producerName: string;
  readonly graph?: GraphProto;
  readonly opsetImport: readonly { readonly domain: string; readonly version: Int64 }[];
}

/** Message by message: field name, number, type; `[]` after the type marks a repeated field. */
const SCHEMA: Readonly<Record<string, readonly (readonly [string, number, string])[]>> = {
  ModelProto: [
    ["ir_version", 1, "int64"],
    ["producer_name", 2, "string"],
    ["graph", 7, "GraphProto"],
    ["opset_import", 8, "OperatorSetIdProto[]"],
  ],
  OperatorSetIdProto: [["domain", 1, "string"], ["version", 2, "int64"]],
  GraphProto: [
    ["node", 1, "NodeProto[]"],
    ["initializer", 5, "TensorProto[]"],
    ["input", 11, "ValueInfoProto[]"],
    ["output", 12, "ValueInfoProto[]"],
  ],
  ValueInfoProto: [["name", 1, "string"], ["type", 2, "TypeProto"]],
  TypeProto: [["tensor_type", 1, "TensorTypeProto"]],
  TensorTypeProto: [["shape", 2, "TensorShapeProto"]],
  TensorShapeProto: [["dim", 1, "DimensionProto[]"]],
  DimensionProto: [["dim_value", 1, "int64"]],
  NodeProto: [
    ["input", 1, "string[]"],
    ["output", 2, "string[]"],
    ["name", 3, "string"],
    ["op_type", 4, "string"],
    ["attribute", 5, "AttributeProto[]"],
    ["domain", 7, "string"],
  ],
  AttributeProto: [
    ["name", 1, "string"],
    ["f", 2, "float"],
    ["i", 3, "int64"],
    ["s", 4, "bytes"],
    ["t", 5, "TensorProto"],
    ["floats", 7, "float[]"],
    ["ints", 8, "int64[]"],
    ["type", 20, "int32"],
  ],
  TensorProto: [
    ["dims", 1, "int64[]"],
    ["data_type", 2, "int32"],
    ["float_data", 4, "float[]"],
    ["int32_data", 5, "int32[]"],
    ["int64_data", 7, "int64[]"],
    ["name", 8, "string"],
    ["raw_data", 9, "bytes"],
    ["double_data", 10, "double[]"],
    ["external_data", 13, "StringStringEntryProto[]"],
    ["data_location", 14, "int32"],
  ],
  StringStringEntryProto: [["key", 1, "string"], ["value", 2, "string"]],
};

/** How the types that are no messages stand in a file, and what one is that is left out. */
const SCALARS = {
  int64: { wire: WireType.Varint, absent: 0n },
  int32: { wire: WireType.Varint, absent: 0 },
  float: { wire: WireType.Bit32, absent: 0 },
  double: { wire: WireType.Bit64, absent: 0 },
  string: { wire: WireType.LengthDelimited, absent: "" },
  bytes: { wire: WireType.LengthDelimited, absent: new Uint8Array(0) },
} as const;

type Scalar = keyof typeof SCALARS;

/** A field of a message. */
interface Field {
  /** As the schema calls it. */
  readonly name: string;
  /** As the decoded message calls it. */
  readonly key: string;
  readonly list: boolean;
  /** Undefined: a message. */
  readonly scalar: Scalar | undefined;
  readonly type: string;
}

/** A message while it is decoded. */
type Message = Record<string, unknown>;

const messages = new Map<string, ReadonlyMap<number, Field>>();

/** The fields of a message by their numbers, from the table on first use. */
function fieldsOf(message: string): ReadonlyMap<number, Field> {
  let fields = messages.get(message);
  if (fields === undefined) {
    fields = new Map(SCHEMA[message]!.map(([name, number, written]): [number, Field] => {
      const type = written.replace("[]", "");
      const key = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
      const scalar = Object.hasOwn(SCALARS, type) ? type as Scalar : undefined;
      return [number, { name, key, list: type !== written, scalar, type }];
    }));
    messages.set(message, fields);
  }
  return fields;
}

/** A message none of whose fields was found. */
function emptyOf(fields: ReadonlyMap<number, Field>): Message {
  const message: Message = {};
  for (const { key, list, scalar } of fields.values()) {
    message[key] = list ? [] : scalar && SCALARS[scalar].absent;
  }
  return message;
}

/**
 * Most messages (nodes, attributes, tensors, ...) in a file. An encoder's graph has a few thousand. An empty one
 * is two bytes in the file and 500 in memory, so their number is bounded before any is decoded.
 */
const MAX_MESSAGES = 1 << 17;

/** Reads a value at the reader's place. */
function readScalar(reader: BinaryReader, type: Scalar): unknown {
  switch (type) {
    case "int64":
      return reader.int64();
    case "int32":
      return reader.int32();
    case "float":
      return reader.float();
    case "double":
      return reader.double();
    case "string":
      return reader.string();
    case "bytes":
      return reader.bytes();
  }
}

/**
 * Decodes one message, from the reader's place to `end`: every field must have the wire type that the schema gives
 * it and must end inside its message, and a packed list must end with its last element. Of a field that comes
 * twice the last one counts, of a message both, as protobuf has it.
 */
function decodeMessage(
  type: string,
  reader: BinaryReader,
  bytes: Uint8Array,
  end: number,
  seen: { messages: number },
  earlier?: Message,
): Message {
  if (++seen.messages > MAX_MESSAGES) {
    throw new FormatError(
      "onnx/protobuf",
      `The file has more than ${MAX_MESSAGES} messages; an encoder's graph has a few thousand.`,
    );
  }
  const fail = (at: number, what: string): never => {
    throw new FormatError(
      "onnx/truncated",
      `${type} at byte ${at}: ${what} (the message ends at byte ${end}); ` +
        "the file is truncated or damaged.",
    );
  };
  const fields = fieldsOf(type), message = earlier ?? emptyOf(fields);
  while (reader.pos < end) {
    const start = reader.pos;
    const [number, wire] = reader.tag();
    const field = fields.get(number);
    if (field === undefined) {
      reader.skip(wire, number);
      if (reader.pos > end) fail(start, `field ${number} runs past its message`);
      continue;
    }
    const { name, key, list, scalar } = field;
    const put = (value: unknown): void => {
      if (list) (message[key] as unknown[]).push(value);
      else message[key] = value;
    };
    const expected = scalar ? SCALARS[scalar].wire : WireType.LengthDelimited;
    const packed = list && wire === WireType.LengthDelimited && expected !== wire;
    if (wire !== expected && !packed) {
      throw new FormatError(
        "onnx/protobuf",
        `${type}.${name} at byte ${start} has wire type ${wire}, expected ${expected}; ` +
          "this is not an ONNX file, or it is damaged.",
      );
    }
    if (wire !== WireType.LengthDelimited) {
      put(readScalar(reader, scalar!));
      if (reader.pos > end) fail(start, `${name} runs past its message`);
      continue;
    }
    const value = reader.pos, length = reader.uint32(), stop = reader.pos + length;
    if (stop > end) fail(start, `${name} claims ${length} bytes`);
    if (scalar === undefined) {
      const before = list ? undefined : message[key] as Message | undefined;
      put(decodeMessage(field.type, reader, bytes, stop, seen, before));
    } else if (packed) {
      const size = expected === WireType.Bit32 ? 4 : expected === WireType.Bit64 ? 8 : 0;
      const cut = size > 0 ? length % size !== 0 : length > 0 && bytes[stop - 1]! > 0x7f;
      if (cut) fail(start, `packed ${name} of ${length} bytes ends inside an element`);
      while (reader.pos < stop) put(readScalar(reader, scalar));
    } else {
      reader.pos = value;
      put(readScalar(reader, scalar));
    }
  }
  if (reader.pos !== end) fail(reader.pos, "the last field runs past its message");
  return message;
}

/**
 * Decodes an ONNX file's protobuf message. `rawData` fields are views into `bytes`.
 *
 * Throws {@link FormatError}: `onnx/truncated` when a length runs past the bytes, `onnx/protobuf` when
 * the bytes are not this message at all, or more messages than any encoder has.
 */
export function decodeModel(bytes: Uint8Array): ModelProto {
  try {
    const reader = new BinaryReader(bytes), seen = { messages: 0 };
    return decodeMessage("ModelProto", reader, bytes, bytes.length, seen) as unknown as ModelProto;
  } catch (error) {
    if (error instanceof FormatError) throw error;
    // The library throws RangeError at the end of the bytes and Error for anything else.
    const why = error instanceof Error ? error.message : String(error);
    throw error instanceof RangeError
      ? new FormatError("onnx/truncated", `The ONNX file is truncated: ${why}.`, { cause: error })
      : new FormatError("onnx/protobuf", `Not an ONNX file: ${why}.`, { cause: error });
  }
}
