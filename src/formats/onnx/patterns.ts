/**
 * Recognisers for what an encoder is made of: linear maps, LayerNorm, activations.
 *
 * Each takes a value and says what it is, or undefined when it is something else; the caller knows what
 * it expected and words the error. Both the single operator and the chain of primitive operators that
 * older exporters write are recognised.
 *
 * An activation is recognised by its values, not by the shape of its chain: the elementwise nodes are
 * evaluated at a few points and compared with the functions that are supported. Exact GELU and its tanh
 * approximation differ by up to 4.7e-4, and the points tell them apart at 1e-5, or at 2e-4 for a model in
 * half precision, whose constants are rounded.
 *
 * @module
 */
import type { Activation } from "../../model/config.ts";
import { ModelError } from "../../errors.ts";
import { nodeLabel, type OnnxNode } from "./decode.ts";
import { type ConstantMatrix, isHalf, unsupported, type Walk } from "./walk.ts";

/** `y = (x W) * alpha + bias`, with W as the graph multiplies it: `[inputs, outputs]`. */
export interface LinearMatch {
  /** The value x. */
  readonly input: string;
  readonly matrix: ConstantMatrix;
  /** `[outputs]`; undefined when there is none. */
  readonly bias: Float32Array | undefined;
  /** Factor of the product: Gemm's alpha. */
  readonly alpha: number;
  /** Factor of the bias: Gemm's beta. */
  readonly beta: number;
  /** The terms of the sum that are neither the product nor the bias, for a residual. */
  readonly rest: readonly string[];
  /** For messages. */
  readonly node: OnnxNode;
}

/**
 * A product with a constant matrix, plus a bias, plus up to `others` further terms. Undefined when the
 * sum has no such product or more terms.
 */
export function matchSum(
  walk: Walk,
  value: string,
  others: number,
  stop?: (value: string) => boolean,
): LinearMatch | undefined {
  const terms = walk.addends(value, stop);
  if (terms === undefined || terms.length > others + 2) return undefined;
  let found: Omit<LinearMatch, "rest"> | undefined;
  let bias: Float32Array | undefined;
  const rest: string[] = [];
  for (const term of terms) {
    const vector = walk.vector(term);
    const product = stop?.(term) ? undefined : matchProduct(walk, term);
    if (vector !== undefined && bias === undefined) bias = vector;
    else if (product !== undefined && found === undefined) found = product;
    else rest.push(term);
  }
  if (found === undefined || rest.length !== others) return undefined;
  if (found.bias !== undefined && bias !== undefined) return undefined;
  return { ...found, bias: found.bias ?? bias, beta: found.bias ? found.beta : 1, rest };
}

/** A linear map alone. */
export function matchLinear(walk: Walk, value: string): LinearMatch | undefined {
  return matchSum(walk, value, 0);
}

function matchProduct(walk: Walk, value: string): Omit<LinearMatch, "rest"> | undefined {
  const node = walk.op(value, "MatMul", "Gemm");
  if (node === undefined) return undefined;
  const matrix = walk.matrix(node.inputs[1] ?? "");
  if (matrix === undefined) {
    const weight = walk.op(node.inputs[1] ?? "", "DequantizeLinear");
    if (weight !== undefined) {
      unsupported(`${nodeLabel(node)} has a quantized weight; export the float model.`);
    }
    return undefined;
  }
  const input = walk.through(node.inputs[0]!);
  if (node.op === "MatMul") return { input, matrix, bias: undefined, alpha: 1, beta: 1, node };
  if (walk.number(node, "transA", 0) !== 0) return undefined;
  const flip = walk.number(node, "transB", 0) !== 0;
  const bias = node.inputs[2] ? walk.vector(node.inputs[2]) : undefined;
  if (node.inputs[2] && bias === undefined) return undefined;
  return {
    input,
    matrix: !flip ? matrix : {
      tensor: matrix.tensor,
      rows: matrix.columns,
      columns: matrix.rows,
      transposed: !matrix.transposed,
    },
    bias,
    alpha: walk.number(node, "alpha", 1),
    beta: walk.number(node, "beta", 1),
    node,
  };
}

/** A LayerNorm over the last dimension. */
export interface NormMatch {
  readonly input: string;
  readonly gamma: Float32Array;
  /** Undefined when the operator was given none. */
  readonly beta: Float32Array | undefined;
  readonly epsilon: number;
  readonly node: OnnxNode;
}

/** LayerNormalization, or the chain ReduceMean, Sub, Pow, ReduceMean, Add, Sqrt, Div, Mul, Add. */
export function matchNorm(walk: Walk, value: string): NormMatch | undefined {
  const node = walk.op(value, "LayerNormalization");
  if (node !== undefined) {
    const [input, scale, shift] = node.inputs;
    const gamma = walk.vector(scale ?? "");
    const beta = shift ? walk.vector(shift) : undefined;
    if (gamma === undefined || (shift && beta === undefined)) return undefined;
    const axis = walk.number(node, "axis", -1);
    if (axis !== -1 && axis !== 2) unsupported(`${nodeLabel(node)} normalises axis ${axis}.`);
    // ONNX LayerNormalization-17: epsilon is 1e-5 unless given.
    const epsilon = walk.number(node, "epsilon", 1e-5);
    return { input: walk.through(input!), gamma, beta, epsilon, node };
  }
  const outer = walk.op(value, "Add");
  if (outer === undefined) return undefined;
  for (const [shift, product] of pairs(outer)) {
    const beta = walk.vector(shift);
    const mul = walk.op(product, "Mul");
    if (beta === undefined || mul === undefined) continue;
    for (const [scale, unit] of pairs(mul)) {
      const gamma = walk.vector(scale);
      const core = gamma === undefined ? undefined : matchStandardised(walk, unit);
      if (core !== undefined) return { ...core, gamma: gamma!, beta, node: outer };
    }
  }
  return undefined;
}

function pairs(node: OnnxNode): [string, string][] {
  const [a, b] = node.inputs as [string, string];
  return [[a, b], [b, a]];
}

/** `(x - mean) / sqrt(variance + epsilon)`. */
function matchStandardised(
  walk: Walk,
  value: string,
): { input: string; epsilon: number } | undefined {
  const div = walk.op(value, "Div");
  const sub = div && walk.op(div.inputs[0]!, "Sub");
  const sqrt = div && walk.op(div.inputs[1]!, "Sqrt");
  const add = sqrt && walk.op(sqrt.inputs[0]!, "Add");
  if (!sub || !add) return undefined;
  for (const [constant, mean] of pairs(add)) {
    const epsilon = walk.scalar(constant);
    const variance = meanOfLast(walk, mean);
    if (epsilon === undefined || variance === undefined) continue;
    const square = walk.op(variance, "Pow", "Mul");
    if (square === undefined) continue;
    const [base, by] = square.inputs as [string, string];
    const squared = square.op === "Mul"
      ? isDifference(walk, base, sub) && isDifference(walk, by, sub)
      : isDifference(walk, base, sub) && walk.scalar(by) === 2;
    const average = meanOfLast(walk, sub.inputs[1]!);
    const input = walk.through(sub.inputs[0]!);
    if (!squared || average === undefined || walk.through(average) !== input) continue;
    return { input, epsilon };
  }
  return undefined;
}

/** True for x - mean, perhaps computed twice. */
function isDifference(walk: Walk, value: string, sub: OnnxNode): boolean {
  const node = walk.op(walk.through(value), "Sub");
  return node !== undefined && node.inputs[0] === sub.inputs[0] &&
    (node === sub || meanOfLast(walk, node.inputs[1]!) === meanOfLast(walk, sub.inputs[1]!));
}

/** The value averaged over its last dimension; axes are an attribute before opset 18, an input after. */
function meanOfLast(walk: Walk, value: string): string | undefined {
  const node = walk.op(walk.through(value), "ReduceMean");
  if (node === undefined || walk.number(node, "keepdims", 1) !== 1) return undefined;
  const axes = walk.list(node, "axes") ?? (node.inputs[1] ? walk.fold(node.inputs[1]) : undefined);
  return axes?.length === 1 && (axes[0] === -1 || axes[0] === 2) ? node.inputs[0] : undefined;
}

/** erf by its Maclaurin series, good to 1e-9 for |x| up to 3: enough to tell activations apart. */
function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 60; n++) {
    term *= -x * x / n;
    sum += term / (2 * n + 1);
  }
  return 2 / Math.sqrt(Math.PI) * sum;
}

const gelu = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));
const geluTanh = (x: number): number =>
  0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Where activations are compared; |x| stays below 4 so that the series for erf is exact enough. */
const POINTS = [
  -3.7,
  -2.9,
  -2.2,
  -1.6,
  -1.1,
  -0.7,
  -0.3,
  -0.1,
  0,
  0.2,
  0.5,
  0.9,
  1.3,
  1.9,
  2.6,
  3.4,
];

const KNOWN: readonly (readonly [string, (x: number) => number])[] = [
  ["gelu", gelu],
  ["gelu_tanh", geluTanh],
  ["relu", (x) => Math.max(0, x)],
  ["silu", (x) => x * sigmoid(x)],
  ["quick_gelu", (x) => x * sigmoid(1.702 * x)],
  ["tanh", Math.tanh],
  ["sigmoid", sigmoid],
  ["identity", (x) => x],
];

/** Elementwise operators of one input. */
const UNARY: ReadonlyMap<string, (x: number) => number> = new Map(Object.entries({
  Identity: (x: number) => x,
  Cast: (x: number) => x,
  Reshape: (x: number) => x,
  Erf: erf,
  Tanh: Math.tanh,
  Relu: (x: number) => Math.max(0, x),
  Sigmoid: sigmoid,
  Exp: Math.exp,
  Sqrt: Math.sqrt,
  Neg: (x: number) => -x,
}));

/** Elementwise operators of two inputs. */
const BINARY: ReadonlyMap<string, (a: number, b: number) => number> = new Map(Object.entries({
  Add: (a: number, b: number) => a + b,
  Sub: (a: number, b: number) => a - b,
  Mul: (a: number, b: number) => a * b,
  Div: (a: number, b: number) => a / b,
  Pow: (a: number, b: number) => a ** b,
}));

/** An activation is at most this many nodes. */
const MAX_NODES = 32;

/** Which function an operator that is an activation by itself computes. */
function fused(node: OnnxNode): ((x: number) => number) | undefined {
  if (node.op === "Gelu" && (node.domain === "" || node.domain === "com.microsoft")) {
    return node.attributes.get("approximate") === "tanh" ? geluTanh : gelu;
  }
  // FastGelu's second input is a bias that would have to be added to the linear map's.
  if (node.op === "FastGelu" && !node.inputs[1]) return geluTanh;
  return node.domain === "" ? UNARY.get(node.op) : undefined;
}

/**
 * The activation that turns a linear map's output into `value`, and that linear map.
 *
 * Throws {@link ModelError}: `onnx/activation` for a function that the encoder does not compute, naming
 * it; `onnx/unsupported` when the chain is not an elementwise function of one linear map.
 */
export function matchActivation(
  walk: Walk,
  value: string,
): { activation: Activation; linear: LinearMatch } {
  // The chain's nodes between the value and the linear map, found breadth first.
  const nodes: OnnxNode[] = [];
  const open = [value];
  const seen = new Set<string>();
  let leaf: string | undefined;
  let linear: LinearMatch | undefined;
  while (open.length > 0) {
    const at = open.pop()!;
    if (seen.has(at) || walk.scalar(at) !== undefined) continue;
    seen.add(at);
    const match = matchLinear(walk, at);
    if (match !== undefined) {
      if (leaf !== undefined && leaf !== at) {
        unsupported(
          `The feed-forward network at ${
            walk.describe(value)
          } multiplies the outputs of two linear ` +
            `maps (${walk.describe(leaf)} and ${walk.describe(at)}), as gated activations do.`,
        );
      }
      leaf = at;
      linear = match;
      continue;
    }
    const node = walk.producer(at);
    const one = node === undefined ? undefined : fused(node);
    const two = node?.domain === "" ? BINARY.get(node.op) : undefined;
    if (
      node === undefined || (one === undefined && two === undefined) || nodes.length >= MAX_NODES
    ) {
      unsupported(
        `Expected GELU between the two halves of a feed-forward network, found ${
          walk.describe(at)
        }.`,
      );
    }
    nodes.push(node);
    open.push(...(one === undefined ? node.inputs.slice(0, 2) : node.inputs.slice(0, 1)));
  }
  if (leaf === undefined || linear === undefined) {
    unsupported(`Found no linear map in front of ${walk.describe(value)}.`);
  }

  nodes.sort((a, b) => a.index - b.index);
  const evaluate = (x: number): number => {
    const values = new Map<string, number>([[leaf!, x]]);
    const get = (name: string): number => values.get(name) ?? walk.scalar(name) ?? NaN;
    for (const node of nodes) {
      const one = fused(node);
      const result = one !== undefined
        ? one(get(node.inputs[0]!))
        : BINARY.get(node.op)!(get(node.inputs[0]!), get(node.inputs[1]!));
      values.set(node.outputs[0]!, result);
    }
    return get(value);
  };
  const outputs = POINTS.map(evaluate);
  const tolerance = isHalf(linear.matrix) ? 2e-4 : 1e-5;
  const found = KNOWN.find(([, f]) =>
    POINTS.every((x, i) => Math.abs(f(x) - outputs[i]!) < tolerance)
  )
    ?.[0];
  if (found === "gelu" || found === "gelu_tanh") return { activation: found, linear };
  const ops = nodes.map(({ op }) => op).join(", ");
  throw new ModelError(
    "onnx/activation",
    `The feed-forward network's activation at ${walk.describe(value)} is ` +
      `${found ?? "an unknown function"} (${
        ops || "no node"
      }); only GELU, exact or by tanh, is supported.`,
  );
}
