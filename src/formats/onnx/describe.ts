/**
 * What kind of numbers an ONNX graph computes with: how near another engine can come to it.
 *
 * @module
 */
import { decodeOnnx } from "./decode.ts";

/** A graph in brief. */
export interface OnnxDescription {
  /** Version of ONNX's own operators. */
  readonly opset: number;
  /**
   * `quantized` if it rounds activations or weights to integers, else `half` if any stored weight has 16
   * bits, else `float`.
   */
  readonly precision: "float" | "half" | "quantized";
  /** How often each operator occurs. */
  readonly operators: ReadonlyMap<string, number>;
}

const QUANTIZED = /Integer|Quantize|^Q(Attention|Gemm|Linear|EmbedLayer)|NBits/;

/**
 * Describes a graph.
 *
 * @throws {FormatError} as reading it does
 */
export function describeOnnx(
  bytes: Uint8Array,
  external?: ReadonlyMap<string, Uint8Array>,
): OnnxDescription {
  const { opset, nodes, initializers } = decodeOnnx(bytes, external);
  const operators = new Map<string, number>();
  for (const { op } of nodes) operators.set(op, (operators.get(op) ?? 0) + 1);
  const types = new Set([...initializers.values()].map(({ type }) => type));
  const precision = [...operators.keys()].some((op) => QUANTIZED.test(op))
    ? "quantized"
    : types.has("float16") || types.has("bfloat16")
    ? "half"
    : "float";
  return { opset, precision, operators };
}
