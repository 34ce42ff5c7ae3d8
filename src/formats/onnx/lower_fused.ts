/**
 * Fused operators, written out: ONNX Runtime's own for float32 encoders, to ONNX's.
 *
 * The results are for reading weights from, not for running: where an operator means "attention", ONNX's own
 * Attention is written, outputs that no encoder needs are left out, and a mask of tokens becomes `KeyPadding`,
 * an operator that nobody else has: 0 where a token counts, its attribute `filter` where it is padding,
 * `[batch, 1, 1, tokens]`.
 *
 * What each operator means: ONNX Runtime 1.31, docs/ContribOperators.md.
 *
 * @module
 */
import { numberOf } from "./attributes.ts";
import { nodeLabel, type OnnxNode } from "./decode.ts";
import type { Lowering, Rule } from "./lowering.ts";
import { refuse } from "./refuse.ts";

/** `out = LayerNorm(x + skip + bias)`. */
function skipLayerNormalization(at: Lowering, node: OnnxNode): boolean {
  const [x, skip, gamma, beta, bias] = node.inputs as string[];
  const [out, , , kept] = node.outputs;
  const first = bias ? at.emit("Add", [x!, bias]) : x!;
  const sum = at.emit("Add", [first, skip!], {}, kept || undefined);
  const epsilon = numberOf(node, "epsilon");
  at.emit("LayerNormalization", [sum, gamma!, ...(beta ? [beta] : [])], { epsilon, axis: -1 }, out);
  return true;
}

/** Gathers of word, position and token type, their sum, LayerNorm. */
function embedLayerNormalization(at: Lowering, node: OnnxNode): boolean {
  const [ids, types, word, position, type, gamma, beta, mask, places] = node.inputs as string[];
  const [out, counts, kept] = node.outputs;
  // How many tokens of each text count.
  if (mask && counts) at.emit("ReduceSum", [mask], { axes: [1], keepdims: 0 }, counts);
  const integers = at.producer(position)?.inputs[0];
  const rows = (at.stored(position) ?? at.stored(integers))?.dims[0] ?? 0;
  // More than a model can have; a table of no columns would cost nothing to claim.
  if (!places && rows > 1 << 16) return false;
  const where = places || at.positions(ids!, rows);
  const terms = [at.emit("Gather", [word!, ids!]), at.emit("Gather", [position!, where])];
  if (types && type) terms.push(at.emit("Gather", [type, types]));
  const sum = at.emit("Sum", terms, {}, kept || undefined);
  const epsilon = numberOf(node, "epsilon");
  at.emit("LayerNormalization", [sum, gamma!, beta!], { epsilon, axis: -1 }, out);
  return true;
}

/** `Gelu(x + bias)`, exact or by tanh; the bias may be left out. */
function biasGelu(approximate: "none" | "tanh"): Rule {
  return (at, node) => {
    const [x, bias] = node.inputs as string[];
    const sum = bias ? at.emit("Add", [x!, bias]) : x!;
    at.emit("Gelu", [sum], { approximate }, node.outputs[0]);
    return true;
  };
}

/** `alpha * A * B` with either turned. */
function fusedMatMul(at: Lowering, node: OnnxNode): boolean {
  const [a, b] = node.inputs as string[];
  const perm = at.stored(b)?.dims.length === 2 ? [1, 0] : [0, 1, 3, 2];
  const right = numberOf(node, "transB") === 0 ? b! : at.emit("Transpose", [b!], { perm });
  const alpha = at.floats(Float32Array.of(numberOf(node, "alpha")), []);
  at.emit("Mul", [at.emit("MatMul", [a!, right]), alpha], {}, node.outputs[0]);
  return true;
}

/** What no recogniser could see any more: a cache. */
function checkCache(node: OnnxNode, past: readonly number[]): void {
  if (past.some((i) => node.inputs[i])) refuse(`${nodeLabel(node)} has a cache of past keys.`);
}

/**
 * ONNX's Attention over three projections that are not split into heads yet. `mask` says which tokens count, of
 * each text, or how many: `KeyPadding` makes of either what is added to scores. `bias` is added to them as it is.
 */
function attention(
  at: Lowering,
  node: OnnxNode,
  parts: readonly string[],
  mask: string | undefined,
  bias: string | undefined,
): void {
  const filter = numberOf(node, "mask_filter_value");
  const padding = mask ? at.emit("KeyPadding", [mask], { filter }) : undefined;
  const joined = padding && bias ? at.emit("Add", [padding, bias]) : padding ?? bias;
  const heads = numberOf(node, "num_heads");
  const scale = numberOf(node, "scale");
  at.emit("Attention", [...parts, ...(joined ? [joined] : [])], {
    q_num_heads: heads,
    kv_num_heads: heads,
    ...(scale === 0 ? {} : { scale }),
  }, node.outputs[0]);
}

/** Query, key and value by one product with a packed weight and bias, then attention. */
function packedAttention(at: Lowering, node: OnnxNode): boolean {
  const [x, weight, bias, mask, , added] = node.inputs as string[];
  checkCache(node, [4, 6]);
  const sizes = node.attributes.get("qkv_hidden_sizes");
  if (Array.isArray(sizes) && sizes.some((size) => size !== sizes[0])) {
    refuse(`${nodeLabel(node)} has query, key and value of sizes ${sizes}.`);
  }
  const product = at.emit("MatMul", [x!, weight!]);
  const packed = bias ? at.emit("Add", [product, bias]) : product;
  attention(at, node, at.emitAll("Split", [packed], { axis: -1 }, at.names(3)), mask, added);
  return true;
}

/** Query, key and value as three values, or as one whose last dimension holds them. */
function multiHeadAttention(at: Lowering, node: OnnxNode): boolean {
  const [query, key, value, bias, padding, added] = node.inputs as string[];
  checkCache(node, [6, 7]);
  if (!key || !value) {
    refuse(`${nodeLabel(node)} has query, key and value packed by head.`);
  }
  const parts = [query!, key, value].map((part, i) =>
    bias ? at.emit("Add", [part, at.third(bias, i as 0 | 1 | 2)]) : part
  );
  attention(at, node, parts, padding, added);
  return true;
}

/** Rules by operator of `com.microsoft`. */
export const FUSED: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["SkipLayerNormalization", skipLayerNormalization],
  ["EmbedLayerNormalization", embedLayerNormalization],
  ["BiasGelu", biasGelu("none")],
  ["Gelu", biasGelu("none")],
  ["FastGelu", biasGelu("tanh")],
  ["FusedMatMul", fusedMatMul],
  ["TransposeMatMul", fusedMatMul],
  ["Attention", packedAttention],
  ["MultiHeadAttention", multiHeadAttention],
]);
