/**
 * A graph as real numbers would have it: nothing is rounded to integers on the way, nothing dropped at random.
 *
 * A quantized file rounds its activations, a whole tensor by one scale, where this library's kernels round each
 * token by its own or, in the reference, not at all: what the two give differs by the file's rounding, which one
 * large number makes as coarse as one likes. So no bound on it could tell rounding from a fault. What both must
 * agree on is what the file would compute if nothing were rounded; and ONNX Runtime computes that too, once each
 * operator on integers is written as what it stands for: `QuantizeLinear` divides by the scale and adds the zero
 * point, and leaves it at that.
 *
 * Every operator is replaced by itself, whatever it is connected to, so that a graph that was changed keeps its
 * change. Weights stay the integers that they are.
 *
 * What the operators mean: ONNX's Operators.md, and ONNX Runtime's docs/ContribOperators.md.
 *
 * Weak: what a static scale cuts off (saturation) is not cut off here either.
 *
 * @module
 */
import { type Field, Message, parse, write } from "./wire.ts";

const FLOAT = 1n, INTEGER = 2n;
/** Fields of ONNX's messages that are written here: onnx.proto. */
const NODE = { input: 1, output: 2, op: 4, attribute: 5, domain: 7 } as const;
const GRAPH = { node: 1, initializer: 5, valueInfo: 13 } as const;
const TENSOR = { type: 2, name: 8, floats: 4, raw: 9 } as const;

/** A graph that is being written, in the order of the one that it replaces. */
class Draft {
  readonly made: Field[] = [];
  readonly #stored: ReadonlyMap<string, Message>;
  readonly #constants = new Map<number, string>();
  #fresh = 0;

  constructor(graph: Message) {
    const constants = graph.messages(GRAPH.node).filter((node) => node.text(NODE.op) === "Constant")
      .flatMap((node) =>
        node.messages(NODE.attribute).flatMap((each) =>
          each.messages(5).map((tensor): [string, Message] => [node.text(NODE.output), tensor])
        )
      );
    this.#stored = new Map([
      ...graph.messages(GRAPH.initializer).map((tensor): [string, Message] => [
        tensor.text(TENSOR.name),
        tensor,
      ]),
      ...constants,
    ]);
  }

  /** Writes a node; returns its output. */
  node(
    op: string,
    inputs: readonly string[],
    { output = `unrounded ${this.#fresh++}`, attributes = [], domain = "" }: {
      readonly output?: string;
      readonly attributes?: readonly Message[];
      readonly domain?: string;
    } = {},
  ): string {
    const node = new Message("Node");
    for (const input of inputs) node.add(NODE.input, input);
    node.add(NODE.output, output);
    node.add(NODE.op, op);
    for (const attribute of attributes) node.add(NODE.attribute, attribute);
    node.add(NODE.domain, domain);
    this.made.push({ number: GRAPH.node, wire: 2, value: node });
    return output;
  }

  /** A scalar. */
  constant(value: number): string {
    const name = this.#constants.get(value) ?? `unrounded constant ${value}`;
    if (!this.#constants.has(value)) {
      this.#constants.set(value, name);
      const tensor = new Message("Tensor");
      tensor.add(TENSOR.type, FLOAT);
      tensor.add(TENSOR.name, name);
      tensor.add(TENSOR.raw, new Uint8Array(Float32Array.of(value).buffer));
      this.made.push({ number: GRAPH.initializer, wire: 2, value: tensor });
    }
    return name;
  }

  /** Integers, or what stands for them here, as float32. */
  real(value: string): string {
    return this.node("Cast", [value], { attributes: [integer("to", FLOAT)] });
  }

  /** `(value - zero) * scale`; a zero point that is left out is 0. */
  dequantized(value: string, scale: string | undefined, zero: string | undefined): string {
    let x = this.real(value);
    if (zero) x = this.node("Sub", [x, this.real(zero)]);
    return scale ? this.node("Mul", [x, scale]) : x;
  }

  /** `value / scale + zero`. */
  quantized(value: string, scale: string, zero: string | undefined, output: string): void {
    const steps = this.node("Div", [value, scale], zero ? {} : { output });
    if (zero) this.node("Add", [steps, this.real(zero)], { output });
  }

  /** `a b`, and a bias where there is one. */
  product(a: string, b: string, bias: string | undefined, output: string): void {
    const sum = this.node("MatMul", [a, b], bias ? {} : { output });
    if (bias) this.node("Add", [sum, bias], { output });
  }

  /** Whether a scale is stored with one number for each of several channels. */
  perChannel(scale: string): boolean {
    const tensor = this.#stored.get(scale);
    const data = tensor?.field(TENSOR.raw) ?? tensor?.field(TENSOR.floats);
    return data?.value instanceof Uint8Array && data.value.length > 4;
  }
}

function integer(name: string, value: bigint): Message {
  const attribute = new Message("Attribute");
  attribute.add(1, name);
  attribute.add(3, value);
  attribute.add(20, INTEGER);
  return attribute;
}

/** Writes what an operator stands for; false leaves it as it is. */
type Rule = (at: Draft, inputs: readonly string[], outputs: readonly string[], node: Message) =>
  | void
  | false;

/** Scale and zero point as ONNX says: 0 is among the numbers of a tensor, the zero point is a whole number. */
const dynamicQuantize: Rule = (at, [x], [y, scale, zero]) => {
  const end = (op: string, reduce: string): string => {
    const all = at.node(reduce, [x!], { attributes: [integer("keepdims", 0n)] });
    return at.node(op, [all, at.constant(0)]);
  };
  const high = end("Max", "ReduceMax"), low = end("Min", "ReduceMin");
  const step = at.node("Div", [at.node("Sub", [high, low]), at.constant(255)]);
  // A tensor of zeros has no step; any will do.
  const none = at.node("Equal", [step, at.constant(0)]);
  at.node("Where", [none, at.constant(1), step], { output: scale });
  at.node("Round", [at.node("Div", [at.node("Neg", [low]), scale!])], { output: zero });
  at.quantized(x!, scale!, zero, y!);
};

/** An operator of two operands by their scales and zero points, whose result is quantized. */
const binary =
  (op: string): Rule => (at, [a, aScale, aZero, b, bScale, bZero, scale, zero], [y]) => {
    const parts = [at.dequantized(a!, aScale, aZero), at.dequantized(b!, bScale, bZero)];
    at.quantized(at.node(op, parts), scale!, zero, y!);
  };

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["DynamicQuantizeLinear", dynamicQuantize],
  ["QuantizeLinear", (at, [x, scale, zero], [y]) => {
    if (at.perChannel(scale!)) return false;
    at.quantized(x!, scale!, zero, y!);
  }],
  ["DequantizeLinear", (at, [x, scale, zero], [y]) => {
    if (at.perChannel(scale!)) return false;
    at.node("Mul", [at.dequantized(x!, undefined, zero), scale!], { output: y! });
  }],
  ["MatMulInteger", (at, [a, b, aZero, bZero], [y]) => {
    at.product(at.dequantized(a!, "", aZero), at.dequantized(b!, "", bZero), "", y!);
  }],
  ["MatMulIntegerToFloat", (at, [a, b, aScale, bScale, aZero, bZero, bias], [y]) => {
    at.product(at.dequantized(a!, aScale, aZero), at.dequantized(b!, bScale, bZero), bias, y!);
  }],
  ["DynamicQuantizeMatMul", (at, [a, b, scale, zero, bias], [y]) => {
    at.product(a!, at.dequantized(b!, scale, zero), bias, y!);
  }],
  ["QAttention", (at, [x, w, bias, xScale, wScale, mask, xZero, wZero, past], [y], node) => {
    const parts = [at.dequantized(x!, xScale, xZero), at.dequantized(w!, wScale, wZero), bias!];
    const attributes = node.messages(NODE.attribute), domain = "com.microsoft";
    at.node("Attention", [...parts, mask ?? "", past ?? ""], { attributes, domain, output: y! });
  }],
  ["QLinearMatMul", binary("MatMul")],
  ["QLinearAdd", binary("Add")],
  ["QLinearMul", binary("Mul")],
  ["QLinearSoftmax", (at, [x, xScale, xZero, scale, zero], [y], node) => {
    const attributes = node.messages(NODE.attribute).filter((each) => each.text(1) === "axis");
    at.quantized(
      at.node("Softmax", [at.dequantized(x!, xScale, xZero)], { attributes }),
      scale!,
      zero,
      y!,
    );
  }],
  // Its third input puts it into training mode.
  ["Dropout", (at, [x, , training], [y]) => {
    if (!training) return false;
    at.node("Dropout", [x!], { output: y! });
  }],
]);

/** The graph without its rounding; undefined where it has none. */
export function unrounded(model: Uint8Array): Uint8Array | undefined {
  const tree = parse(model), graph = tree.messages(7)[0]!, at = new Draft(graph);
  let found = false;
  const decoder = new TextDecoder();
  for (const field of graph.fields) {
    const { value } = field;
    // Types of values in between, which are others now.
    if (field.number === GRAPH.valueInfo) continue;
    const node = field.number === GRAPH.node && value instanceof Message ? value : undefined;
    const rule = node && RULES.get(node.text(NODE.op));
    if (rule === undefined) {
      at.made.push(field);
      continue;
    }
    const names = (number: number): string[] =>
      node!.fields.filter((each) => each.number === number)
        .map((each) => decoder.decode(each.value as Uint8Array));
    if (rule(at, names(NODE.input), names(NODE.output), node!) === false) at.made.push(field);
    else found = true;
  }
  graph.fields = at.made;
  return found ? write(tree) : undefined;
}
