/**
 * A small writer of ONNX files: nodes and constants one after the other, then the bytes.
 *
 * The counterpart of the decoder in src/formats/onnx/, which describes only what a reader of weights needs;
 * a file that engines load must also type its inputs and name its graph. Messages are written field by
 * field with the wire library: the field numbers stand beside their names, and weights of hundreds of
 * megabytes never become a tree of message objects.
 *
 * Field numbers: onnx/onnx.proto, ONNX 1.23; they never change once assigned
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
 *
 * Weak: everything is one message, so a model of more than 2 GB cannot be written, and joining the nested
 * messages copies the weights two times on the way.
 *
 * @module
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** TensorProto.DataType. */
export const TYPE = { float: 1, int8: 3, int64: 7, bool: 9 } as const;

/** Name of a value in a graph. */
export type Value = string;

/** A node's attribute: an integer, or a float in an object so that 1.0 cannot pass for 1, or integers. */
export type Attribute = number | { readonly float: number } | readonly number[];

/** A dimension: a size, or a name where it is known at run time only. */
export type Dimension = number | string;

type Data = Float32Array | Int8Array | BigInt64Array;

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
export class OnnxGraph {
  readonly #nodes = new BinaryWriter();
  readonly #constants = new BinaryWriter();
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
    if (this.#known.has(name)) return name;
    this.#known.add(name);
    const type = data instanceof Float32Array
      ? TYPE.float
      : data instanceof Int8Array
      ? TYPE.int8
      : TYPE.int64;
    message(this.#constants, 5, (w) => { // initializer: TensorProto
      for (const dim of dims) integer(w, 1, dim); // dims
      integer(w, 2, type); // data_type
      text(w, 8, name);
      w.tag(9, WireType.LengthDelimited) // raw_data, little-endian
        .bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    });
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

  /** The file: IR version 8 (ONNX 1.10 and later), standard operators of the given set. */
  finish(opset: number, producer: string): Uint8Array<ArrayBuffer> {
    const w = new BinaryWriter();
    integer(w, 1, 8); // ir_version
    text(w, 2, producer); // producer_name
    message(w, 7, (w) => { // graph: GraphProto; its parts are written with their tags already
      w.raw(this.#nodes.finish());
      text(w, 2, "encoder"); // name
      w.raw(this.#constants.finish());
      w.raw(this.#ports.finish());
    });
    message(w, 8, (w) => { // opset_import: OperatorSetIdProto
      text(w, 1, ""); // domain
      integer(w, 2, opset); // version
    });
    return w.finish() as Uint8Array<ArrayBuffer>;
  }
}
