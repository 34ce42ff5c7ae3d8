/**
 * Fused operators, written out: a graph of ONNX Runtime's own operators to one of ONNX's.
 *
 * ONNX Runtime's optimizers replace parts of an encoder by single operators of the domain `com.microsoft`,
 * and its quantizer by integer ones (`lower_quantized.ts`). Each rule here puts back what one of them
 * stands for, so that the recognisers see one vocabulary, whoever wrote the file. The results are for
 * reading weights from, not for running: where an operator means "attention", ONNX's own Attention is
 * written, and outputs that no encoder needs are left out.
 *
 * Nodes keep the name and the number of what they came from, so that messages still point into the file.
 * Operators without a rule stay as they are, and are refused by name where they matter.
 *
 * What each operator means: ONNX Runtime 1.31, docs/ContribOperators.md.
 *
 * @module
 */
import type { OnnxAttribute, OnnxGraph, OnnxNode } from "./decode.ts";
import { nodeLabel } from "./decode.ts";
import { QUANTIZED } from "./lower_quantized.ts";
import type { OnnxTensor } from "./tensor.ts";
import { unsupported } from "./walk.ts";

/** Attributes of a node that a rule writes. */
export type Attributes = Readonly<Record<string, OnnxAttribute>>;

/** Writes nodes in the place of another; returns true when that one is no longer needed. */
export type Rule = (at: Lowering, node: OnnxNode) => boolean;

/** The graph that is being written, and the node that is being replaced. */
export class Lowering {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: Map<string, OnnxTensor>;
  readonly #producers = new Map<string, OnnxNode>();
  #origin: OnnxNode | undefined;
  #fresh = 0;

  /** Begins an empty graph with the constants and producers of this one. */
  constructor(graph: OnnxGraph) {
    this.initializers = new Map(graph.initializers);
    for (const node of graph.nodes) {
      for (const output of node.outputs) this.#producers.set(output, node);
    }
  }

  /** Applies a rule, or keeps the node. */
  replace(node: OnnxNode, rule: Rule | undefined): void {
    this.#origin = node;
    if (!rule?.(this, node)) this.nodes.push(node);
  }

  /** Replaces the current node by what another fused operator stands for. */
  again(node: OnnxNode): void {
    if (!FUSED.get(node.op)?.(this, node)) this.nodes.push(node);
  }

  /** The node that produces a value, of the original graph or written by a rule. */
  producer(value: string | undefined): OnnxNode | undefined {
    return value === undefined ? undefined : this.#producers.get(value);
  }

  /** A stored tensor, or a Constant's. */
  stored(value: string | undefined): OnnxTensor | undefined {
    const tensor = this.initializers.get(value ?? "");
    const constant = tensor ?? this.producer(value)?.attributes.get("value");
    return constant !== null && typeof constant === "object" && !Array.isArray(constant)
      ? constant as OnnxTensor
      : undefined;
  }

  /** Writes a node of ONNX's own and returns its output, which is `output` or a new value. */
  emit(
    op: string,
    inputs: readonly string[],
    attributes: Attributes = {},
    output?: string,
  ): string {
    return this.emitAll(op, inputs, attributes, [output ?? this.#name()])[0]!;
  }

  /** Writes a node with several outputs. */
  emitAll(
    op: string,
    inputs: readonly string[],
    attributes: Attributes,
    outputs: readonly string[],
  ): readonly string[] {
    const { index, name } = this.#origin!;
    const all = new Map<string, OnnxAttribute>(Object.entries(attributes));
    const node = { index, name, op, domain: "", inputs, outputs, attributes: all };
    this.nodes.push(node);
    for (const output of outputs) this.#producers.set(output, node);
    return outputs;
  }

  /** New names for outputs. */
  names(count: number): string[] {
    return Array.from({ length: count }, () => this.#name());
  }

  /** Stores float32 numbers under a new name. */
  floats(values: Float32Array, dims: readonly number[]): string {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return this.#store({ type: "float32", dims, size: values.length, bytes });
  }

  /** Stores the numbers 0 .. count - 1 under a new name. */
  counting(count: number): string {
    const bytes = new Uint8Array(Int32Array.from({ length: count }, (_, i) => i).buffer);
    return this.#store({ type: "int32", dims: [1, count], size: count, bytes });
  }

  /** Stores a third of a vector (query's, key's or value's) under a new name. */
  third(value: string, which: 0 | 1 | 2): string {
    const tensor = this.stored(value);
    if (tensor === undefined || tensor.size % 3 !== 0) {
      unsupported(`${nodeLabel(this.#origin!)} has a bias that is not three constant vectors.`);
    }
    const { bytes, size, type } = tensor, length = bytes.length / 3;
    const part = bytes.subarray(which * length, (which + 1) * length);
    return this.#store({ type, dims: [size / 3], size: size / 3, bytes: part });
  }

  #store(tensor: Omit<OnnxTensor, "name">): string {
    const name = this.#name();
    this.initializers.set(name, { name, ...tensor });
    return name;
  }

  /** A name that no file has: NUL cannot come first in one that a person would write, and is checked. */
  #name(): string {
    let name: string;
    do name = `\0${this.#fresh++}`; while (
      this.#producers.has(name) || this.initializers.has(name)
    );
    return name;
  }
}

function number(node: OnnxNode, name: string, fallback: number): number {
  const value = node.attributes.get(name);
  return typeof value === "number" ? value : fallback;
}

/** `out = LayerNorm(x + skip + bias)`. */
function skipLayerNormalization(at: Lowering, node: OnnxNode): boolean {
  const [x, skip, gamma, beta, bias] = node.inputs as string[];
  const [out, , , kept] = node.outputs;
  const first = bias ? at.emit("Add", [x!, bias]) : x!;
  const sum = at.emit("Add", [first, skip!], {}, kept || undefined);
  // Unlike ONNX's LayerNormalization, 1e-12 unless given.
  const epsilon = number(node, "epsilon", 1e-12);
  at.emit("LayerNormalization", [sum, gamma!, ...(beta ? [beta] : [])], { epsilon, axis: -1 }, out);
  return true;
}

/** Gathers of word, position and token type, their sum, LayerNorm. */
function embedLayerNormalization(at: Lowering, node: OnnxNode): boolean {
  const [ids, types, word, position, type, gamma, beta, , places] = node.inputs as string[];
  const [out, , kept] = node.outputs;
  const integers = at.producer(position)?.inputs[0];
  const rows = (at.stored(position) ?? at.stored(integers))?.dims[0] ?? 0;
  // More than a model can have; a table of no columns would cost nothing to claim.
  if (!places && rows > 1 << 16) return false;
  const where = places || at.counting(rows);
  const terms = [at.emit("Gather", [word!, ids!]), at.emit("Gather", [position!, where])];
  if (types && type) terms.push(at.emit("Gather", [type, types]));
  const sum = at.emit("Sum", terms, {}, kept || undefined);
  const epsilon = number(node, "epsilon", 1e-12);
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
  for (const name of ["transA", "transBatchA", "transBatchB"]) {
    if (number(node, name, 0) !== 0) return false;
  }
  const perm = at.stored(b)?.dims.length === 2 ? [1, 0] : [0, 1, 3, 2];
  const right = number(node, "transB", 0) === 0 ? b! : at.emit("Transpose", [b!], { perm });
  const alpha = at.floats(Float32Array.of(number(node, "alpha", 1)), []);
  at.emit("Mul", [at.emit("MatMul", [a!, right]), alpha], {}, node.outputs[0]);
  return true;
}

/** What no recogniser could see any more: a cache, a causal mask, a rotation. */
function checkAttention(node: OnnxNode, past: readonly number[]): void {
  const label = nodeLabel(node);
  if (number(node, "unidirectional", 0) !== 0) unsupported(`${label} is causal (unidirectional).`);
  if (number(node, "do_rotary", 0) !== 0) {
    unsupported(`${label} rotates queries and keys: rotary positions are not supported.`);
  }
  if (past.some((i) => node.inputs[i])) unsupported(`${label} has a cache of past keys.`);
}

/**
 * ONNX's Attention over three projections that are not split into heads yet. Masks and biases, whatever their
 * form, become one: it is only checked for what it is made of.
 */
function attention(
  at: Lowering,
  node: OnnxNode,
  parts: readonly string[],
  masks: readonly (string | undefined)[],
): void {
  const [mask, ...more] = masks.filter((value) => value);
  const joined = more.length > 0 ? at.emit("Sum", [mask!, ...more as string[]]) : mask;
  const heads = number(node, "num_heads", 0);
  const scale = number(node, "scale", 0);
  at.emit("Attention", [...parts, ...(joined ? [joined] : [])], {
    q_num_heads: heads,
    kv_num_heads: heads,
    ...(scale === 0 ? {} : { scale }),
  }, node.outputs[0]);
}

/** Query, key and value by one product with a packed weight and bias, then attention. */
function packedAttention(at: Lowering, node: OnnxNode): boolean {
  const [x, weight, bias, mask, , added] = node.inputs as string[];
  checkAttention(node, [4]);
  const sizes = node.attributes.get("qkv_hidden_sizes");
  if (Array.isArray(sizes) && sizes.some((size) => size !== sizes[0])) {
    unsupported(`${nodeLabel(node)} has query, key and value of sizes ${sizes}.`);
  }
  const product = at.emit("MatMul", [x!, weight!]);
  const packed = bias ? at.emit("Add", [product, bias]) : product;
  attention(at, node, at.emitAll("Split", [packed], { axis: -1 }, at.names(3)), [mask, added]);
  return true;
}

/** Query, key and value as three values, or as one whose last dimension holds them. */
function multiHeadAttention(at: Lowering, node: OnnxNode): boolean {
  const [query, key, value, bias, padding, added] = node.inputs as string[];
  checkAttention(node, [6, 7]);
  if (!key || !value) {
    unsupported(`${nodeLabel(node)} has query, key and value packed by head.`);
  }
  const parts = [query!, key, value].map((part, i) =>
    bias ? at.emit("Add", [part, at.third(bias, i as 0 | 1 | 2)]) : part
  );
  attention(at, node, parts, [padding, added]);
  return true;
}

const FUSED: ReadonlyMap<string, Rule> = new Map<string, Rule>([
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

/** The same graph in ONNX's own operators, as far as there are rules. */
export function lowerGraph(graph: OnnxGraph): OnnxGraph {
  const at = new Lowering(graph);
  for (const node of graph.nodes) {
    const rule = QUANTIZED.get(`${node.domain}:${node.op}`) ??
      (node.domain === "com.microsoft" ? FUSED.get(node.op) : undefined);
    at.replace(node, rule);
  }
  return { ...graph, nodes: at.nodes, initializers: at.initializers };
}
