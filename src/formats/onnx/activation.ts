/**
 * The activation of a feed-forward network or a head, recognised by its values.
 *
 * Exporters write GELU in a dozen ways (one operator, or erf or tanh with products in any order), so not the
 * shape of the chain is compared but what it computes: the elementwise nodes are evaluated at a few points
 * and compared with the functions that are supported. Exact GELU and its tanh approximation differ by up to
 * 4.7e-4, and the points tell them apart at 1e-5, or at 2e-4 for a model in half precision, whose constants
 * are rounded.
 *
 * @module
 */
import { ModelError } from "../../errors.ts";
import { type Activation, ACTIVATION_NAMES, ACTIVATIONS } from "../../model/activations.ts";
import { erf } from "../../model/erf.ts";
import { isQuantized } from "./constant.ts";
import type { OnnxNode } from "./decode.ts";
import { type LinearMatch, matchLinear } from "./patterns.ts";
import { refuse } from "./refuse.ts";
import type { Walk } from "./walk.ts";

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Where activations are compared. */
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

/** Functions that the encoder does not compute, so that their refusal can name them. */
const OTHERS: Readonly<Record<string, (x: number) => number>> = {
  relu: (x) => Math.max(0, x),
  silu: (x) => x * sigmoid(x),
  quick_gelu: (x) => x * sigmoid(1.702 * x),
  sigmoid,
  identity: (x) => x,
};

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
  if (node.op === "Gelu" && node.domain === "") {
    const approximate = node.attributes.get("approximate") ?? "none";
    if (approximate === "none") return ACTIVATIONS.gelu.value;
    return approximate === "tanh" ? ACTIVATIONS.gelu_tanh.value : undefined;
  }
  if (node.op === "QuickGelu") {
    const alpha = node.attributes.get("alpha");
    return (x) => x * sigmoid((typeof alpha === "number" ? alpha : 1.702) * x);
  }
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
  place: "feed-forward network" | "head" = "feed-forward network",
): { activation: Activation; linear: LinearMatch } {
  // The chain's nodes between the value and the linear map, by the value that each produces.
  const nodes = new Map<string, OnnxNode>();
  const open = [value];
  const seen = new Set<string>();
  let leaf: string | undefined;
  let linear: LinearMatch | undefined;
  while (open.length > 0) {
    const at = walk.through(open.pop()!);
    if (seen.has(at) || walk.scalar(at) !== undefined) continue;
    seen.add(at);
    const match = matchLinear(walk, at);
    if (match !== undefined) {
      if (leaf !== undefined) {
        refuse(
          `The ${place} at ${walk.describe(value)} multiplies the outputs of two linear maps (${
            walk.describe(leaf)
          } and ${walk.describe(at)}), as gated activations do.`,
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
      node === undefined || (one === undefined && two === undefined) || nodes.size >= MAX_NODES
    ) {
      refuse(
        `Expected GELU or tanh between the two layers of a ${place}, found ${walk.describe(at)}.`,
      );
    }
    nodes.set(at, node);
    open.push(...node.inputs.slice(0, one === undefined ? 2 : 1));
  }
  if (leaf === undefined || linear === undefined) {
    refuse(`Found no linear map in front of ${walk.describe(value)}.`);
  }

  const evaluate = (x: number): number => {
    const values = new Map<string, number>([[leaf!, x]]);
    // As deep as there are nodes, since a graph has no cycle.
    const get = (name: string): number => {
      const at = walk.through(name);
      const known = values.get(at) ?? walk.scalar(at);
      if (known !== undefined) return known;
      const node = nodes.get(at);
      if (node === undefined) return NaN;
      const one = fused(node);
      const result = one !== undefined
        ? one(get(node.inputs[0]!))
        : BINARY.get(node.op)!(get(node.inputs[0]!), get(node.inputs[1]!));
      values.set(at, result);
      return result;
    };
    return get(value);
  };
  const outputs = POINTS.map(evaluate);
  const rounded = walk.has("float16") || walk.has("bfloat16") || isQuantized(linear.matrix);
  const tolerance = rounded ? 2e-4 : 1e-5;
  const is = (f: (x: number) => number): boolean =>
    POINTS.every((x, i) => Math.abs(f(x) - outputs[i]!) < tolerance);
  const activation = ACTIVATION_NAMES.find((name) => is(ACTIVATIONS[name].value));
  if (activation !== undefined) return { activation, linear };
  const other = Object.keys(OTHERS).find((name) => is(OTHERS[name]!)) ?? "an unknown function";
  const ops = [...nodes.values()].reverse().map(({ op }) => op).join(", ") || "no node";
  throw new ModelError(
    "onnx/activation",
    `The ${place}'s activation at ${walk.describe(value)} is ${other} (${ops}); ` +
      `supported are ${ACTIVATION_NAMES.join(", ")}.`,
  );
}
