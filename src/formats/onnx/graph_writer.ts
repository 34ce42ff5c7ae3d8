/**
 * A small writer of ONNX files: nodes and constants one after the other, then the bytes.
 *
 * The counterpart of the decoder beside it, which describes only what a reader of weights needs; a file that
 * engines load must also type its inputs and name its graph. Messages are written field by field with the
 * wire library: the field numbers stand beside their names. Tensors are made one at a time, when the file's
 * size is known and its memory is there, so that writing takes the file's size and one tensor.
 *
 * Field numbers: onnx/onnx.proto, ONNX 1.23; they never change once assigned
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
 *
 * Weak: everything is one message, and a message has less than 2 GB. Assumes a little-endian host.
 *
 * @module
 */
import { BinaryWriter, WireType } from "npm:@bufbuild/protobuf@2.17.0/wire";
import { ModelError } from "../../errors.ts";

/** Protobuf's limit on a message: its parsers count bytes in an int32. */
const MAX_BYTES = 2 ** 31 - 1;

/** TensorProto.DataType. */
export const TYPE = { float: 1, int8: 3, int64: 7, bool: 9 } as const;

/** Name of a value in a graph. */
export type Value = string;

/** A node's attribute: an integer, or a float in an object so that 1.0 cannot pass for 1, or integers. */
export type Attribute = number | { readonly float: number } | readonly number[];

/** A dimension: a size, or a name where it is known at run time only. */
export type Dimension = number | string;

type Data = Float32Array | Int8Array | BigInt64Array;

/** A tensor's place in the file: what stands before its elements, and how to make them. */
interface Constant {
  readonly head: Uint8Array;
  readonly bytes: number;
  readonly make: () => Data;
}

/** An array's elements' type. By its tag, which another realm's arrays have, too. */
const STORED = {
  Float32Array: TYPE.float,
  Int8Array: TYPE.int8,
  BigInt64Array: TYPE.int64,
} as const;

/** Bytes of an element. */
const SIZES = new Map<number, number>([[TYPE.float, 4], [TYPE.int8, 1], [TYPE.int64, 8]]);

/** AttributeProto.AttributeType. */
const ATTRIBUTE = { float: 1, int: 2, ints: 7 } as const;

/** Writes `fields` as a nested message. */
function message(writer: BinaryWriter, field: number, fields: (w: BinaryWriter) => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  fields(writer);
  writer.join();
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}

function integer(writer: BinaryWriter, field: number, value: number): void {
  writer.tag(field, WireType.Varint).int64(value);
}

function attribute(writer: BinaryWriter, name: string, value: Attribute): void {
  text(writer, 1, name);
  if (typeof value === "number") {
    integer(writer, 3, value); // i
    integer(writer, 20, ATTRIBUTE.int); // type
  } else if ("float" in value) {
    writer.tag(2, WireType.Bit32).float(value.float); // f
    integer(writer, 20, ATTRIBUTE.float);
  } else {
    for (const item of value) integer(writer, 8, item); // ints
    integer(writer, 20, ATTRIBUTE.ints);
  }
}

/** ValueInfoProto: a name with an element type and a shape. */
function valueInfo(name: Value, type: number, dims: readonly Dimension[]) {
  return (w: BinaryWriter): void => {
    text(w, 1, name);
    message(w, 2, (w) =>
      // type: TypeProto
      message(w, 1, (w) => { // tensor_type: TypeProto.Tensor
        integer(w, 1, type); // elem_type
        message(w, 2, (w) => { // shape: TensorShapeProto
          for (const dim of dims) {
            message(w, 1, (w) => { // dim: Dimension
              if (typeof dim === "number") integer(w, 1, dim); // dim_value
              else text(w, 2, dim); // dim_param
            });
          }
        });
      }));
  };
}

/** Collects a graph; every method that makes a value returns its name. */
export class GraphWriter {
  readonly #nodes = new BinaryWriter();
  readonly #constants: Constant[] = [];
  readonly #ports = new BinaryWriter();
  readonly #known = new Set<Value>();
  #count = 0;

  /** Declares an input of the graph. */
  input(name: Value, type: number, dims: readonly Dimension[]): Value {
    message(this.#ports, 11, valueInfo(name, type, dims));
    return name;
  }

  /** Declares a value as output of the graph. */
  output(name: Value, type: number, dims: readonly Dimension[]): void {
    message(this.#ports, 12, valueInfo(name, type, dims));
  }

  /** A constant tensor, row-major. A name that was given before stands for what it was given for. */
  constant(name: Value, dims: readonly number[], data: Data): Value {
    return this.lazy(name, dims, STORED[data[Symbol.toStringTag]], () => data);
  }

  /** A constant tensor whose elements are made when the file is; as many as `dims` say. */
  lazy(name: Value, dims: readonly number[], type: number, make: () => Data): Value {
    if (this.#known.has(name)) return name;
    this.#known.add(name);
    const bytes = dims.reduce((product, dim) => product * dim, SIZES.get(type)!);
    const fields = new BinaryWriter(); // TensorProto
    for (const dim of dims) integer(fields, 1, dim); // dims
    integer(fields, 2, type); // data_type
    text(fields, 8, name);
    // raw_data, the last field: its length here, its bytes in finish()
    fields.tag(9, WireType.LengthDelimited).uint32(checkSize(bytes));
    const tensor = fields.finish();
    const head = new BinaryWriter() // initializer
      .tag(5, WireType.LengthDelimited).uint32(checkSize(tensor.length + bytes)).raw(tensor);
    this.#constants.push({ head: head.finish(), bytes, make });
    return name;
  }

  /** A float scalar. */
  scalar(value: number): Value {
    return this.constant(`scalar_${value}`, [], Float32Array.of(value));
  }

  /** A list of int64, as axes and shapes are given. */
  integers(...values: number[]): Value {
    const data = BigInt64Array.from(values.map(BigInt));
    return this.constant(`integers_${values.join("_")}`, [values.length], data);
  }

  /** A single int64 without dimensions. */
  index(value: number): Value {
    return this.constant(`index_${value}`, [], BigInt64Array.of(BigInt(value)));
  }

  /** Adds a node with one output, named `name` if that is given. */
  node(
    op: string,
    inputs: readonly Value[],
    attributes: Readonly<Record<string, Attribute>> = {},
    name?: Value,
  ): Value {
    return this.nodeOf(1, op, inputs, attributes, name)[0];
  }

  /** Adds a node with several outputs. */
  nodeOf(
    outputs: number,
    op: string,
    inputs: readonly Value[],
    attributes: Readonly<Record<string, Attribute>> = {},
    name: Value = `${op}_${this.#count++}`,
  ): Value[] {
    const names = outputs === 1
      ? [name]
      : Array.from({ length: outputs }, (_, i) => `${name}_${i}`);
    message(this.#nodes, 1, (w) => { // node: NodeProto
      for (const input of inputs) text(w, 1, input);
      for (const output of names) text(w, 2, output);
      text(w, 3, `node ${name}`);
      text(w, 4, op); // op_type
      for (const [key, value] of Object.entries(attributes)) {
        message(w, 5, (w) => attribute(w, key, value));
      }
    });
    return names;
  }

  /**
   * The file: IR version 8 (ONNX 1.10 and later), standard operators of the given set. Can be made once.
   *
   * @throws {ModelError} `onnx/size` for a file of 2 GB or more, before its memory is asked for
   */
  finish(opset: number, producer: string): Uint8Array<ArrayBuffer> {
    const before = new BinaryWriter().raw(this.#nodes.finish());
    text(before, 2, "encoder"); // name
    const parts = [before.finish(), this.#ports.finish()];
    const size = this.#constants.reduce((sum, { head, bytes }) => sum + head.length + bytes, 0) +
      parts[0].length + parts[1].length;
    const start = new BinaryWriter();
    integer(start, 1, 8); // ir_version
    text(start, 2, producer); // producer_name
    message(start, 8, (w) => { // opset_import: OperatorSetIdProto
      text(w, 1, ""); // domain
      integer(w, 2, opset); // version
    });
    start.tag(7, WireType.LengthDelimited).uint32(checkSize(size)); // graph: GraphProto
    const opening = start.finish();

    const file = new Uint8Array(checkSize(opening.length + size));
    let at = 0;
    const put = (bytes: Uint8Array): void => {
      file.set(bytes, at);
      at += bytes.length;
    };
    put(opening);
    put(parts[0]);
    for (const { head, make } of this.#constants) {
      put(head);
      const data = make();
      put(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    put(parts[1]);
    return file;
  }
}

function checkSize(bytes: number): number {
  if (bytes <= MAX_BYTES) return bytes;
  throw new ModelError(
    "onnx/size",
    `as one ONNX file the model would have ${bytes} bytes or more; less than 2 GB are possible. ` +
      "Write it as int8, or trim its vocabulary.",
  );
}
