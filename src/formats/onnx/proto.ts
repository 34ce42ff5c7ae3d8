/**
 * The part of ONNX's protobuf schema that a weight reader needs, and its decoder.
 *
 * The schema is written down as a table and turned into a descriptor by `@bufbuild/protobuf`, whose
 * decoder runs no generated code (`new Function` is forbidden in workerd and under a strict CSP) and
 * hands out `bytes` fields as views. Fields that are left out (subgraphs, functions, training info,
 * element types) are skipped unread, so the schema is not recursive and nesting is at most seven deep.
 *
 * Field numbers and types: onnx/onnx.proto, ONNX 1.23 (IR version 14); they never change once assigned
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
 *
 * Weak: the library trusts lengths and wire types inside a message (a child may run past its parent),
 * so {@link decodeModel} first walks the bytes once itself. That pass allocates nothing.
 *
 * @module
 */
import { create, createFileRegistry, fromBinary, ScalarType } from "npm:@bufbuild/protobuf@2.17.0";
import type { DescField, DescMessage } from "npm:@bufbuild/protobuf@2.17.0";
import { BinaryReader, WireType } from "npm:@bufbuild/protobuf@2.17.0/wire";
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorProtoSchema,
} from "npm:@bufbuild/protobuf@2.17.0/wkt";
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

const SCALARS: Readonly<Record<string, Type>> = {
  int64: Type.INT64,
  int32: Type.INT32,
  float: Type.FLOAT,
  double: Type.DOUBLE,
  string: Type.STRING,
  bytes: Type.BYTES,
};

/** Descriptor of ModelProto, built on first use so that importing this file costs nothing. */
let modelSchema: DescMessage | undefined;

function schemaOfModel(): DescMessage {
  if (modelSchema !== undefined) return modelSchema;
  const messageType = Object.entries(SCHEMA).map(([name, fields]) => ({
    name,
    field: fields.map(([field, number, type]) => {
      const single = type.replace("[]", "");
      const label = single === type ? Label.OPTIONAL : Label.REPEATED;
      const scalar = SCALARS[single];
      return scalar !== undefined
        ? { name: field, number, label, type: scalar }
        : { name: field, number, label, type: Type.MESSAGE, typeName: `.onnx.${single}` };
    }),
  }));
  const file = create(FileDescriptorProtoSchema, {
    name: "onnx.proto",
    package: "onnx",
    syntax: "proto2",
    messageType,
  });
  modelSchema = createFileRegistry(file, () => undefined).getMessage("onnx.ModelProto")!;
  return modelSchema;
}

const fieldsByNumber = new WeakMap<DescMessage, Map<number, DescField>>();

function wireTypeOf(field: DescField): WireType {
  const scalar = field.fieldKind === "list"
    ? (field.listKind === "scalar" ? field.scalar : undefined)
    : field.scalar;
  switch (scalar) {
    case ScalarType.INT64:
    case ScalarType.INT32:
      return WireType.Varint;
    case ScalarType.FLOAT:
      return WireType.Bit32;
    case ScalarType.DOUBLE:
      return WireType.Bit64;
    default:
      return WireType.LengthDelimited;
  }
}

/**
 * Most messages (nodes, attributes, tensors, ...) in a file. An encoder's graph has a few thousand. An empty one
 * is two bytes in the file and 500 in memory, so their number is bounded before any is decoded.
 */
const MAX_MESSAGES = 1 << 17;

/**
 * Walks one message's bytes: every field must have the wire type that the schema gives it and must end
 * inside its message, and a packed list must end with its last element.
 */
function checkMessage(
  desc: DescMessage,
  reader: BinaryReader,
  bytes: Uint8Array,
  end: number,
  seen: { messages: number } = { messages: 0 },
): void {
  if (++seen.messages > MAX_MESSAGES) {
    throw new FormatError(
      "onnx/protobuf",
      `The file has more than ${MAX_MESSAGES} messages; an encoder's graph has a few thousand.`,
    );
  }
  let fields = fieldsByNumber.get(desc);
  if (fields === undefined) {
    fields = new Map(desc.fields.map((field) => [field.number, field]));
    fieldsByNumber.set(desc, fields);
  }
  const fail = (at: number, what: string): never => {
    throw new FormatError(
      "onnx/truncated",
      `${desc.name} at byte ${at}: ${what} (the message ends at byte ${end}); ` +
        "the file is truncated or damaged.",
    );
  };
  while (reader.pos < end) {
    const start = reader.pos;
    const [number, wire] = reader.tag();
    const field = fields.get(number);
    if (field === undefined) {
      reader.skip(wire, number);
      if (reader.pos > end) fail(start, `field ${number} runs past its message`);
      continue;
    }
    const expected = wireTypeOf(field);
    const packed = field.fieldKind === "list" && wire === WireType.LengthDelimited &&
      expected !== WireType.LengthDelimited;
    if (wire !== expected && !packed) {
      throw new FormatError(
        "onnx/protobuf",
        `${desc.name}.${field.name} at byte ${start} has wire type ${wire}, expected ${expected}; ` +
          "this is not an ONNX file, or it is damaged.",
      );
    }
    if (wire !== WireType.LengthDelimited) {
      reader.skip(wire, number);
      if (reader.pos > end) fail(start, `${field.name} runs past its message`);
      continue;
    }
    const length = reader.uint32();
    const stop = reader.pos + length;
    if (stop > end) fail(start, `${field.name} claims ${length} bytes`);
    if (field.message !== undefined) {
      checkMessage(field.message, reader, bytes, stop, seen);
    } else if (packed) {
      const size = expected === WireType.Bit32 ? 4 : expected === WireType.Bit64 ? 8 : 0;
      const cut = size > 0 ? length % size !== 0 : length > 0 && bytes[stop - 1]! > 0x7f;
      if (cut) fail(start, `packed ${field.name} of ${length} bytes ends inside an element`);
    }
    reader.pos = stop;
  }
  if (reader.pos !== end) fail(reader.pos, "the last field runs past its message");
}

/**
 * Decodes an ONNX file's protobuf message. `rawData` fields are views into `bytes`.
 *
 * Throws {@link FormatError}: `onnx/truncated` when a length runs past the bytes, `onnx/protobuf` when
 * the bytes are not this message at all, or more messages than any encoder has.
 */
export function decodeModel(bytes: Uint8Array): ModelProto {
  try {
    const schema = schemaOfModel();
    checkMessage(schema, new BinaryReader(bytes), bytes, bytes.length);
    return fromBinary(schema, bytes, { readUnknownFields: false }) as unknown as ModelProto;
  } catch (error) {
    if (error instanceof FormatError) throw error;
    // The library throws RangeError at the end of the bytes and Error for anything else.
    const why = error instanceof Error ? error.message : String(error);
    throw error instanceof RangeError
      ? new FormatError("onnx/truncated", `The ONNX file is truncated: ${why}.`, { cause: error })
      : new FormatError("onnx/protobuf", `Not an ONNX file: ${why}.`, { cause: error });
  }
}
