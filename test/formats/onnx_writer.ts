/**
 * Writes small ONNX files for tests, field by field, so that they can be wrong in any way.
 *
 * Field numbers are those of onnx.proto, written down a second time on purpose.
 *
 * @module
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** A TensorProto; only what is given is written. */
export interface TensorSpec {
  name?: string;
  dims?: readonly (number | bigint)[];
  type?: number;
  raw?: Uint8Array;
  floats?: readonly number[];
  int32s?: readonly number[];
  int64s?: readonly (number | bigint)[];
  doubles?: readonly number[];
  external?: Readonly<Record<string, string>>;
  location?: number;
}

/** A NodeProto. */
export interface NodeSpec {
  op: string;
  inputs?: readonly string[];
  outputs?: readonly string[];
  name?: string;
  domain?: string;
  /** Name and already encoded AttributeProto fields. */
  attributes?: readonly Uint8Array[];
}

/** A ModelProto; `graph: false` leaves the graph out. */
export interface ModelSpec {
  tensors?: readonly TensorSpec[];
  nodes?: readonly NodeSpec[];
  inputs?: readonly string[];
  outputs?: readonly string[];
  opset?: number;
  graph?: boolean;
}

function message(writer: BinaryWriter, field: number, bytes: Uint8Array): BinaryWriter {
  return writer.tag(field, WireType.LengthDelimited).bytes(bytes);
}

function text(writer: BinaryWriter, field: number, value: string): BinaryWriter {
  return writer.tag(field, WireType.LengthDelimited).string(value);
}

/** An encoded TensorProto. */
export function tensorBytes(spec: TensorSpec): Uint8Array {
  const writer = new BinaryWriter();
  // dims is not packed in onnx.proto; both forms are legal to read.
  for (const dim of spec.dims ?? []) writer.tag(1, WireType.Varint).int64(BigInt(dim));
  writer.tag(2, WireType.Varint).int32(spec.type ?? 1);
  if (spec.floats) {
    writer.tag(4, WireType.LengthDelimited).fork();
    for (const value of spec.floats) writer.float(value);
    writer.join();
  }
  if (spec.int32s) {
    writer.tag(5, WireType.LengthDelimited).fork();
    for (const value of spec.int32s) writer.int32(value);
    writer.join();
  }
  if (spec.int64s) {
    writer.tag(7, WireType.LengthDelimited).fork();
    for (const value of spec.int64s) writer.int64(BigInt(value));
    writer.join();
  }
  text(writer, 8, spec.name ?? "t");
  if (spec.raw) message(writer, 9, spec.raw);
  if (spec.doubles) {
    writer.tag(10, WireType.LengthDelimited).fork();
    for (const value of spec.doubles) writer.double(value);
    writer.join();
  }
  for (const [key, value] of Object.entries(spec.external ?? {})) {
    const entry = new BinaryWriter();
    message(writer, 13, text(text(entry, 1, key), 2, value).finish());
  }
  if (spec.location !== undefined) writer.tag(14, WireType.Varint).int32(spec.location);
  return writer.finish();
}

/** An encoded AttributeProto that holds an integer. */
export function intAttribute(name: string, value: number): Uint8Array {
  const writer = text(new BinaryWriter(), 1, name);
  writer.tag(3, WireType.Varint).int64(BigInt(value));
  return writer.tag(20, WireType.Varint).int32(2).finish();
}

/** An encoded AttributeProto that holds a tensor. */
export function tensorAttribute(name: string, spec: TensorSpec): Uint8Array {
  const writer = message(text(new BinaryWriter(), 1, name), 5, tensorBytes(spec));
  return writer.tag(20, WireType.Varint).int32(4).finish();
}

/** A whole file. */
export function modelBytes(spec: ModelSpec): Uint8Array {
  const graph = new BinaryWriter();
  for (const node of spec.nodes ?? []) {
    const writer = new BinaryWriter();
    for (const input of node.inputs ?? []) text(writer, 1, input);
    for (const output of node.outputs ?? []) text(writer, 2, output);
    text(writer, 3, node.name ?? "");
    text(writer, 4, node.op);
    for (const attribute of node.attributes ?? []) message(writer, 5, attribute);
    if (node.domain !== undefined) text(writer, 7, node.domain);
    message(graph, 1, writer.finish());
  }
  text(graph, 2, "graph");
  for (const tensor of spec.tensors ?? []) message(graph, 5, tensorBytes(tensor));
  for (const input of spec.inputs ?? []) {
    message(graph, 11, text(new BinaryWriter(), 1, input).finish());
  }
  for (const output of spec.outputs ?? []) {
    message(graph, 12, text(new BinaryWriter(), 1, output).finish());
  }
  const model = new BinaryWriter();
  model.tag(1, WireType.Varint).int64(8n);
  text(model, 2, "test");
  if (spec.graph !== false) message(model, 7, graph.finish());
  const opset = new BinaryWriter().tag(2, WireType.Varint).int64(BigInt(spec.opset ?? 20));
  message(model, 8, opset.finish());
  return model.finish();
}
