/**
 * Quantized operators, written out: integer arithmetic to products with dequantized weights.
 *
 * What a quantizer did to activations is of no interest here, since this library's kernels quantize them
 * themselves; what counts are the weights' integers, scales and zero points. So each rule writes the float
 * operator over activations (which recognisers follow through every QuantizeLinear and DequantizeLinear)
 * and puts a DequantizeLinear in front of the weight, which `constant.ts` reads.
 *
 * What each operator means: ONNX's Operators.md and ONNX Runtime 1.31, docs/ContribOperators.md.
 *
 * @module
 */
import { numberOf } from "./attributes.ts";
import type { OnnxNode } from "./decode.ts";
import type { Attributes, Lowering, Rule } from "./lowering.ts";
import { tensorFloats } from "./tensor.ts";

/** A weight or an activation by its integers, scale and zero point; the scale of each column for several. */
function real(
  at: Lowering,
  value: string,
  scale: string,
  zero: string | undefined,
  output?: string,
): string {
  const gather = at.producer(value);
  const table = gather?.op === "Gather" && gather.domain === "" ? gather.inputs[0]! : undefined;
  if (table !== undefined && isWeight(at, table)) {
    // The rows of a table: it is the table that has integers to be read.
    const kept = Object.fromEntries(gather!.attributes);
    return at.emit("Gather", [real(at, table, scale, zero), gather!.inputs[1]!], kept, output);
  }
  return at.emit("DequantizeLinear", [value, scale, ...(zero ? [zero] : [])], { axis: 1 }, output);
}

/**
 * An operand of an integer product: the activation that DynamicQuantizeLinear made integers of, if the product
 * uses its scale and zero point, or a weight with one of the scales; undefined for anything else.
 */
function operand(
  at: Lowering,
  value: string,
  zero: string | undefined,
  scales: readonly (string | undefined)[],
): string | undefined {
  const node = at.producer(value);
  if (node?.op === "DynamicQuantizeLinear" && node.outputs[0] === value) {
    const [, scale, own] = node.outputs;
    return own === zero && scales.includes(scale) ? node.inputs[0] : undefined;
  }
  const scale = scales.find((each) => isWeight(at, each));
  return scale && isWeight(at, value) ? real(at, value, scale, zero) : undefined;
}

function isWeight(at: Lowering, value: string | undefined): boolean {
  return at.stored(value) !== undefined;
}

/** `Cast(MatMulInteger(a, b)) * (scale of a * scale of b)`, at the Mul; both may be activations. */
function matMulInteger(at: Lowering, node: OnnxNode): boolean {
  for (const [i, j] of [[0, 1], [1, 0]] as const) {
    const cast = at.producer(node.inputs[i]);
    const integer = cast?.op === "Cast" ? at.producer(cast.inputs[0]) : cast;
    const scales = at.producer(node.inputs[j]);
    if (integer?.op !== "MatMulInteger" || scales?.op !== "Mul") continue;
    const [a, b, aZero, bZero] = integer.inputs as string[];
    const [left, right] = [
      operand(at, a!, aZero, scales.inputs),
      operand(at, b!, bZero, scales.inputs),
    ];
    // Each scale is one operand's.
    if (left === undefined || right === undefined || scales.inputs[0] === scales.inputs[1]) {
      continue;
    }
    at.emit("MatMul", [left, right], {}, node.outputs[0]);
    return true;
  }
  return false;
}

/** A product, and a bias where there is one. */
function product(at: Lowering, node: OnnxNode, a: string, b: string, bias?: string): boolean {
  const out = node.outputs[0];
  if (!bias) at.emit("MatMul", [a, b], {}, out);
  else at.emit("Add", [at.emit("MatMul", [a, b]), bias], {}, out);
  return true;
}

function dynamicQuantizeMatMul(at: Lowering, node: OnnxNode): boolean {
  const [a, b, scale, zero, bias] = node.inputs as string[];
  return product(at, node, a!, real(at, b!, scale!, zero), bias);
}

function matMulIntegerToFloat(at: Lowering, node: OnnxNode): boolean {
  const [a, b, aScale, bScale, aZero, bZero, bias] = node.inputs as string[];
  const [left, right] = [operand(at, a!, aZero, [aScale]), operand(at, b!, bZero, [bScale])];
  if (left === undefined || right === undefined) return false;
  return product(at, node, left, right, bias);
}

/** com.microsoft.Attention over an integer input and weight. */
function qAttention(at: Lowering, node: OnnxNode): boolean {
  const [x, weight, bias, xScale, scale, mask, xZero, zero, past] = node.inputs as string[];
  const input = operand(at, x!, xZero, [xScale]);
  if (input === undefined) return false;
  const inputs = [input, real(at, weight!, scale!, zero), bias!, mask ?? "", past ?? ""];
  at.lower({ ...node, op: "Attention", inputs });
  return true;
}

/** Writes what a float operator gives as integers again, so that whoever reads them finds their scale. */
function quantized(
  at: Lowering,
  node: OnnxNode,
  value: string,
  scale: string,
  zero: string | undefined,
): boolean {
  at.emit("QuantizeLinear", [value, scale, ...(zero ? [zero] : [])], {}, node.outputs[0]);
  return true;
}

function qLinearMatMul(at: Lowering, node: OnnxNode): boolean {
  const [a, aScale, aZero, b, bScale, bZero, scale, zero] = node.inputs as string[];
  const inputs = [real(at, a!, aScale!, aZero), real(at, b!, bScale!, bZero)];
  return quantized(at, node, at.emit("MatMul", inputs), scale!, zero);
}

/** Gemm whose bias is int32, with the product of both scales. */
function qGemm(at: Lowering, node: OnnxNode): boolean {
  const [a, aScale, aZero, b, bScale, bZero, c, scale, zero] = node.inputs as string[];
  // The scale of each output: of a column, or of a row where the weight is turned.
  const transB = numberOf(node, "transB"),
    alpha = numberOf(node, "alpha"),
    axis = transB === 0 ? 1 : 0;
  const weight = at.emit("DequantizeLinear", [b!, bScale!, ...(bZero ? [bZero] : [])], { axis });
  const inputs = [real(at, a!, aScale!, aZero), weight];
  if (c) {
    const one = at.stored(aScale), many = at.stored(bScale);
    const scales = many && tensorFloats(many);
    const first = one && tensorFloats(one)?.[0];
    if (scales === undefined || first === undefined) return false;
    const both = at.floats(
      scales.map((s) => s * first),
      scales.length === 1 ? [] : [scales.length],
    );
    inputs.push(at.emit("DequantizeLinear", [c, both], { axis: 0 }));
  }
  const attributes = { transB, alpha };
  if (scale) return quantized(at, node, at.emit("Gemm", inputs, attributes), scale, zero);
  at.emit("Gemm", inputs, attributes, node.outputs[0]);
  return true;
}

/** QLinearAdd and QLinearMul: operands with scale and zero point each. */
function qLinearBinary(op: string): Rule {
  return (at, node) => {
    const [a, aScale, aZero, b, bScale, bZero, scale, zero] = node.inputs as string[];
    const inputs = [real(at, a!, aScale!, aZero), real(at, b!, bScale!, bZero)];
    return quantized(at, node, at.emit(op, inputs), scale!, zero);
  };
}

/** QLinearSoftmax and QLinearSigmoid: one operand. */
function qLinearUnary(op: string): Rule {
  return (at, node) => {
    const [x, scale, zero, outScale, outZero] = node.inputs as string[];
    const attributes: Attributes = op === "Softmax" ? { axis: numberOf(node, "axis") } : {};
    const out = at.emit(op, [real(at, x!, scale!, zero)], attributes);
    return quantized(at, node, out, outScale!, outZero);
  };
}

/** `DequantizeLinear(Gather(table, ids))`; any other stays as it is, with its axis. */
function dequantizedGather(at: Lowering, node: OnnxNode): boolean {
  const [value, scale, zero] = node.inputs as string[];
  const gather = at.producer(value);
  if (gather?.op !== "Gather" || !isWeight(at, gather.inputs[0])) return false;
  real(at, value!, scale!, zero, node.outputs[0]);
  return true;
}

/** ONNX Runtime's own (De)QuantizeLinear, which knew more types before ONNX's did. */
function ownLinear(at: Lowering, node: OnnxNode): boolean {
  const { op, inputs, attributes, outputs } = node;
  if (op === "DequantizeLinear" && dequantizedGather(at, node)) return true;
  at.emit(op, inputs, Object.fromEntries(attributes), outputs[0]);
  return true;
}

/**
 * A weight in blocks of 4 or 8 bits, expanded: block b of row n has its own scale, and a zero point in the
 * middle unless it has one of its own.
 */
function matMulNBits(at: Lowering, node: OnnxNode): boolean {
  const size = (name: string, fallback = 0): number => {
    const value = node.attributes.get(name);
    return typeof value === "number" ? value : fallback;
  };
  const [x, packed, scale, zero, group, bias] = node.inputs as string[];
  const [K, N, bits, block] = [size("K"), size("N"), size("bits", 4), size("block_size")];
  const bytes = at.stored(packed)?.bytes, scales = at.stored(scale), zeros = at.stored(zero)?.bytes;
  const factors = scales && tensorFloats(scales);
  const blocks = Math.ceil(K / block), perBlock = block * bits / 8;
  const zeroRow = Math.ceil(blocks * bits / 8);
  // All sizes are checked against what is stored before anything is allocated from them.
  const fits = (bits === 4 || bits === 8) && [K, N, block].every(Number.isInteger) && N > 0 &&
    K > 0 && blocks >= 1 && !group &&
    bytes?.length === N * blocks * perBlock && factors?.length === N * blocks &&
    (zero ? zeros?.length === N * zeroRow : true);
  if (!fits) return false;
  const nibble = (from: Uint8Array, start: number, i: number): number =>
    bits === 8 ? from[start + i]! : (from[start + (i >> 1)]! >> (4 * (i & 1))) & 15;
  const values = new Float32Array(N * K);
  for (let n = 0; n < N; n++) {
    for (let k = 0; k < K; k++) {
      const b = Math.floor(k / block);
      const middle = zeros ? nibble(zeros, n * zeroRow, b) : 1 << (bits - 1);
      const q = nibble(bytes!, (n * blocks + b) * perBlock, k - b * block);
      values[n * K + k] = (q - middle) * factors![n * blocks + b]!;
    }
  }
  const weight = at.emit("Transpose", [at.floats(values, [N, K])], { perm: [1, 0] });
  return product(at, node, x!, weight, bias);
}

/** EmbedLayerNormalization over quantized tables and a quantized LayerNorm. */
function qEmbedLayerNormalization(at: Lowering, node: OnnxNode): boolean {
  const parts = node.inputs as string[];
  const table = (i: number, scale: number): string =>
    parts[i] ? real(at, parts[i]!, parts[scale]!, parts[scale + 5]) : "";
  const inputs = [parts[0]!, parts[1] ?? "", table(2, 8), table(3, 9), table(4, 10)];
  inputs.push(table(5, 11), table(6, 12), parts[7] ?? "");
  at.lower({ ...node, op: "EmbedLayerNormalization", inputs });
  return true;
}

/** `Cast(Gather(integers, ids)) * Gather(scales, ids)`, a scale for each row: what this library writes. */
function scaledGather(at: Lowering, node: OnnxNode): boolean {
  for (const [i, j] of [[0, 1], [1, 0]] as const) {
    const cast = at.producer(node.inputs[i]), scales = at.producer(node.inputs[j]);
    const rows = cast?.op === "Cast" ? at.producer(cast.inputs[0]) : undefined;
    if (rows?.op !== "Gather" || scales?.op !== "Gather") continue;
    const [table, ids] = rows.inputs as string[], [scale, same] = scales.inputs as string[];
    if (ids !== same || !isWeight(at, table) || !isWeight(at, scale)) continue;
    const kept = Object.fromEntries(rows.attributes);
    const real = at.emit("DequantizeLinear", [table!, scale!], { axis: 0 });
    at.emit("Gather", [real, ids!], kept, node.outputs[0]);
    return true;
  }
  return false;
}

/** Rules by `domain:operator`. */
export const QUANTIZED: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  [":Mul", (at, node) => matMulInteger(at, node) || scaledGather(at, node)],
  [":DequantizeLinear", dequantizedGather],
  [":QLinearMatMul", qLinearMatMul],
  ["com.microsoft:DequantizeLinear", ownLinear],
  ["com.microsoft:QuantizeLinear", ownLinear],
  ["com.microsoft:DynamicQuantizeMatMul", dynamicQuantizeMatMul],
  ["com.microsoft:MatMulIntegerToFloat", matMulIntegerToFloat],
  ["com.microsoft:MatMulNBits", matMulNBits],
  ["com.microsoft:QAttention", qAttention],
  ["com.microsoft:QGemm", qGemm],
  ["com.microsoft:QLinearAdd", qLinearBinary("Add")],
  ["com.microsoft:QLinearMul", qLinearBinary("Mul")],
  ["com.microsoft:QLinearSoftmax", qLinearUnary("Softmax")],
  ["com.microsoft:QLinearSigmoid", qLinearUnary("Sigmoid")],
  ["com.microsoft:QEmbedLayerNormalization", qEmbedLayerNormalization],
]);
