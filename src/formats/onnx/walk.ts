/**
 * Looking at an ONNX graph from its outputs backwards.
 *
 * Exporters rename initializers, transpose them, fold constants and insert Identity, Cast and Reshape
 * nodes as they please; what they cannot change is what the graph computes. So weights are recognised
 * by what is done with them. This file has the steps that every recogniser needs: who produces a value,
 * which nodes change nothing, which values are constant, and which values are added up.
 *
 * A Reshape is passed over, for it leaves all elements in their order; what shapes come out of it is known from
 * trials (`trial.ts`), and checked where it matters: where heads are split, and at the output.
 *
 * @module
 */
import { nodeLabel, type OnnxGraph, type OnnxNode } from "./decode.ts";
import {
  type ConstantMatrix,
  flipped,
  integersOf,
  type Quantization,
  quantizationOf,
  toVector,
  turnedQuantization,
  wholeMatrix,
} from "./constant.ts";
import { listOf, numberOf } from "./attributes.ts";
import { refuse } from "./refuse.ts";
import { constantIn, Trial } from "./trial.ts";
import { type OnnxTensor, type OnnxType, tensorFloats, tensorNumbers } from "./tensor.ts";

/** Small constants are folded up to this many elements: shapes, axes, scalars. */
const MAX_FOLDED = 64;
/** Folding, and passing over nodes that change nothing, goes at most this deep. */
const MAX_DEPTH = 64;
/** An activation sum in an encoder has at most: product, bias, residual, and a few embeddings. */
const MAX_TERMS = 16;

/** A value with what was passed over on the way to it. */
export interface Peeled {
  readonly value: string;
  /** Product of the scalars that the value was multiplied with. */
  readonly scale: number;
  /** Permutations of the Transposes, outermost first. */
  readonly transposes: readonly (readonly number[])[];
}

/** Nodes that leave every element as it is, up to rounding, and in its order. */
const PASSED = new Set([
  "Identity",
  "Reshape",
  "Cast",
  "CastLike",
  "Dropout",
  "Squeeze",
  "Unsqueeze",
  "Flatten",
  "QuantizeLinear",
  "DequantizeLinear",
  "DynamicQuantizeLinear",
]);

/** Batch sizes and lengths of the trials: short, so that any encoder has the positions. */
const TRIALS = [[2, 3], [3, 4]] as const;

/** A graph with its producers indexed, and the small questions that recognisers ask. */
export class Walk {
  readonly graph: OnnxGraph;
  readonly #producers = new Map<string, OnnxNode>();
  readonly #folded = new Map<string, readonly number[] | undefined>();
  readonly #types = new Set<OnnxType>();

  /** The graph, tried out for two batch sizes and lengths, or for the one that it was made for. */
  readonly trials: readonly Trial[];

  /**
   * Indexes the graph's producers. `padding` is the padding's id, `firstPosition` the first of the positions
   * where they are an input.
   */
  constructor(graph: OnnxGraph, padding = 0, firstPosition = 0) {
    this.graph = graph;
    for (const node of graph.nodes) {
      for (const output of node.outputs) if (output !== "") this.#producers.set(output, node);
    }
    for (const { type } of graph.initializers.values()) this.#types.add(type);
    const [batch, length] = graph.shapes.get("input_ids") ?? [];
    const fixed = [batch !== undefined, length !== undefined] as const;
    const trials = TRIALS.map(([b, l]) =>
      this.tryOut(batch ?? b, length ?? l, padding, firstPosition, fixed)
    );
    this.trials = fixed[0] && fixed[1] ? trials.slice(0, 1) : trials;
  }

  /** The graph, tried out for this batch size and length. */
  tryOut(
    batch: number,
    length: number,
    padding: number,
    firstPosition: number,
    fixed: readonly [batch: boolean, length: boolean],
  ): Trial {
    const inputs = { batch, length, padding, firstPosition, fixed };
    return new Trial(this.graph, this.#producers, inputs);
  }

  /** Whether the graph stores constants of this type: of a narrow one, its scalars are rounded to it, too. */
  has(type: OnnxType): boolean {
    return this.#types.has(type);
  }

  /** The node that produces a value; undefined for inputs and initializers. */
  producer(value: string): OnnxNode | undefined {
    return this.#producers.get(value);
  }

  /** The node that produces a value if it is one of ONNX's own operators named `op`. */
  op(value: string, ...ops: string[]): OnnxNode | undefined {
    const node = this.#producers.get(value);
    return node !== undefined && node.domain === "" && ops.includes(node.op) ? node : undefined;
  }

  /** What a value is, for messages: the node that produces it, or its name; for a sum, also what it adds up. */
  describe(value: string): string {
    const node = this.#producers.get(value);
    if (node === undefined) return `value ${JSON.stringify(value)}`;
    const terms = node.domain === "" && node.op === "Add" ? this.addends(value) ?? [] : [];
    const producers = terms.map((term) => this.#producers.get(term)).filter((term) => term);
    if (producers.length === 0) return nodeLabel(node);
    return `${nodeLabel(node)}, which adds up ${
      producers.map((term) => nodeLabel(term!)).join(", ")
    }`;
  }

  /** A tensor that is stored, whole, under this value: an initializer or a Constant node. */
  stored(value: string): OnnxTensor | undefined {
    let at = value;
    for (let i = 0; i < MAX_DEPTH; i++) {
      const tensor = this.graph.initializers.get(at);
      if (tensor !== undefined) return tensor;
      const constant = this.op(at, "Constant")?.attributes.get("value");
      if (constant !== undefined && constant !== null && typeof constant === "object") {
        return Array.isArray(constant) ? undefined : constant as OnnxTensor;
      }
      // A cast between float types is undone by reading the weights as float32.
      const same = this.op(at, "Identity", "Cast", "CastLike");
      if (same === undefined) return undefined;
      at = same.inputs[0]!;
    }
    return undefined;
  }

  /** A stored matrix of floats or quantized integers, seen through Transpose, Identity and Cast. */
  matrix(value: string): ConstantMatrix | undefined {
    let at = value;
    let turned = false;
    let integers: { node: OnnxNode; turned: boolean } | undefined;
    for (let i = 0; i < MAX_DEPTH; i++) {
      const tensor = this.stored(at);
      if (tensor !== undefined) {
        if (tensor.dims.length !== 2) return undefined;
        if (integers === undefined) {
          if (!/float/.test(tensor.type)) return undefined;
          return turned ? flipped(wholeMatrix(tensor)) : wholeMatrix(tensor);
        }
        if (integersOf(tensor) === undefined) return undefined;
        // The operator's axis counts dimensions of what it reads, which may be turned underneath.
        const [a, b] = tensor.dims as [number, number];
        const inner = turned !== integers.turned;
        const quantization = this.#quantization(integers.node, inner ? [b, a] : [a, b]);
        const matrix = wholeMatrix(tensor, inner ? turnedQuantization(quantization) : quantization);
        return turned ? flipped(matrix) : matrix;
      }
      const node = this.op(at, "Transpose", "Identity", "Cast", "DequantizeLinear");
      if (node === undefined || (node.op === "DequantizeLinear" && integers)) return undefined;
      if (node.op === "DequantizeLinear") integers = { node, turned };
      if (node.op === "Transpose") {
        const perm = listOf(node, "perm") ?? [1, 0];
        if (perm.length !== 2) return undefined;
        if (perm[0] === 1 && perm[1] === 0) turned = !turned;
      }
      at = node.inputs[0]!;
    }
    return undefined;
  }

  /** The scales and zero points of a DequantizeLinear whose input has these dimensions. */
  #quantization(node: OnnxNode, dims: readonly number[]): Quantization {
    const scale = this.stored(node.inputs[1] ?? "");
    const zero = node.inputs[2] ? this.stored(node.inputs[2]) : undefined;
    const scales = scale && tensorFloats(scale);
    const zeros = zero && integersOf(zero);
    if (scales === undefined || (node.inputs[2] && zeros === undefined)) {
      refuse(`${nodeLabel(node)} has a scale or a zero point that is not a constant.`);
    }
    if (numberOf(node, "block_size") !== 0) {
      refuse(`${nodeLabel(node)} has blocks of weights with a scale each.`);
    }
    return quantizationOf(scales, zeros, numberOf(node, "axis"), dims, nodeLabel(node));
  }

  /** A stored vector of floats or quantized integers; leading dimensions of 1 are dropped. */
  vector(value: string): Float32Array | undefined {
    const integers = this.op(value, "DequantizeLinear");
    const tensor = this.stored(integers === undefined ? value : integers.inputs[0]!);
    if (tensor === undefined || tensor.dims.length === 0) return undefined;
    if (tensor.size !== tensor.dims[tensor.dims.length - 1]) return undefined;
    if (integers === undefined) return tensorFloats(tensor);
    return toVector(tensor, this.#quantization(integers, [tensor.size]));
  }

  /** A scalar that is the same in every run: stored, folded from constants, or computed from fixed sizes. */
  scalar(value: string): number | undefined {
    const values = this.fold(value);
    if (values !== undefined) return values.length === 1 ? values[0] : undefined;
    return constantIn(this.trials, value);
  }

  /** Why a value is not understood, to end a sentence with; nothing where it is. */
  because(value: string): string {
    const lost = this.trials.find((trial) => trial.value(value) === undefined);
    return lost === undefined ? "" : `; ${lost.reason(value)}`;
  }

  /** The shape of a value in each trial; throws where it is not understood. */
  sizes(value: string): (readonly number[])[] {
    return this.trials.map((trial) =>
      trial.sizes(value) ?? refuse(`The graph is not understood: ${trial.reason(value)}.`)
    );
  }

  /** Elements of a small constant, folded through the few operators that exporters leave around them. */
  fold(value: string, depth = 0): readonly number[] | undefined {
    if (this.#folded.has(value)) return this.#folded.get(value);
    if (depth > MAX_DEPTH) return undefined;
    const values = this.#fold(value, depth);
    this.#folded.set(value, values);
    return values;
  }

  #fold(value: string, depth: number): readonly number[] | undefined {
    const tensor = this.graph.initializers.get(value);
    if (tensor !== undefined) return tensor.size > MAX_FOLDED ? undefined : tensorNumbers(tensor);
    const node = this.#producers.get(value);
    if (node === undefined || node.domain !== "") return undefined;
    const input = (i: number): readonly number[] | undefined =>
      node.inputs[i] ? this.fold(node.inputs[i], depth + 1) : undefined;
    const pair = (f: (a: number, b: number) => number): readonly number[] | undefined => {
      const a = input(0);
      const b = input(1);
      if (a === undefined || b === undefined) return undefined;
      if (a.length !== b.length && a.length !== 1 && b.length !== 1) return undefined;
      const size = a.length === 0 || b.length === 0 ? 0 : Math.max(a.length, b.length);
      return Array.from(
        { length: size },
        (_, i) => f(a[a.length === 1 ? 0 : i]!, b[b.length === 1 ? 0 : i]!),
      );
    };
    switch (node.op) {
      case "Constant": {
        for (const item of node.attributes.values()) {
          if (typeof item === "number") return [item];
          if (Array.isArray(item)) return item.length > MAX_FOLDED ? undefined : item;
          if (item !== null && typeof item === "object") {
            const constant = item as OnnxTensor;
            return constant.size > MAX_FOLDED ? undefined : tensorNumbers(constant);
          }
        }
        return undefined;
      }
      case "Identity":
      case "Cast":
      case "CastLike":
      case "Reshape":
      case "Squeeze":
      case "Unsqueeze":
        return input(0);
      case "DequantizeLinear": {
        const quantized = this.op(node.inputs[0] ?? "", "QuantizeLinear");
        if (quantized !== undefined) return this.fold(quantized.inputs[0]!, depth + 1);
        const [x, scale, zero] = [input(0), input(1), node.inputs[2] ? input(2) : [0]];
        if (x?.length !== 1 || scale?.length !== 1 || zero?.length !== 1) return undefined;
        return [(x[0]! - zero[0]!) * scale[0]!];
      }
      case "Sqrt":
        return input(0)?.map(Math.sqrt);
      case "Reciprocal":
        return input(0)?.map((x) => 1 / x);
      case "Neg":
        return input(0)?.map((x) => -x);
      case "Add":
        return pair((a, b) => a + b);
      case "Sub":
        return pair((a, b) => a - b);
      case "Mul":
        return pair((a, b) => a * b);
      case "Div":
        return pair((a, b) => a / b);
      case "Pow":
        return pair((a, b) => a ** b);
      case "Concat": {
        const parts = node.inputs.map((_, i) => input(i));
        if (!parts.every((part) => part !== undefined)) return undefined;
        const all = parts.flat() as number[];
        return all.length > MAX_FOLDED ? undefined : all;
      }
      default:
        return undefined;
    }
  }

  /** Passes over nodes that leave every element as it is and in its order. */
  through(value: string): string {
    return this.peel(value, false).value;
  }

  /**
   * Passes over nodes that leave elements as they are (Identity, Cast, Reshape, inference's Dropout, and
   * activations that are quantized and dequantized) and, with `all`, also over Transposes and products with a scalar, which it notes.
   */
  peel(value: string, all = true): Peeled {
    let at = value;
    let scale = 1;
    const transposes: (readonly number[])[] = [];
    for (;;) {
      const node = this.#producers.get(at);
      if (node === undefined || node.domain !== "") break;
      const [first, second] = node.inputs;
      if (node.outputs[0] !== at || !first) break;
      if (all && node.op === "Transpose") {
        transposes.push(listOf(node, "perm") ?? []);
      } else if (all && (node.op === "Mul" || node.op === "Div") && second) {
        const right = this.scalar(second);
        const left = this.scalar(first);
        if (right !== undefined) {
          scale = node.op === "Mul" ? scale * right : scale / right;
        } else if (left !== undefined && node.op === "Mul") {
          scale *= left;
          at = second;
          continue;
        } else break;
      } else if (!PASSED.has(node.op)) break;
      // A weight: what reads it must see how its integers are meant.
      else if (node.op === "DequantizeLinear" && this.stored(first)) break;
      at = first;
    }
    return { value: at, scale, transposes };
  }

  /**
   * The terms of a sum, however the Adds are nested; values for which `stop` holds are not opened.
   * Undefined when there are implausibly many.
   */
  addends(value: string, stop: (value: string) => boolean = () => false): string[] | undefined {
    const terms: string[] = [];
    const open = [value];
    while (open.length > 0) {
      const at = this.through(open.pop()!);
      const add = stop(at) ? undefined : this.op(at, "Add", "Sum");
      if (add === undefined) terms.push(at);
      else open.push(...add.inputs.toReversed());
      if (terms.length + open.length > MAX_TERMS) return undefined;
    }
    return terms;
  }
}
