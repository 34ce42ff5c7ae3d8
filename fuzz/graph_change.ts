/**
 * One change in one place of a graph: the kind that a tool's fault, a fork's idea or a new version makes.
 *
 * Unlike the mutants of `onnx.ts`, which are damage, these are graphs that mostly still run and compute
 * something else: an operator for another, a constant a little larger, an attribute added, inputs swapped, a
 * value taken from elsewhere, an operator put in between.
 *
 * @module
 */
import type { Random } from "./random.ts";
import { type Field, Message, parse, write } from "./wire.ts";

/** Operators that take the same inputs, so that one can stand for another. */
const FAMILIES = [
  "Add Sub Mul Div Pow Max Min PRelu Mod",
  "And Or Xor Equal",
  "Equal Less LessOrEqual Greater GreaterOrEqual",
  "Tanh Erf Sigmoid Relu Identity Neg Abs Floor Ceil Round Exp Sqrt Softplus Sign Reciprocal Gelu Not Sin",
  "Softmax LogSoftmax Hardmax",
  "ReduceMean ReduceSum ReduceMax ReduceMin ReduceL2 ReduceProd ReduceSumSquare",
  "Where",
  "Reshape Expand Unsqueeze Squeeze Tile",
  "Gather GatherElements",
  "MatMul Mul",
  "LayerNormalization InstanceNormalization",
  "Cast",
  "CumSum",
].map((line) => line.split(" "));

/** Attributes that change what an operator computes, where it has them. */
const ATTRIBUTES =
  "axis axes keepdims is_causal softcap scale epsilon alpha beta transA transB exclusive"
    .split(" ").concat(
      "reverse start end to allowzero q_num_heads num_heads unidirectional mask_filter_value".split(
        " ",
      ),
      ["perm", "batch_dims", "block_size", "noop_with_empty_axes", "approximate", "do_rotary"],
    );

/** What a change works on. */
interface Draft {
  readonly random: Random;
  readonly graph: Message;
  readonly nodes: readonly Message[];
  /** Initializers and the tensors of Constant nodes. */
  readonly tensors: readonly Message[];
}

/** A change, or undefined where there was nothing to change; returns what it did, in words. */
type Change = (draft: Draft) => string | undefined;

const decoder = new TextDecoder(), encoder = new TextEncoder();

function inputsOf(node: Message): Field[] {
  return node.fields.filter(({ number, value }) =>
    number === 1 && value instanceof Uint8Array && value.length > 0
  );
}

function nameOf(field: Field): string {
  return decoder.decode(field.value as Uint8Array);
}

/** A node by what it is, and its first output. */
function label(node: Message): string {
  return `${node.text(4)} -> ${node.text(2)}`;
}

/** Bytes of an element by data type, and how it is read and written; for the types that constants have. */
const ELEMENTS: Readonly<Record<string, readonly [width: number, get: string, set: string]>> = {
  1: [4, "getFloat32", "setFloat32"],
  2: [1, "getUint8", "setUint8"],
  3: [1, "getInt8", "setInt8"],
  6: [4, "getInt32", "setInt32"],
  7: [8, "getBigInt64", "setBigInt64"],
  9: [1, "getUint8", "setUint8"],
};

/** Changes one element of a tensor that is stored as bytes. */
function changeElement(random: Random, tensor: Message, what: string): string | undefined {
  const type = Number(tensor.field(2)?.value ?? 0), field = tensor.field(9);
  const known = ELEMENTS[type];
  if (known === undefined || !(field?.value instanceof Uint8Array)) return undefined;
  const [width, get, set] = known, bytes = field.value.slice();
  if (bytes.length < width) return undefined;
  const at = width * random.int(bytes.length / width);
  type Access = Record<
    string,
    (at: number, second: number | bigint | boolean, little?: boolean) => unknown
  >;
  const view = new DataView(bytes.buffer) as unknown as Access;
  const old = Number(view[get]!(at, true));
  const next = type === 9 ? 1 - old : random.pick([
    old + 1,
    old - 1,
    -old,
    old * 2,
    0,
    1,
    2,
    3,
    -1,
    ...(type === 1 ? [old * 1.1, old / 1000, 0.5, -10000, -Infinity] : [old + 3, 8, 16]),
  ]);
  const written = type === 1 ? next : Math.trunc(next);
  if (!Number.isFinite(written) && type !== 1) return undefined;
  view[set]!(at, type === 7 ? BigInt(written) : written, true);
  if (Object.is(written, old)) return undefined;
  field.value = bytes;
  return `${what}: element ${at / width} from ${old} to ${written}`;
}

const CHANGES: readonly (readonly [weight: number, Change])[] = [
  // An operator for another.
  [4, ({ random, nodes }) => {
    const node = random.pick(nodes), op = node.text(4);
    const family = FAMILIES.find((each) => each.includes(op));
    const other = family && random.pick(family);
    if (other === undefined || other === op) return undefined;
    node.set(4, other);
    return `operator: ${label(node)}, was ${op}`;
  }],
  // A small constant: shapes, axes, scalars, masks' numbers.
  [6, ({ random, tensors }) => {
    const small = tensors.filter((tensor) => {
      const value = tensor.field(9)?.value;
      return value instanceof Uint8Array && value.length <= 512;
    });
    const tensor = random.pick(small);
    return tensor && changeElement(random, tensor, `constant ${tensor.text(8)}`);
  }],
  // Any constant: weights and tables.
  [2, ({ random, tensors }) => {
    const tensor = random.pick(tensors);
    return tensor && changeElement(random, tensor, `weight ${tensor.text(8)}`);
  }],
  // An attribute with another value.
  [4, ({ random, nodes }) => {
    const with5 = nodes.filter((node) =>
      node.messages(5).length > 0 && node.text(4) !== "Constant"
    );
    const node = random.pick(with5);
    const attribute = node && random.pick(node.messages(5));
    if (attribute === undefined) return undefined;
    const field = attribute.fields.find(({ number }) => [2, 3, 8].includes(number));
    if (field === undefined) return undefined;
    const said = `attribute ${attribute.text(1)} of ${label(node!)}`;
    if (typeof field.value === "bigint") {
      const old = field.value;
      field.value = random.pick([old + 1n, old - 1n, 0n, 1n, 2n, -1n, -2n, 3n]);
      return field.value === old ? undefined : `${said}: ${old} to ${field.value}`;
    }
    const bytes = (field.value as Uint8Array).slice(), view = new DataView(bytes.buffer);
    if (bytes.length !== 4) return undefined;
    const old = view.getFloat32(0, true);
    view.setFloat32(0, random.pick([old * 2, old / 2, 0, 1, -old, old + 0.1]), true);
    field.value = bytes;
    return `${said}: ${old} to ${view.getFloat32(0, true)}`;
  }],
  // An attribute left out, or one more.
  [2, ({ random, nodes }) => {
    const node = random.pick(nodes), all = node.messages(5);
    if (all.length > 0 && random.once(2)) {
      const gone = random.pick(all);
      node.fields = node.fields.filter(({ value }) => value !== gone);
      return `attribute ${gone.text(1)} of ${label(node)} left out`;
    }
    const name = random.pick(ATTRIBUTES), made = new Message("Attribute");
    if (all.some((attribute) => attribute.text(1) === name)) return undefined;
    made.add(1, name);
    const value = random.pick([1, 2, -1, 0]);
    made.add(3, BigInt(value));
    made.add(20, 2n);
    node.add(5, made);
    return `attribute ${name} = ${value} of ${label(node)}`;
  }],
  // Two inputs of a node, the one for the other.
  [3, ({ random, nodes }) => {
    const node = random.pick(nodes.filter((each) => inputsOf(each).length > 1));
    if (node === undefined) return undefined;
    const [a, b] = [random.pick(inputsOf(node)), random.pick(inputsOf(node))];
    if (nameOf(a) === nameOf(b)) return undefined;
    [a.value, b.value] = [b.value, a.value];
    return `inputs swapped of ${label(node)}`;
  }],
  // An input taken from elsewhere: from a node before, an initializer, an input of the graph.
  [5, ({ random, graph, nodes, tensors }) => {
    const at = random.int(nodes.length), node = nodes[at]!;
    const input = random.pick(inputsOf(node));
    if (input === undefined) return undefined;
    const near = nodes.slice(Math.max(0, at - random.pick([3, 10, 200])), at);
    const names = [
      ...near.flatMap((each) => each.fields.filter(({ number }) => number === 2).map(nameOf)),
      ...(random.once(3) ? tensors.map((tensor) => tensor.text(8)) : []),
      ...(random.once(3) ? graph.messages(11).map((value) => value.text(1)) : []),
    ].filter((name) => name !== "" && name !== nameOf(input));
    if (names.length === 0) return undefined;
    const old = nameOf(input), next = random.pick(names);
    input.value = encoder.encode(next);
    return `input of ${label(node)}: ${next}, was ${old}`;
  }],
  // An operator put in between.
  [4, ({ random, graph, nodes }) => {
    const node = random.pick(nodes), input = random.pick(inputsOf(node));
    if (input === undefined) return undefined;
    const from = nameOf(input),
      op = random.pick(["Tanh", "Neg", "Relu", "Abs", "Floor", "Not", "Identity"]
        .concat([
          "Add",
          "Mul",
          "Max",
          "Min",
          "Softmax",
          "Sqrt",
          "Trilu",
          "Where",
          "Cast",
          "Transpose",
          "Dropout",
        ]));
    const made = new Message("Node"), output = "put between";
    made.add(1, from);
    if (["Add", "Mul", "Max", "Min"].includes(op)) {
      made.add(1, random.once(2) ? from : someName(random, graph, nodes, node));
    }
    if (op === "Where") {
      made.fields = [];
      for (const part of [someName(random, graph, nodes, node), from, from]) made.add(1, part);
    }
    made.add(2, output);
    made.add(4, op);
    // In training mode, dropping half.
    if (op === "Dropout") { for (const input of dropping(graph)) made.add(1, input); }
    if (op === "Cast") {
      const to = new Message("Attribute");
      to.add(1, "to");
      to.add(3, random.pick([1n, 6n, 7n, 9n, 10n]));
      to.add(20, 2n);
      made.add(5, to);
    }
    input.value = encoder.encode(output);
    const before = graph.fields.findIndex(({ value }) => value === node);
    graph.fields.splice(before, 0, { number: 1, wire: 2, value: made });
    return `${op} between ${from} and ${label(node)}`;
  }],
  // Two outputs of a node, the one for the other.
  [1, ({ random, nodes }) => {
    const node = random.pick(
      nodes.filter((each) => each.fields.filter(({ number }) => number === 2).length > 1),
    );
    const outputs = node?.fields.filter(({ number }) => number === 2);
    if (node === undefined || outputs === undefined) return undefined;
    [outputs[0]!.value, outputs[1]!.value] = [outputs[1]!.value, outputs[0]!.value];
    return `outputs swapped of ${label(node)}`;
  }],
];

/** Stores what puts a Dropout into training mode: how much it drops, and that it does. */
function dropping(graph: Message): string[] {
  const parts = [
    ["dropped part", 1n, new Uint8Array(Float32Array.of(0.5).buffer)],
    ["in training", 9n, Uint8Array.of(1)],
  ] as const;
  return parts.map(([name, type, bytes]) => {
    const tensor = new Message("Tensor");
    tensor.add(2, type);
    tensor.add(8, name);
    tensor.add(9, bytes);
    graph.add(5, tensor);
    return name;
  });
}

/** A value that is known in front of a node: mostly an initializer or an input of some node before. */
function someName(
  random: Random,
  graph: Message,
  nodes: readonly Message[],
  before: Message,
): string {
  const earlier = nodes.slice(0, Math.max(1, nodes.indexOf(before)));
  const pool = [
    ...earlier.flatMap((each) => each.fields.filter(({ number }) => number === 2).map(nameOf)),
    ...graph.messages(5).map((tensor) => tensor.text(8)),
  ].filter((name) => name !== "");
  return random.pick(pool);
}

const BY_WEIGHT = CHANGES.flatMap(([weight, change]) => new Array<Change>(weight).fill(change));

/** A model with one change, and what it is. */
export function changeGraph(
  random: Random,
  model: Uint8Array,
): { readonly model: Uint8Array; readonly what: string } {
  const tree = parse(model), graph = tree.messages(7)[0]!, nodes = graph.messages(1);
  const constants = nodes.flatMap((node) => node.messages(5)).flatMap((each) => each.messages(5));
  const draft: Draft = { random, graph, nodes, tensors: [...graph.messages(5), ...constants] };
  for (;;) {
    const what = random.pick(BY_WEIGHT)(draft);
    if (what !== undefined) return { model: write(tree), what };
  }
}
