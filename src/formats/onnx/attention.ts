/**
 * Multi-head self-attention, recognised from the context backwards.
 *
 * Query, key and value are told apart by what they do: value meets the probabilities, query is the left
 * operand of the product under the Softmax, key the right one. The scale is collected wherever an
 * exporter put it (on the scores, on the query, its root on query and key, before or after the heads are
 * split), and heads are split where the Reshapes say. Masks are only checked for not being learned. The
 * three may be linear maps of their own or columns of one packed map.
 *
 * Weak: a packed map must be cut before its columns are split into heads.
 *
 * @module
 */
import { ModelError } from "../../errors.ts";
import { type ConstantMatrix, isQuantized } from "./constant.ts";
import { nodeLabel, type OnnxNode } from "./decode.ts";
import { type LinearMatch, matchLinear } from "./patterns.ts";
import { type Peeled, refuse, type Walk } from "./walk.ts";

/** One attention block, from the layer's input to its context. */
export interface AttentionMatch {
  readonly query: LinearMatch;
  readonly key: LinearMatch;
  readonly value: LinearMatch;
  /** As the graph's Reshapes say; undefined when they are computed at run time. */
  readonly heads: number | undefined;
}

/** Scores pass through at most this many masks and scales before their product is found. */
const MAX_STEPS = 12;

/**
 * Follows a score to the product of queries and keys, noting scales and masks. `seen` are the values that
 * were followed already, in vain: a sum of a value with itself has two paths to it, twelve of them 4096.
 */
function findProduct(
  walk: Walk,
  value: string,
  steps = 0,
  seen: Set<string> = new Set(),
): { product: OnnxNode; scale: number; masks: string[] } | undefined {
  if (seen.has(value)) return undefined;
  seen.add(value);
  const { value: at, scale, transposes } = walk.peel(value);
  if (transposes.length > 0 || steps > MAX_STEPS) return undefined;
  const product = walk.op(at, "MatMul");
  if (product !== undefined) {
    const constant = product.inputs.some((input) => walk.matrix(input) !== undefined);
    return constant ? undefined : { product, scale, masks: [] };
  }
  const node = walk.op(at, "Add", "Where");
  if (node === undefined) return undefined;
  // Where(condition, x, y) chooses between a score and a constant; Add adds a mask to a score.
  const sides = node.op === "Add" ? node.inputs : node.inputs.slice(1);
  for (const side of sides) {
    const found = findProduct(walk, side, steps + 1, seen);
    if (found === undefined) continue;
    const masks = node.inputs.filter((input) => input !== side);
    return {
      product: found.product,
      scale: found.scale * scale,
      masks: [...found.masks, ...masks],
    };
  }
  return undefined;
}

/** A mask may be computed from the attention mask and positions, not from learned tables or tokens. */
function checkMask(walk: Walk, mask: string): void {
  for (const node of walk.ancestors(mask)) {
    if (["MatMul", "Gemm", "Softmax", "LayerNormalization", "Trilu"].includes(node.op)) {
      refuse(
        `An attention mask is computed by ${nodeLabel(node)}; expected the padding mask alone.`,
      );
    }
    const compares = ["Less", "LessOrEqual", "Greater", "GreaterOrEqual"].includes(node.op);
    if (compares && node.inputs.every((input) => walk.scalar(input) === undefined)) {
      refuse(
        `An attention mask compares positions at ${
          nodeLabel(node)
        }, as causal and windowed masks ` +
          "do; expected the padding mask alone.",
      );
    }
    for (const input of node.inputs) {
      const tensor = walk.stored(input);
      if (tensor !== undefined && /float/.test(tensor.type) && tensor.size > 1) {
        refuse(
          `Attention scores are biased by a table of shape [${tensor.dims}] at ${
            nodeLabel(node)
          }: ` +
            "relative positions are not supported.",
        );
      }
    }
  }
}

/** The probabilities under inference's Dropout and under `Where(IsNaN(p), 0, p)`. */
function findSoftmax(walk: Walk, value: string): OnnxNode | undefined {
  let at = walk.through(value);
  for (let where = walk.op(at, "Where"); where !== undefined; where = walk.op(at, "Where")) {
    if (walk.op(where.inputs[0]!, "IsNaN") === undefined) return undefined;
    at = walk.through(where.inputs[2]!);
  }
  const node = walk.op(at, "Softmax");
  if (node === undefined) return undefined;
  // Before opset 13 Softmax worked on axis 1 onwards unless told otherwise; since then on the last.
  const axis = walk.number(node, "axis", walk.graph.opset < 13 ? 1 : -1);
  if (axis !== -1 && axis !== 3) refuse(`${nodeLabel(node)} works on axis ${axis}.`);
  return node;
}

/** The net permutation of four dimensions; a 3-D swap of the last two counts as such. */
function permutation(peeled: Peeled): string {
  let net = [0, 1, 2, 3];
  for (const perm of peeled.transposes.toReversed()) {
    const four = perm.length === 3 ? [0, ...perm.map((axis) => axis + 1)] : perm;
    net = four.map((axis) => net[axis]!);
  }
  return net.join();
}

/** A linear map whose output is split into heads; `order` is the permutation expected after the split. */
function split(
  walk: Walk,
  value: string,
  order: string,
  role: string,
): { linear: LinearMatch; peeled: Peeled } {
  const peeled = walk.peel(value);
  const linear = matchLinear(walk, peeled.value);
  if (linear === undefined) {
    refuse(
      `Expected attention's ${role} to be a linear map, found ${walk.describe(peeled.value)}.`,
    );
  }
  const found = permutation(peeled);
  if (found !== order) {
    refuse(
      `Attention's ${role} at ${nodeLabel(linear.node)} is permuted by [${found}], ` +
        `expected [${order}] after the heads are split.`,
    );
  }
  return { linear, peeled };
}

/**
 * Head count from the innermost Reshape to `[batch, tokens, heads, head size]`, where -1 stands for
 * either of the last two.
 */
function headsOf(
  walk: Walk,
  reshapes: readonly OnnxNode[],
  hidden: number,
): number | undefined {
  for (const reshape of reshapes.toReversed()) {
    const shape = walk.shape(reshape.inputs[1] ?? "");
    if (shape?.length !== 4) continue;
    const known = (x: number | undefined): number => (x !== undefined && x > 0 ? x : 0);
    const heads = known(shape[2]);
    const size = known(shape[3]);
    if (heads === 0 && size === 0) continue;
    const count = heads === 0 ? hidden / size : heads;
    if (!Number.isInteger(count) || hidden % count !== 0 || (size > 0 && count * size !== hidden)) {
      refuse(
        `${nodeLabel(reshape)} splits ${hidden} columns into heads as [${shape[2]}, ${shape[3]}].`,
      );
    }
    return count;
  }
  return undefined;
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
 * Recognises the attention block whose context, its heads joined again, is `context`.
 *
 * `configHeads` is what config.json says; it stands in when the graph computes its shapes. Throws
 * {@link ModelError}: `onnx/unsupported` for anything but plain self-attention, `model/scale` when scores
 * are not scaled by 1 / sqrt(head size), `model/mismatch` when heads differ.
 */
export function matchAttention(
  walk: Walk,
  context: string,
  configHeads: number | undefined,
): AttentionMatch {
  const joined = walk.peel(context);
  const product = walk.op(joined.value, "MatMul", "Attention");
  // ONNX Attention-23 takes heads side by side, as linear maps give them, when it is told how many.
  const inside = product?.op === "Attention" ? walk.number(product, "q_num_heads", 0) : 0;
  const order = inside > 0 ? "0,1,2,3" : "0,2,1,3";
  if (product === undefined || permutation(joined) !== order || joined.scale !== 1) {
    refuse(
      `Expected attention's context with its heads joined, found ${walk.describe(joined.value)}.`,
    );
  }

  const fused = product.op === "Attention";
  const [left, right] = product.inputs as [string, string];
  let scale: number | undefined;
  let scores: OnnxNode = product;
  let masks: readonly string[] = [];
  if (fused) {
    // Without the attribute it scales by 1 / sqrt(head size).
    const attribute = product.attributes.get("scale");
    if (typeof attribute === "number") scale = attribute;
    for (const name of ["is_causal", "softcap"]) {
      if (walk.number(product, name, 0) !== 0) refuse(`${nodeLabel(product)} has ${name}.`);
    }
    if (product.inputs[4] || product.inputs[5]) refuse(`${nodeLabel(product)} has a cache.`);
    if (product.inputs[3]) masks = [product.inputs[3]];
  } else {
    const softmax = findSoftmax(walk, left);
    const found = softmax && findProduct(walk, softmax.inputs[0]!);
    if (found === undefined) {
      refuse(
        `Expected Softmax over scaled products of queries and keys in front of ${
          nodeLabel(product)
        }.`,
      );
    }
    ({ product: scores, scale, masks } = found);
  }
  for (const mask of masks) checkMask(walk, mask);

  const query = split(walk, scores.inputs[0]!, order, "query");
  const key = split(walk, scores.inputs[1]!, fused ? order : "0,2,3,1", "key");
  const value = split(walk, fused ? product.inputs[2]! : right, order, "value");
  if (value.peeled.scale !== 1) {
    refuse(`Attention's value is scaled at ${nodeLabel(product)}.`);
  }

  const hidden = query.linear.matrix.columns;
  const counts = inside > 0
    ? [inside, walk.number(product, "kv_num_heads", inside)]
    : [query, key, value]
      .map(({ peeled }) => headsOf(walk, peeled.reshapes, hidden))
      .filter((heads) => heads !== undefined);
  const heads = counts[0];
  const other = counts.find((count) => count !== heads);
  if (other !== undefined) {
    refuse(
      `Query, key and value at ${nodeLabel(product)} have ${heads} and ${other} heads; ` +
        "grouped queries are not supported.",
    );
  }
  if (heads !== undefined && configHeads !== undefined && heads !== configHeads) {
    throw new ModelError(
      "model/mismatch",
      `The graph splits ${hidden} columns into ${heads} heads at ${nodeLabel(product)}, ` +
        `but config.json says ${configHeads} heads.`,
    );
  }
  const count = heads ?? configHeads;
  if (count !== undefined) {
    const expected = 1 / Math.sqrt(hidden / count);
    const total = (scale ?? expected) * query.peeled.scale * key.peeled.scale;
    const tolerance = scaleTolerance(walk, query.linear.matrix);
    if (!(Math.abs(total / expected - 1) < tolerance)) {
      throw new ModelError(
        "model/scale",
        `Attention scores at ${nodeLabel(scores)} are scaled by ${total}; ` +
          `expected 1 / sqrt(head size) = ${expected} for ${count} heads over ${hidden} columns.`,
      );
    }
  }
  return { query: query.linear, key: key.linear, value: value.linear, heads };
}
