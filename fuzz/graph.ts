/**
 * Parts that mutants of ONNX graphs are made of: odd attributes, long chains of nodes, tensors of NaN.
 *
 * @module
 */
import { EDGES, type Random } from "./random.ts";
import { type Field, Message } from "./wire.ts";

/** What a mutation works on. */
export interface Draft {
  readonly random: Random;
  readonly model: Message;
  readonly graph: Message;
  readonly nodes: Message[];
  readonly tensors: Message[];
  readonly external: Map<string, Uint8Array>;
}

/** Operators that readers look for, and some that they do not. */
export const OPS = [
  ..."Add Mul Sub Div Pow Sqrt Identity Cast Reshape Transpose MatMul Gemm Gather Slice".split(" "),
  ..."Concat Constant ConstantOfShape Expand Softmax LayerNormalization Erf Tanh Where".split(" "),
  ..."DequantizeLinear QuantizeLinear MatMulInteger DynamicQuantizeLinear Split Attention".split(
    " ",
  ),
  ..."ReduceMean Shape Range Gelu If Loop Scan CumSum Sum Neg Reciprocal IsNaN Einsum".split(" "),
  "",
  "constructor",
];

/** A number again and again, mostly one that is hard to compute with, as float32. */
export function floats(random: Random, count: number): Uint8Array {
  const bytes = new Uint8Array(count * 4), view = new DataView(bytes.buffer);
  const value = random.pick([NaN, Infinity, -Infinity, 3.4e38, -3.4e38, 1e-45, 1e20, 0, -0, 1]);
  for (let i = 0; i < count; i++) view.setFloat32(i * 4, random.once(8) ? 1 : value, true);
  return bytes;
}

/** A name of a value that occurs in the graph, or hardly ever one that does not. */
export function someName({ random, nodes, tensors }: Draft): Uint8Array {
  if (random.once(20)) return random.bytes(random.size(8));
  const from = random.once(3) && tensors.length > 0 ? random.pick(tensors) : random.pick(nodes);
  const number = from.kind === "Tensor" ? 8 : random.pick([1, 2]);
  const value = from.fields.filter((field) => field.number === number)[0]?.value;
  return value instanceof Uint8Array ? value : new Uint8Array(0);
}

/** An attribute of any type, with several values. */
export function attribute(random: Random, name: string): Message {
  const made = new Message("Attribute");
  made.add(1, name);
  const type = random.int(16);
  if (random.once(2)) made.fields.push({ number: 2, wire: 5, value: floats(random, 1) });
  if (random.once(2)) made.add(3, random.pick(EDGES));
  if (random.once(3)) made.add(4, random.bytes(random.size(16)));
  if (random.once(3)) made.add(5, new Message("Tensor"));
  for (let n = random.int(4); n > 0; n--) made.add(8, random.pick(EDGES));
  if (random.once(4)) made.add(7, floats(random, random.int(4)));
  made.add(20, type);
  return made;
}

/** Names of attributes. */
export const NAMES = "axis axes perm value epsilon transA transB alpha beta to keepdims scale"
  .split(" ")
  .concat(["is_causal", "block_size", "approximate", "value_ints", "starts", "", "__proto__"]);

/** A tensor's `raw_data`. */
export function raw(tensor: Message): Uint8Array {
  const value = tensor.field(9)?.value;
  return value instanceof Uint8Array ? value : new Uint8Array(0);
}

/** Nodes `Identity` in a row, from a value that exists; returns the last one's output. */
export function chain(draft: Draft, length: number, op: string): string {
  const first = new TextDecoder().decode(someName(draft));
  let at = first;
  for (let i = 0; i < length; i++) {
    const node = new Message("Node"), out = `chain${i}`;
    node.add(1, at);
    if (op === "Add" || op === "Concat" || op === "Where") node.add(1, at);
    if (op === "Where") node.add(1, at);
    node.add(2, out);
    node.add(4, op);
    draft.graph.fields.unshift({ number: 1, wire: 2, value: node });
    at = out;
  }
  // They were put in front one by one, so the first is behind: in order again.
  const made = draft.graph.fields.splice(0, length).reverse();
  const last = draft.graph.fields.findLastIndex(({ number }) => number === 1);
  draft.graph.fields.splice(placeBefore(draft, last), 0, ...made);
  return at;
}

function placeBefore({ random }: Draft, last: number): number {
  return random.int(last + 1);
}

/** A node of these inputs. */
function nodeOf(op: string, output: string, ...inputs: string[]): Field {
  const node = new Message("Node");
  for (const input of inputs) node.add(1, input);
  node.add(2, output);
  node.add(4, op);
  return { number: 1, wire: 2, value: node };
}

/**
 * Puts nodes that change nothing in front of a node that recognisers look behind: many in a row, and sums that
 * read one value twice, so that whoever follows every path has 2^n of them.
 */
export function obstruct({ random, graph, nodes }: Draft): void {
  const ops = ["Softmax", "MatMul", "Gemm", "LayerNormalization", "Erf", "Tanh", "Gather", "Add"];
  const op = random.pick(ops), found = nodes.filter((node) => node.text(4) === op);
  const node = random.pick(found.length > 0 ? found : nodes);
  const input = random.pick(node.fields.filter((field) => field.number === 1));
  if (!(input?.value instanceof Uint8Array)) return;
  let at = new TextDecoder().decode(input.value);
  const made: Field[] = [];
  const add = (name: string, ...further: string[]): void => {
    const output = `obstruct${made.length}`;
    made.push(nodeOf(name, output, ...further));
    at = output;
  };
  const isNaN = random.once(3);
  if (isNaN) made.push(nodeOf("IsNaN", "isnan", at));
  for (let n = random.pick([0, 100, 3000, 15_000]); n > 0; n--) {
    if (isNaN) add("Where", "isnan", "", at);
    else add(random.once(2) ? "Identity" : "Reshape", at);
  }
  for (let n = random.pick([0, 3, 12, 40]); n > 0; n--) {
    add(random.once(4) ? "Where" : "Add", at, at, at);
  }
  input.value = new TextEncoder().encode(at);
  const before = graph.fields.findIndex(({ value }) => value === node);
  graph.fields.splice(Math.max(0, before), 0, ...made);
}
