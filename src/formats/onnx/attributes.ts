/**
 * Every attribute of every operator that is read, with its default: the one place where a node's attributes are
 * looked up, so that one that is spelt out and one that is left out are the same, and one that is not known is
 * refused.
 *
 * Defaults are those of ONNX's Operators.md (opset 26) and of ONNX Runtime 1.31's ContribOperators.md.
 *
 * @module
 */
import type { OnnxAttribute, OnnxNode } from "./decode.ts";
import { nodeLabel } from "./decode.ts";
import { refuse } from "./refuse.ts";

/** What an attribute can be. */
interface Rule {
  /** What it is where it is left out; undefined for nothing. */
  readonly fallback?: number | string;
  /** Only the default is understood; other values mean this. */
  readonly only?: string;
}

/** Read, with this default. */
const read = (fallback?: number | string): Rule => ({ fallback });
/** Only this value is understood; others mean something else. */
const only = (fallback: number, what: string): Rule => ({ fallback, only: what });
/** Says how to compute, not what, or nothing about the outputs that are read. */
const any: Rule = {};

const NORM = { axis: read(-1), epsilon: read(1e-5), stash_type: any };
const QUANTIZE = {
  axis: read(1),
  block_size: read(0),
  saturate: any,
  output_dtype: any,
  precision: any,
};
const GEMM = { alpha: read(1), beta: read(1), transA: only(0, "another order"), transB: read(0) };
const MASKED = { mask_filter_value: read(-10000), unidirectional: only(0, "causal attention") };
const CACHE = {
  do_rotary: only(0, "rotary positions"),
  rotary_embedding_dim: only(0, "rotary positions"),
  past_present_share_buffer: any,
};
const PACKED = {
  num_heads: read(0),
  scale: read(0),
  qkv_hidden_sizes: read(),
  ...MASKED,
  ...CACHE,
};
const FUSED = {
  alpha: read(1),
  transA: only(0, "another order"),
  transB: read(0),
  transBatchA: only(0, "another order"),
  transBatchB: only(0, "another order"),
};

/** By operator, those of ONNX Runtime by `com.microsoft:` and their name; one without attributes is left out. */
const RULES: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  Attention: {
    is_causal: only(0, "causal attention"),
    kv_num_heads: read(0),
    q_num_heads: read(0),
    qk_matmul_output_mode: any,
    scale: read(),
    softcap: only(0, "bounded scores"),
    softmax_precision: any,
  },
  Cast: { to: read(), saturate: any, round_mode: any },
  CastLike: { saturate: any, round_mode: any },
  Concat: { axis: read() },
  Constant: {
    value: read(),
    value_float: read(),
    value_floats: read(),
    value_int: read(),
    value_ints: read(),
  },
  ConstantOfShape: { value: read() },
  CumSum: { exclusive: read(0), reverse: read(0) },
  DequantizeLinear: QUANTIZE,
  Dropout: { ratio: any, seed: any },
  Flatten: { axis: read(1) },
  Gather: { axis: read(0) },
  GatherElements: { axis: read(0) },
  GatherND: { batch_dims: only(0, "batches") },
  Gelu: { approximate: read("none") },
  Gemm: GEMM,
  KeyPadding: { filter: read() },
  LayerNormalization: NORM,
  QuantizeLinear: QUANTIZE,
  ReduceMean: {
    axes: read(),
    keepdims: read(1),
    noop_with_empty_axes: only(0, "another function"),
  },
  ReduceSum: { axes: read(), keepdims: read(1), noop_with_empty_axes: only(0, "another function") },
  Reshape: { allowzero: read(0), shape: read() },
  Shape: { start: read(0), end: read() },
  Slice: { axes: read(), ends: read(), starts: read() },
  Softmax: { axis: read() },
  Split: { axis: read(0), num_outputs: read(), split: read() },
  Squeeze: { axes: read() },
  Transpose: { perm: read() },
  Unsqueeze: { axes: read() },
  "com.microsoft:Attention": PACKED,
  "com.microsoft:EmbedLayerNormalization": { epsilon: read(1e-12), mask_index_type: any },
  "com.microsoft:FusedMatMul": FUSED,
  "com.microsoft:MatMulNBits": {
    K: read(),
    N: read(),
    bits: read(4),
    block_size: read(),
    accuracy_level: any,
    weight_prepacked: only(0, "another layout"),
  },
  "com.microsoft:MultiHeadAttention": { num_heads: read(0), scale: read(0), ...MASKED },
  "com.microsoft:QAttention": PACKED,
  "com.microsoft:QEmbedLayerNormalization": { epsilon: read(1e-12) },
  "com.microsoft:QGemm": { alpha: read(1), transA: only(0, "another order"), transB: read(0) },
  "com.microsoft:QLinearSoftmax": { axis: read(-1), opset: any },
  "com.microsoft:QuickGelu": { alpha: read(1.702) },
  "com.microsoft:SkipLayerNormalization": { epsilon: read(1e-12) },
  "com.microsoft:TransposeMatMul": FUSED,
  "com.microsoft:DequantizeLinear": QUANTIZE,
  "com.microsoft:QuantizeLinear": QUANTIZE,
};

function rulesOf({ domain, op }: OnnxNode): Readonly<Record<string, Rule>> {
  const name = domain === "" ? op : `${domain}:${op}`;
  return Object.hasOwn(RULES, name) ? RULES[name]! : {};
}

/** What is wrong with a node's attributes, as a clause: one that is not known, or a value not understood. */
export function unknownAttribute(node: OnnxNode): string | undefined {
  const rules = rulesOf(node);
  for (const [name, value] of node.attributes) {
    const rule = Object.hasOwn(rules, name) ? rules[name]! : undefined;
    if (rule === undefined) return `has an attribute ${JSON.stringify(name)}, which is not known`;
    if (rule.only && value !== rule.fallback) {
      return `has ${name} = ${String(value)} (${rule.only}); only ${rule.fallback} is supported`;
    }
  }
}

/** Refuses a node with an attribute that is not known, or with a value of one that is not understood. */
export function checkAttributes(node: OnnxNode): void {
  const what = unknownAttribute(node);
  if (what !== undefined) refuse(`${nodeLabel(node)} ${what}.`);
}

/** An attribute, or its default. */
export function attribute(node: OnnxNode, name: string): OnnxAttribute | undefined {
  return node.attributes.get(name) ?? rulesOf(node)[name]?.fallback;
}

/** A number, or its default, or NaN where it has none. */
export function numberOf(node: OnnxNode, name: string): number {
  const value = attribute(node, name);
  return typeof value === "number" ? value : NaN;
}

/** A list of numbers. */
export function listOf(node: OnnxNode, name: string): readonly number[] | undefined {
  const value = attribute(node, name);
  return Array.isArray(value) ? value : undefined;
}
