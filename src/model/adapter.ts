/**
 * Low-rank adapters (LoRA; Hu et al., arXiv 2106.09685): what training changes in a linear map, as a product of two thin
 * matrices beside it, and a head of their own.
 *
 *     y = x W^T + scale (x A^T) B^T + b        A [rank, inputs], B [outputs, rank], scale = alpha / rank
 *
 * One encoder serves many adapters. {@link mergeAdapter} makes a model of an encoder and one of them.
 *
 * @module
 */
import { ModelError } from "../errors.ts";
import { classifierInputs, type ModelConfig } from "./config.ts";
import { featuresFor } from "./lexicon.ts";
import type {
  CrfWeights,
  EncoderWeights,
  F32Matrix,
  LayerWeights,
  LinearWeights,
} from "./weights.ts";

/** The linear maps of a layer that can be adapted. */
export const ADAPTED = ["query", "key", "value", "attentionOutput", "up", "down"] as const;

/** The name of one of them. */
export type Adapted = typeof ADAPTED[number];

/** What is added to one linear map. */
export interface AdapterPart {
  /** Counted from 0. */
  readonly layer: number;
  /** Which of its linear maps. */
  readonly map: Adapted;
  /** `[rank, inputs]`. */
  readonly a: F32Matrix;
  /** `[outputs, rank]`. */
  readonly b: F32Matrix;
}

/** An adapter: parts for an encoder of some sizes, and the head that was learnt with them. */
export interface Adapter {
  /** Columns of B. */
  readonly rank: number;
  /** Scale of the product, times the rank. */
  readonly alpha: number;
  /** In the order of layers and of {@link ADAPTED}; one for each map at most. */
  readonly parts: readonly AdapterPart[];
  /** Label names by emission column. */
  readonly labels: readonly string[];
  /** Of the shape that the model's own has: `[labels, hiddenSize]`, or `[labels, head.size]` in a head of two layers. */
  readonly classifier: LinearWeights;
  /** Absent for a plain softmax head. */
  readonly crf: CrfWeights | undefined;
}

/** Rows of a map's matrix in its layer: query, key and value are stacked. */
export function adaptedMap(
  layer: LayerWeights,
  map: Adapted,
): { readonly linear: "qkv" | "attentionOutput" | "up" | "down"; first: number; rows: number } {
  if (map === "attentionOutput" || map === "up" || map === "down") {
    return { linear: map, first: 0, rows: layer[map].weight.rows };
  }
  const rows = layer.qkv.weight.rows / 3;
  return { linear: "qkv", first: rows * ["query", "key", "value"].indexOf(map), rows };
}

/**
 * Adds `scale B A` to rows of a matrix. Each element's sum runs over the rank in order, in double precision, and is
 * rounded once.
 */
export function addProduct(
  target: Float32Array,
  columns: number,
  first: number,
  { a, b }: Pick<AdapterPart, "a" | "b">,
  scale: number,
): void {
  const rank = a.rows;
  for (let row = 0; row < b.rows; row++) {
    const at = (first + row) * columns;
    for (let c = 0; c < columns; c++) {
      let sum = 0;
      for (let r = 0; r < rank; r++) sum += b.data[row * rank + r]! * a.data[r * columns + c]!;
      target[at + c] = target[at + c]! + scale * sum;
    }
  }
}

/** Inputs and outputs of a linear map that can be adapted. */
function sizesOf(map: Adapted, { hiddenSize, feedForwardSize }: ModelConfig): [number, number] {
  if (map === "up") return [hiddenSize, feedForwardSize];
  return [map === "down" ? feedForwardSize : hiddenSize, hiddenSize];
}

/** Throws {@link ModelError} `model/mismatch` unless the adapter's parts fit an encoder of this configuration. */
export function checkAdapter(
  { parts, rank, classifier }: Adapter,
  config: ModelConfig,
): void {
  const fail = (what: string, got: readonly number[], expected: readonly number[]): never => {
    throw new ModelError(
      "model/mismatch",
      `the adapter's ${what} is [${got}], and the model needs [${expected}]: they do not belong together.`,
    );
  };
  for (const { layer, map, a, b } of parts) {
    if (!(layer < config.layers)) {
      throw new ModelError(
        "model/mismatch",
        `the adapter has a part for layer ${layer}, and the model has ${config.layers} layers.`,
      );
    }
    const [columns, rows] = sizesOf(map, config), at = `part for layer ${layer}, ${map},`;
    if (a.rows !== rank || a.columns !== columns) {
      fail(`${at} A`, [a.rows, a.columns], [rank, columns]);
    }
    if (b.rows !== rows || b.columns !== rank) fail(`${at} B`, [b.rows, b.columns], [rows, rank]);
  }
  const { rows, columns } = classifier.weight, inputs = classifierInputs(config);
  if (columns !== inputs) fail("classifier", [rows, columns], [rows, inputs]);
}

/**
 * The encoder with an adapter's products added to its matrices, and the adapter's head. Throws {@link ModelError}
 * `model/mismatch` for one that does not fit, `model/dtype` for matrices that are not float32.
 */
export function mergeAdapter(weights: EncoderWeights, adapter: Adapter): EncoderWeights {
  checkAdapter(adapter, weights.config);
  const layers = weights.layers.map((layer, i): LayerWeights => {
    const merged: { -readonly [Name in keyof LayerWeights]: LayerWeights[Name] } = { ...layer };
    for (const part of adapter.parts) {
      if (part.layer !== i) continue;
      const { linear, first } = adaptedMap(layer, part.map), { weight, bias } = merged[linear];
      if (weight.type !== "f32") {
        throw new ModelError("model/dtype", "an adapter can be merged into float32 weights only.");
      }
      const data = weight.data.slice();
      addProduct(data, weight.columns, first, part, adapter.alpha / adapter.rank);
      merged[linear] = { weight: { ...weight, data }, bias };
    }
    return merged;
  });
  const { classifier, labels } = adapter, { config, features } = weights;
  return {
    ...weights,
    layers,
    classifier,
    config: { ...config, labels },
    ...(features && { features: featuresFor(features, labels, config) }),
  };
}
