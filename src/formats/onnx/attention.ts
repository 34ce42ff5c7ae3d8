/**
 * Multi-head self-attention, recognised from the context backwards.
 *
 * Query, key and value are told apart by what they do: value meets the probabilities, query is the left
 * operand of the product under the Softmax, key the right one. The scale is collected wherever an
 * exporter put it (on the scores, on the query, its root on query and key, before or after the heads are
 * split), and how heads are split and what masks mask is computed (`proofs.ts`). The three may be linear maps of
 * their own or columns of one packed map.
 *
 * Weak: a packed map must be cut before its columns are split into heads.
 *
 * @module
 */
import { ModelError } from "../../errors.ts";
import { type ConstantMatrix, isQuantized } from "./constant.ts";
import { nodeLabel, type OnnxNode } from "./decode.ts";
import { type LinearMatch, matchLinear } from "./patterns.ts";
import { numberOf } from "./attributes.ts";
import { refuse } from "./refuse.ts";
import { type Layout, proveJoined, proveMask, proveScores, proveSplit } from "./proofs.ts";
import type { Walk } from "./walk.ts";

/** One attention block, from the layer's input to its context. */
export interface AttentionMatch {
  readonly query: LinearMatch;
  readonly key: LinearMatch;
  readonly value: LinearMatch;
  /** As the graph splits them. */
  readonly heads: number;
}

/** Scores pass through at most this many masks and scales before their product is found. */
const MAX_STEPS = 12;

/**
 * Follows a score to the product of queries and keys, over masks and scales, which `proveScores` looks into.
 * `seen` are the values that were followed already, in vain: a sum of a value with itself has two paths to it,
 * twelve of them 4096.
 */
function findProduct(
  walk: Walk,
  value: string,
  steps = 0,
  seen: Set<string> = new Set(),
): OnnxNode | undefined {
  if (seen.has(value)) return undefined;
  seen.add(value);
  const { value: at, transposes } = walk.peel(value);
  if (transposes.length > 0 || steps > MAX_STEPS) return undefined;
  const product = walk.op(at, "MatMul");
  if (product !== undefined) {
    const constant = product.inputs.some((input) => walk.matrix(input) !== undefined);
    return constant ? undefined : product;
  }
  const node = walk.op(at, "Add", "Where");
  if (node === undefined) return undefined;
  // Where(condition, x, y) chooses between a score and a constant; Add adds a mask to a score.
  const sides = node.op === "Add" ? node.inputs : node.inputs.slice(1);
  for (const side of sides) {
    const found = findProduct(walk, side, steps + 1, seen);
    if (found === undefined) continue;
    // A mask is computed from the attention mask and shapes, not from tables or tokens.
    const masks = node.inputs.filter((input) => input !== side);
    const learned = masks.find((mask) => walk.trials.some((trial) => !trial.value(mask)?.items));
    if (learned !== undefined || masks.length === node.inputs.length) {
      const what = learned === undefined ? "themselves" : walk.describe(learned);
      const why = learned === undefined ? "" : walk.because(learned);
      refuse(
        `Attention scores are biased by ${what} at ${
          nodeLabel(node)
        }, which is computed from weights or ` +
          `activations; expected the padding mask alone: relative positions are not supported${why}.`,
      );
    }
    return found;
  }
  return undefined;
}

/** The probabilities under inference's Dropout and under `Where(IsNaN(p), 0, p)`. */
function findSoftmax(walk: Walk, value: string): OnnxNode | undefined {
  let at = walk.through(value);
  for (let where = walk.op(at, "Where"); where !== undefined; where = walk.op(at, "Where")) {
    const check = walk.op(where.inputs[0]!, "IsNaN");
    if (check === undefined || walk.scalar(where.inputs[1]!) !== 0) return undefined;
    at = walk.through(where.inputs[2]!);
    if (walk.through(check.inputs[0]!) !== at) return undefined;
  }
  return walk.op(at, "Softmax");
}

/** A linear map whose output is split into heads. */
interface SplitMatch {
  readonly linear: LinearMatch;
  readonly heads: number;
  /** What its elements are multiplied by on the way. */
  readonly scale: number;
}

/** The linear map whose output is read, head by head, as `value`. */
function split(walk: Walk, value: string, layout: Layout, role: string): SplitMatch {
  const { value: from, scale } = walk.peel(value);
  const linear = matchLinear(walk, from);
  if (linear === undefined) {
    refuse(
      `Expected attention's ${role} to be a linear map, found ${walk.describe(from)}${
        walk.because(from)
      }.`,
    );
  }
  const width = linear.matrix.columns, { node } = linear;
  const heads = proveSplit(walk, value, from, width, { scale, layout, role, node });
  return { linear, heads, scale };
}

/**
 * How far the product of a graph's constants may be from 1 / sqrt(head size): split roots in float32 leave an
 * error of a few 1e-7, and in a narrow model each root is rounded to 11 or 8 bits.
 */
function scaleTolerance(walk: Walk, matrix: ConstantMatrix): number {
  if (walk.has("bfloat16")) return 1e-2;
  return walk.has("float16") || isQuantized(matrix) ? 4e-3 : 1e-5;
}

/**
 * Recognises the attention block whose context is read by the linear map `output`, its heads joined again.
 *
 * Throws {@link ModelError}: `onnx/unsupported` for anything but plain self-attention under a padding mask,
 * `model/mismatch` where config.json says another number of heads, `model/scale` when scores are not scaled by
 * 1 / sqrt(head size).
 */
export function matchAttention(
  walk: Walk,
  output: LinearMatch,
  configHeads: number | undefined,
): AttentionMatch {
  const joined = walk.peel(output.input);
  const product = walk.op(joined.value, "MatMul", "Attention");
  if (product === undefined || joined.scale !== 1) {
    refuse(
      `Expected attention's context with its heads joined, found ${walk.describe(joined.value)}.`,
    );
  }
  const fused = product.op === "Attention";
  // ONNX Attention-23 takes heads side by side, as linear maps give them, when it is told how many.
  const inside = fused ? numberOf(product, "q_num_heads") : 0;
  const layout = inside > 0 ? "packed" : "rows";
  const softmax = fused ? undefined : findSoftmax(walk, product.inputs[0]!);
  const scores = fused ? product : softmax && findProduct(walk, softmax.inputs[0]!);
  if (scores === undefined) {
    refuse(
      `Expected Softmax over scaled products of queries and keys in front of ${
        nodeLabel(product)
      }.`,
    );
  }
  const query = split(walk, scores.inputs[0]!, layout, "query");
  const key = split(walk, scores.inputs[1]!, fused ? layout : "columns", "key");
  const value = split(walk, product.inputs[fused ? 2 : 1]!, layout, "value");
  if (value.scale !== 1) refuse(`Attention's value is scaled at ${nodeLabel(product)}.`);
  const counts = inside > 0
    ? [inside, numberOf(product, "kv_num_heads")]
    : [query, key, value].map(({ heads }) => heads);
  const heads = counts[0]!, other = counts.find((count) => count !== heads);
  if (other !== undefined) {
    refuse(
      `Query, key and value at ${nodeLabel(product)} have ${heads} and ${other} heads; ` +
        "grouped queries are not supported.",
    );
  }
  const width = value.linear.matrix.columns;
  if (configHeads !== undefined && heads !== configHeads) {
    throw new ModelError(
      "model/mismatch",
      `The graph splits ${width} columns into ${heads} heads at ${nodeLabel(product)}, ` +
        `but config.json says ${configHeads} heads.`,
    );
  }
  if (layout === "packed") {
    const read = { scale: 1, layout, role: "context", node: product } as const;
    proveSplit(walk, output.node.inputs[0]!, joined.value, width, read);
  } else proveJoined(walk, output.node.inputs[0]!, joined.value, heads, width, product);

  const expected = 1 / Math.sqrt(width / heads);
  let scale: number;
  if (fused) {
    // Without the attribute it scales by 1 / sqrt(head size).
    const given = numberOf(product, "scale");
    scale = Number.isNaN(given) ? expected : given;
    if (product.inputs[4] || product.inputs[5]) refuse(`${nodeLabel(product)} has a cache.`);
    proveMask(walk, product.inputs[3], heads, product);
  } else scale = proveScores(walk, softmax!.inputs[0]!, scores.outputs[0]!, heads, scores);
  const total = scale * query.scale * key.scale;
  const tolerance = scaleTolerance(walk, query.linear.matrix);
  if (!(Math.abs(total / expected - 1) < tolerance)) {
    throw new ModelError(
      "model/scale",
      `Attention scores at ${nodeLabel(scores)} are scaled by ${total}; ` +
        `expected 1 / sqrt(head size) = ${expected} for ${heads} heads over ${width} columns.`,
    );
  }
  return { query: query.linear, key: key.linear, value: value.linear, heads };
}
