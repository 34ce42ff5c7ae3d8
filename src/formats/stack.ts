/**
 * Putting an encoder's weights together, whoever read them: query, key and value become one matrix, and
 * layers that hold the same numbers become one object.
 *
 * ALBERT uses one layer many times. An exporter may store it once or once for each use; either way the same
 * {@link LayerWeights} object is returned for each, which is how a backend knows to hold it only once.
 *
 * Weak: a package stores each layer by its number, so an ALBERT's file, and its memory once it is read, are as
 * large as if its layers differed.
 *
 * @module
 */
import { LAYER_LINEARS } from "../model/linears.ts";
import type { I8Matrix, LayerWeights, LinearWeights, Matrix } from "../model/weights.ts";
import { dequantizeMatrix } from "../quantize/matrix.ts";

/** Query, key and value in one map: int8 when all are, else float32. */
export function stackLinear(parts: readonly LinearWeights[]): LinearWeights {
  const { rows, columns } = parts[0]!.weight;
  const size = rows * columns;
  const bias = new Float32Array(parts.length * rows);
  parts.forEach((part, i) => bias.set(part.bias, i * rows));
  const shape = { rows: parts.length * rows, columns };
  if (parts.every(({ weight }) => weight.type === "i8")) {
    const data = new Int8Array(parts.length * size), scales = new Float32Array(bias.length);
    parts.forEach(({ weight }, i) => {
      data.set(weight.data, i * size);
      scales.set((weight as I8Matrix).scales, i * rows);
    });
    return { weight: { type: "i8", ...shape, data, scales }, bias };
  }
  const data = new Float32Array(parts.length * size);
  parts.forEach(({ weight }, i) => {
    data.set(dequantizeMatrix(weight).data, i * size);
  });
  return { weight: { type: "f32", ...shape, data }, bias };
}

type Numbers = Float32Array | Int8Array | Uint8Array;

const NONE = new Float32Array(0);

function sameNumbers(a: Numbers, b: Numbers): boolean {
  if (a === b) return true;
  if (a.length !== b.length || a.constructor !== b.constructor) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

function sameMatrix(a: Matrix, b: Matrix): boolean {
  if (a.type !== b.type || a.rows !== b.rows || a.columns !== b.columns) return false;
  const scales = (matrix: Matrix): Numbers => matrix.type === "f32" ? NONE : matrix.scales;
  return sameNumbers(a.data, b.data) && sameNumbers(scales(a), scales(b));
}

function sameLinear(a: LinearWeights, b: LinearWeights): boolean {
  return sameNumbers(a.bias, b.bias) && sameMatrix(a.weight, b.weight);
}

function sameLayer(a: LayerWeights, b: LayerWeights): boolean {
  // Layers of different numbers differ in the first bias or the first weights that are compared.
  return LAYER_LINEARS.every((name) => sameLinear(a[name], b[name])) &&
    sameNumbers(a.attentionNorm.gamma, b.attentionNorm.gamma) &&
    sameNumbers(a.attentionNorm.beta, b.attentionNorm.beta) &&
    sameNumbers(a.feedForwardNorm.gamma, b.feedForwardNorm.gamma) &&
    sameNumbers(a.feedForwardNorm.beta, b.feedForwardNorm.beta);
}

/** The same layers, with one object for those that hold the same numbers. */
export function shareLayers(layers: readonly LayerWeights[]): LayerWeights[] {
  const kept: LayerWeights[] = [];
  return layers.map((layer) => {
    const same = kept.find((other) => sameLayer(layer, other));
    if (same === undefined) kept.push(layer);
    return same ?? layer;
  });
}
