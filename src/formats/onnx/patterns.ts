/**
 * Recognisers for what an encoder is made of: linear maps and LayerNorm.
 *
 * Each takes a value and says what it is, or undefined when it is something else; the caller knows what
 * it expected and words the error. Both the single operator and the chain of primitive operators that
 * older exporters write are recognised.
 *
 * @module
 */
import { columnsOf, type ConstantMatrix, flipped } from "./constant.ts";
import { listOf, numberOf } from "./attributes.ts";
import type { OnnxNode } from "./decode.ts";
import type { Walk } from "./walk.ts";

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

/** A linear map alone, or some columns of one: query, key or value of a packed map. */
export function matchLinear(walk: Walk, value: string): LinearMatch | undefined {
  return matchSum(walk, value, 0) ?? matchCut(walk, walk.through(value));
}

/** An output of a Split, or a Slice, of a linear map's columns. */
function matchCut(walk: Walk, value: string): LinearMatch | undefined {
  const node = walk.op(value, "Split", "Slice");
  const whole = node && matchSum(walk, node.inputs[0]!, 0);
  if (node === undefined || whole === undefined) return undefined;
  const { columns } = whole.matrix;
  const extent = cutExtent(walk, node.inputs[0]!, columns);
  if (extent === undefined) return undefined;
  const range = node.op === "Split"
    ? splitRange(walk, node, value, extent)
    : sliceRange(walk, node, extent);
  if (range === undefined) return undefined;
  // Columns to each place of the axis that is cut.
  const width = columns / extent.length;
  const [from, to] = [range[0] * width, range[1] * width];
  return {
    ...whole,
    matrix: columnsOf(whole.matrix, from, to - from),
    bias: whole.bias?.length === columns ? whole.bias.subarray(from, to) : whole.bias,
  };
}

/** The axis along which columns can be cut: how many places it has, and whether it is the last one. */
interface Extent {
  readonly length: number;
  readonly last: boolean;
}

/**
 * Columns themselves, or the first of the dimensions that they are split into, `[batch, tokens, ...]`: a cut of
 * that one takes columns that lie together, too.
 */
function cutExtent(walk: Walk, value: string, columns: number): Extent | undefined {
  const found = walk.trials.map((trial) => {
    const [batch, length, ...inner] = trial.sizes(value) ?? [];
    const whole = batch === trial.inputs.batch && length === trial.inputs.length;
    return whole && inner.reduce((all, size) => all * size, 1) === columns ? inner : [];
  });
  const [inner] = found;
  if (inner === undefined || inner.length === 0) return undefined;
  if (found.some((other) => other.join() !== inner.join())) return undefined;
  return { length: inner[0]!, last: inner.length === 1 };
}

function isCutAxis(axis: number | undefined, { last }: Extent): boolean {
  return axis === 2 || (axis === -1 && last);
}

/** Places `[from, to)` of one output; sizes are an attribute before opset 13, an input after. */
function splitRange(
  walk: Walk,
  node: OnnxNode,
  value: string,
  extent: Extent,
): [number, number] | undefined {
  const count = node.outputs.length;
  const sizes = listOf(node, "split") ??
    (node.inputs[1] ? walk.fold(node.inputs[1]) : node.outputs.map(() => extent.length / count));
  const sum = sizes?.reduce((a, b) => a + b, 0);
  if (!isCutAxis(numberOf(node, "axis"), extent)) return undefined;
  if (sizes?.length !== count || sum !== extent.length) return undefined;
  if (!sizes.every((size) => Number.isInteger(size) && size > 0)) return undefined;
  const index = node.outputs.indexOf(value);
  const from = sizes.slice(0, index).reduce((a, b) => a + b, 0);
  return [from, from + sizes[index]!];
}

/** Places `[from, to)` of a Slice of one axis in steps of one. */
function sliceRange(walk: Walk, node: OnnxNode, extent: Extent): [number, number] | undefined {
  const part = (i: number, name: string): readonly number[] | undefined =>
    node.inputs[i] ? walk.fold(node.inputs[i]) : listOf(node, name);
  const [starts, ends, axes] = [part(1, "starts"), part(2, "ends"), part(3, "axes")];
  const step = node.inputs[4] ? walk.scalar(node.inputs[4]) : 1;
  if (starts?.length !== 1 || ends?.length !== 1 || axes?.length !== 1 || step !== 1) {
    return undefined;
  }
  if (!isCutAxis(axes[0], extent)) return undefined;
  const { length } = extent;
  const place = (at: number): number => Math.min(length, Math.max(0, at < 0 ? at + length : at));
  const [from, to] = [place(starts[0]!), place(ends[0]!)];
  return from < to ? [from, to] : undefined;
}

function matchProduct(walk: Walk, value: string): Omit<LinearMatch, "rest"> | undefined {
  const node = walk.op(value, "MatMul", "Gemm");
  const matrix = node && walk.matrix(node.inputs[1] ?? "");
  if (node === undefined || matrix === undefined) return undefined;
  const input = walk.through(node.inputs[0]!);
  if (node.op === "MatMul") return { input, matrix, bias: undefined, alpha: 1, beta: 1, node };
  if (numberOf(node, "transA") !== 0) return undefined;
  const flip = numberOf(node, "transB") !== 0;
  const bias = node.inputs[2] ? walk.vector(node.inputs[2]) : undefined;
  if (node.inputs[2] && bias === undefined) return undefined;
  return {
    input,
    matrix: flip ? flipped(matrix) : matrix,
    bias,
    alpha: numberOf(node, "alpha"),
    beta: numberOf(node, "beta"),
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
    // ONNX LayerNormalization-17: epsilon is 1e-5 unless given.
    const epsilon = numberOf(node, "epsilon");
    return { input: walk.through(input!), gamma, beta, epsilon, node };
  }
  const outer = walk.op(value, "Add");
  if (outer === undefined) return undefined;
  for (const [shift, product] of pairs(outer)) {
    const beta = walk.vector(shift);
    const mul = walk.op(walk.through(product), "Mul");
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

/**
 * `(x - mean) / sqrt(variance + epsilon)`, or times the reciprocal of the root. Casts may stand anywhere: a
 * model in half precision normalises in float32.
 */
function matchStandardised(
  walk: Walk,
  value: string,
): { input: string; epsilon: number } | undefined {
  const near = (at: string | undefined, ...ops: string[]): OnnxNode | undefined =>
    at === undefined ? undefined : walk.op(walk.through(at), ...ops);
  const outer = near(value, "Div", "Mul");
  for (const [difference, root] of outer ? pairs(outer) : []) {
    if (outer!.op === "Div" && difference !== outer!.inputs[0]) continue;
    const sub = near(difference, "Sub");
    const inverse = outer!.op === "Mul" ? near(root, "Reciprocal", "Div") : undefined;
    if (inverse?.op === "Div" && walk.scalar(inverse.inputs[0]!) !== 1) continue;
    const sqrt = near(outer!.op === "Div" ? root : inverse?.inputs.at(-1), "Sqrt");
    const add = near(sqrt?.inputs[0], "Add");
    if (!sub || !add) continue;
    for (const [constant, mean] of pairs(add)) {
      const epsilon = walk.scalar(constant);
      const square = near(meanOfLast(walk, mean), "Pow", "Mul");
      if (epsilon === undefined || square === undefined) continue;
      const [base, by] = square.inputs as [string, string];
      const squared = square.op === "Mul"
        ? isDifference(walk, base, sub) && isDifference(walk, by, sub)
        // A quantized graph has its constants quantized too: 2.0000001.
        : isDifference(walk, base, sub) && Math.abs((walk.scalar(by) ?? 0) - 2) < 1e-6;
      const average = meanOfLast(walk, sub.inputs[1]!);
      const input = walk.through(sub.inputs[0]!);
      if (!squared || average === undefined || walk.through(average) !== input) continue;
      return { input, epsilon };
    }
  }
  return undefined;
}

/** True for x - mean, perhaps computed twice. */
function isDifference(walk: Walk, value: string, sub: OnnxNode): boolean {
  const node = walk.op(walk.through(value), "Sub");
  if (node === undefined || node === sub) return node !== undefined;
  const mean = (at: OnnxNode): string | undefined => {
    const average = meanOfLast(walk, at.inputs[1]!);
    return average === undefined ? undefined : walk.through(average);
  };
  return walk.through(node.inputs[0]!) === walk.through(sub.inputs[0]!) &&
    mean(node) !== undefined && mean(node) === mean(sub);
}

/** The value averaged over its last dimension, which a trial makes sure of. */
function meanOfLast(walk: Walk, value: string): string | undefined {
  return walk.op(walk.through(value), "ReduceMean")?.inputs[0];
}
