/**
 * An ONNX file's bytes to a checked graph.
 *
 * What comes out keeps ONNX's own terms (nodes, values by name, initializers) with every tensor checked,
 * and every value known to be produced before it is used, so that code which walks the graph needs no
 * guards of its own: no cycles, no dangling names, no two producers of one value. Nodes that are listed in
 * another order are put in order.
 *
 * Weak: subgraphs (If, Loop) and local functions are not read; a graph that needs them fails later, at
 * the node that uses them.
 *
 * @module
 */
import { FormatError, InputError, isBytes } from "../../errors.ts";
import { type AttributeProto, decodeModel, type NodeProto } from "./proto.ts";
import { checkTensor, type OnnxTensor } from "./tensor.ts";

/** A node attribute; null for a kind that is not read (subgraphs, types, lists of strings or tensors). */
export type OnnxAttribute = number | string | readonly number[] | OnnxTensor | null;

/** One operation of the graph. */
export interface OnnxNode {
  /** Position in the graph, from 0. */
  readonly index: number;
  /** For messages; often empty. */
  readonly name: string;
  /** Operator, for instance `MatMul`. */
  readonly op: string;
  /** Empty for ONNX's own operators (`ai.onnx`). */
  readonly domain: string;
  /** Names of values; an empty name is an input that was left out. */
  readonly inputs: readonly string[];
  /** Names of values; an empty name is an output that nobody reads. */
  readonly outputs: readonly string[];
  /** By name. */
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

/** A decoded and checked graph. */
export interface OnnxGraph {
  /** Version of ONNX's own operators. */
  readonly opset: number;
  /** Graph inputs that are not initializers. */
  readonly inputs: readonly string[];
  /** Sizes that the file gives an input; undefined for one that is known at run time only. */
  readonly shapes: ReadonlyMap<string, readonly (number | undefined)[]>;
  /** Graph outputs, in the file's order. */
  readonly outputs: readonly string[];
  /**
   * In an order in which each node comes after those it reads; the file's, where it is one, as the standard asks.
   */
  readonly nodes: readonly OnnxNode[];
  /** Stored weights and constants by name. */
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
}

function attribute(proto: AttributeProto, external?: ReadonlyMap<string, Uint8Array>) {
  // AttributeProto.AttributeType.
  switch (proto.type) {
    case 1:
      return proto.f;
    case 2:
      return Number(proto.i);
    case 3:
      return new TextDecoder().decode(proto.s);
    case 4:
      return proto.t === undefined ? null : checkTensor(proto.t, external);
    case 6:
      return proto.floats;
    case 7:
      return proto.ints.map(Number);
    default:
      return null;
  }
}

function graphError(message: string): FormatError {
  return new FormatError("onnx/graph", message);
}

/** How a node is called in messages: `MatMul node "/encoder/MatMul" (number 12)`. */
export function nodeLabel(node: OnnxNode): string {
  const op = node.domain === "" ? node.op : `${node.domain}.${node.op}`;
  return `${op} node ${
    node.name === "" ? "" : `${JSON.stringify(node.name)} `
  }(number ${node.index})`;
}

function readNode(
  proto: NodeProto,
  index: number,
  external?: ReadonlyMap<string, Uint8Array>,
): OnnxNode {
  const attributes = new Map<string, OnnxAttribute>();
  const node: OnnxNode = {
    index,
    name: proto.name,
    op: proto.opType,
    domain: proto.domain === "ai.onnx" ? "" : proto.domain,
    inputs: proto.input,
    outputs: proto.output,
    attributes,
  };
  for (const item of proto.attribute) {
    if (attributes.has(item.name)) {
      throw graphError(`${nodeLabel(node)} has two attributes ${JSON.stringify(item.name)}.`);
    }
    attributes.set(item.name, attribute(item, external));
  }
  return node;
}

/**
 * The nodes, each after those that it reads; as they are listed where they are so. `given` are the values that
 * no node produces. Throws {@link FormatError} `onnx/graph` for a cycle.
 */
function inOrder(listed: readonly OnnxNode[], given: ReadonlySet<string>): OnnxNode[] {
  /** How many values each node still waits for, and who waits for each value. */
  const waiting = new Map<OnnxNode, number>(), readers = new Map<string, OnnxNode[]>();
  for (const node of listed) {
    const needed = new Set(node.inputs.filter((name) => name !== "" && !given.has(name)));
    waiting.set(node, needed.size);
    for (const name of needed) {
      const others = readers.get(name);
      if (others === undefined) readers.set(name, [node]);
      else others.push(node);
    }
  }
  const order: OnnxNode[] = [];
  for (const first of listed) {
    // A node that is ready takes its place; those that it lets go and were passed over already come next.
    const ready = waiting.get(first) === 0 ? [first] : [];
    for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
      waiting.delete(node);
      order.push(node);
      for (const reader of node.outputs.flatMap((name) => readers.get(name) ?? [])) {
        const left = waiting.get(reader)! - 1;
        waiting.set(reader, left);
        if (left === 0 && reader.index < first.index) ready.push(reader);
      }
    }
  }
  const [stuck] = waiting.keys();
  if (stuck === undefined) return order;
  throw graphError(
    `${nodeLabel(stuck)} waits for a value that depends on its own: the graph has a cycle.`,
  );
}

/**
 * Decodes an ONNX model. Tensors are views into `bytes`, or into `external` for a model whose weights
 * are stored beside it: a map from the location that the file names to those bytes.
 *
 * Throws {@link FormatError}: `onnx/truncated` and `onnx/protobuf` for bytes that are not a whole ONNX
 * file, `onnx/tensor` for a tensor that contradicts itself, `onnx/external` for external data that are
 * missing or too short, `onnx/graph` for a graph whose names do not fit together; {@link InputError}
 * `input/bytes` when `bytes` is not a Uint8Array.
 */
export function decodeOnnx(
  bytes: Uint8Array,
  external?: ReadonlyMap<string, Uint8Array>,
): OnnxGraph {
  if (!isBytes(bytes)) {
    throw new InputError("input/bytes", "decodeOnnx: expected the file's bytes as a Uint8Array.");
  }
  const model = decodeModel(bytes);
  const proto = model.graph;
  if (proto === undefined) {
    throw graphError("The file has no graph: it is not an ONNX model, or it is truncated.");
  }
  const standard = model.opsetImport.find(({ domain }) => domain === "" || domain === "ai.onnx");
  const opset = Number(standard?.version ?? 0);
  if (!Number.isInteger(opset) || opset < 1) {
    throw graphError("The model names no version of ONNX's operators (opset_import).");
  }

  const initializers = new Map<string, OnnxTensor>();
  for (const item of proto.initializer) {
    const tensor = checkTensor(item, external);
    if (tensor.name === "") throw graphError("An initializer has no name.");
    if (initializers.has(tensor.name)) {
      throw graphError(`There are two initializers named ${JSON.stringify(tensor.name)}.`);
    }
    initializers.set(tensor.name, tensor);
  }

  const inputs = proto.input.map(({ name }) => name).filter((name) => !initializers.has(name));
  const known = new Set<string>([...initializers.keys(), ...inputs]);
  if (known.size !== initializers.size + inputs.length) {
    throw graphError("Two inputs of the graph have one name.");
  }
  const listed = proto.node.map((item, index) => readNode(item, index, external));
  const given = new Set(known);
  for (const node of listed) {
    for (const name of node.outputs) {
      if (name === "") continue;
      if (known.has(name)) {
        throw graphError(`${nodeLabel(node)} produces ${JSON.stringify(name)} a second time.`);
      }
      known.add(name);
    }
  }
  for (const node of listed) {
    const missing = node.inputs.find((name) => name !== "" && !known.has(name));
    if (missing !== undefined) {
      throw graphError(
        `${nodeLabel(node)} reads ${JSON.stringify(missing)}, which nothing produces.`,
      );
    }
  }
  const nodes = inOrder(listed, given);
  const outputs = proto.output.map(({ name }) => name);
  for (const name of outputs) {
    if (!known.has(name)) throw graphError(`Nothing produces output ${JSON.stringify(name)}.`);
  }
  const shapes = new Map(
    proto.input.map(({ name, type }) => {
      const dims = type?.tensorType?.shape?.dim ?? [];
      // A name, or nothing, stands for any size.
      return [name, dims.map(({ dimValue }) => Number(dimValue) || undefined)] as const;
    }),
  );
  return { opset, inputs, shapes, outputs, nodes, initializers };
}
