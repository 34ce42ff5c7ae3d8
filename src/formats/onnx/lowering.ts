/**
 * A graph that is being written out of another, node by node: what the rules of lowering work with.
 *
 * Nodes keep the name and the number of what they came from, so that messages still point into the file.
 *
 * @module
 */
import { checkAttributes } from "./attributes.ts";
import type { OnnxAttribute, OnnxGraph, OnnxNode } from "./decode.ts";
import { nodeLabel } from "./decode.ts";
import type { OnnxTensor } from "./tensor.ts";
import { refuse } from "./refuse.ts";

/** Attributes of a node that a rule writes. */
export type Attributes = Readonly<Record<string, OnnxAttribute>>;

/** Writes nodes in the place of another; returns true when that one is no longer needed. */
export type Rule = (at: Lowering, node: OnnxNode) => boolean;

/** The graph that is being written, and the node that is being replaced. */
export class Lowering {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: Map<string, OnnxTensor>;
  readonly #producers = new Map<string, OnnxNode>();
  readonly #ruleOf: (node: OnnxNode) => Rule | undefined;
  #origin: OnnxNode | undefined;
  #fresh = 0;

  /** Begins an empty graph with the constants and producers of this one. */
  constructor(graph: OnnxGraph, ruleOf: (node: OnnxNode) => Rule | undefined) {
    this.#ruleOf = ruleOf;
    this.initializers = new Map(graph.initializers);
    for (const node of graph.nodes) {
      for (const output of node.outputs) this.#producers.set(output, node);
    }
  }

  /** Writes what a node stands for, or the node itself where no rule knows more. */
  lower(node: OnnxNode): void {
    this.#origin = node;
    const rule = this.#ruleOf(node);
    if (rule !== undefined) checkAttributes(node);
    if (!rule?.(this, node)) this.nodes.push(node);
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

  /** Positions 0, 1, 2, ... of as many tokens as these ids have, at most `count`: `[1, tokens]`. */
  positions(ids: string, count: number): string {
    const integers = (dims: readonly number[], values: Int32Array): string =>
      this.#store({
        type: "int32",
        dims,
        size: values.length,
        bytes: new Uint8Array(values.buffer),
      });
    const all = integers([1, count], Int32Array.from({ length: count }, (_, i) => i));
    const length = this.emit("Shape", [ids], { start: 1 });
    const [zero, one] = [integers([1], Int32Array.of(0)), integers([1], Int32Array.of(1))];
    return this.emit("Slice", [all, zero, length, one]);
  }

  /** Stores a third of a vector (query's, key's or value's) under a new name. */
  third(value: string, which: 0 | 1 | 2): string {
    const tensor = this.stored(value);
    if (tensor === undefined || tensor.size % 3 !== 0) {
      refuse(`${nodeLabel(this.#origin!)} has a bias that is not three constant vectors.`);
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
