/**
 * An encoder as an ONNX file, so that other engines run the same model: in float32, or in int8.
 *
 * The graph is BERT's as PyTorch's TorchScript exporter writes it (opset 17, LayerNormalization as one
 * node, GELU spelt out), because engines recognise and fuse those patterns. int8 is what onnxruntime's
 * `quantize_dynamic(per_channel=True)` makes of it: DynamicQuantizeLinear and MatMulInteger with one weight
 * scale per output, one quantization for query, key and value together. The int8 weights and scales are
 * the ones that our own backend multiplies, not quantized a second time. (One scale for a whole matrix,
 * `per_channel=False`, takes onnxruntime 1.30 the same time within 2 %.)
 *
 * One difference to `quantize_dynamic`: it gives an embedding table a single scale, we have one per row, so
 * rows are gathered together with their scales. That is a lookup of a few kilobytes either way. An int4
 * embedding is written as the int8 rows that it stands for, with the same scales.
 *
 * Padding is masked as BERT masks it, by a score so low that its weight is exactly 0 in float32, so a padded
 * batch gives each text's emissions; what stands at padded places means nothing.
 *
 * Weak: an engine quantizes activations per tensor, we per token; int8 emissions agree to a few percent, and
 * depend on the batch. The CRF is no part of the graph.
 *
 * @module
 */
import { type Activation, forActivation } from "../../model/activations.ts";
import type {
  EncoderWeights,
  I4Matrix,
  I8Matrix,
  LayerWeights,
  LinearWeights,
  Matrix,
  NormWeights,
} from "../../model/weights.ts";
import { dequantizeMatrix, expandRow } from "../../quantize/matrix.ts";
import { GraphWriter, TYPE, type Value } from "./graph_writer.ts";

/** Names of the graph's inputs: int64 `[batch, sequence]`. */
export const INPUTS = {
  ids: "input_ids",
  mask: "attention_mask",
  types: "token_type_ids",
} as const;

/** Name of the graph's output: float32 `[batch, sequence, labels]`. */
export const OUTPUT = "logits";

/** The first operator set with LayerNormalization. */
const OPSET = 17;

/** What a masked score is lowered by; BERT's own value, and one that fusions know. */
const MASKED = -10000;

/** The nodes of an activation, as exporters spell it. */
const ACTIVATION_NODES: Readonly<Record<Activation, (g: GraphWriter, x: Value) => Value>> = {
  gelu: (g, x) => {
    const erf = g.node("Erf", [g.node("Div", [x, g.scalar(Math.SQRT2)])]);
    return g.node("Mul", [g.node("Mul", [x, g.node("Add", [erf, g.scalar(1)])]), g.scalar(0.5)]);
  },
  gelu_tanh: (g, x) => {
    const cube = g.node("Mul", [g.node("Pow", [x, g.scalar(3)]), g.scalar(0.044715)]);
    const inner = g.node("Mul", [g.node("Add", [x, cube]), g.scalar(Math.sqrt(2 / Math.PI))]);
    const tanh = g.node("Add", [g.node("Tanh", [inner]), g.scalar(1)]);
    return g.node("Mul", [g.node("Mul", [x, g.scalar(0.5)]), tanh]);
  },
  tanh: (g, x) => g.node("Tanh", [x]),
};

/** Rows `from .. from + count` of a matrix `[rows, columns]`, transposed to `[columns, count]`. */
function transposed(matrix: Matrix, from: number, count: number): Float32Array {
  const { columns } = matrix, row = new Float32Array(columns);
  const out = new Float32Array(columns * count);
  for (let r = 0; r < count; r++) {
    expandRow(matrix, from + r, row, 0);
    for (let c = 0; c < columns; c++) out[c * count + r] = row[c]!;
  }
  return out;
}

/** The same of an int8 matrix, as integers. */
function transposedInt8({ data, columns }: I8Matrix, from: number, count: number): Int8Array {
  const out = new Int8Array(columns * count);
  for (let r = 0; r < count; r++) {
    for (let c = 0; c < columns; c++) out[c * count + r] = data[(from + r) * columns + c]!;
  }
  return out;
}

/** The integers of a quantized table, a byte each. */
function storedIntegers(table: I8Matrix | I4Matrix): Int8Array {
  if (table.type === "i8") return table.data;
  const { rows, columns, data } = table, width = (columns + 1) >> 1;
  const out = new Int8Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const pair = data[r * width + (c >> 1)]!;
      out[r * columns + c] = (c & 1 ? pair >> 4 : pair & 15) - 8;
    }
  }
  return out;
}

/** How an encoder is written. */
export interface WriteEncoderOptions {
  /** Multiply int8 matrices as integers; else everything is expanded to float32. */
  readonly int8?: boolean;
}

/** Puts an encoder's parts into a graph. */
class EncoderGraph {
  readonly graph = new GraphWriter();
  readonly #int8: boolean;
  readonly #config: EncoderWeights["config"];
  /** What DynamicQuantizeLinear made of a value, so that no value is quantized twice. */
  readonly #quantized = new Map<Value, Value[]>();

  constructor(config: EncoderWeights["config"], { int8 = false }: WriteEncoderOptions) {
    this.#config = config;
    this.#int8 = int8;
  }

  /** x W^T + b with rows `from .. from + count` of the weights. */
  linear(
    x: Value,
    { weight, bias }: LinearWeights,
    name: string,
    { from = 0, count = weight.rows, output }: {
      readonly from?: number;
      readonly count?: number;
      readonly output?: Value;
    } = {},
  ): Value {
    const g = this.graph, k = weight.columns;
    const b = g.constant(`${name}.bias`, [count], bias.subarray(from, from + count));
    const w = `${name}.weight`;
    if (!this.#int8 || weight.type !== "i8") {
      const product = g.node("MatMul", [
        x,
        g.lazy(w, [k, count], TYPE.float, () => transposed(weight, from, count)),
      ]);
      return g.node("Add", [product, b], {}, output);
    }
    let parts = this.#quantized.get(x);
    if (!parts) this.#quantized.set(x, parts = g.nodeOf(3, "DynamicQuantizeLinear", [x]));
    const [bytes, scale, zeroPoint] = parts;
    const scales = g.constant(`${w}.scale`, [count], weight.scales.slice(from, from + count));
    const sums = g.node("MatMulInteger", [
      bytes,
      g.lazy(w, [k, count], TYPE.int8, () => transposedInt8(weight, from, count)),
      zeroPoint,
      g.constant(`${w}.zero_point`, [count], new Int8Array(count)),
    ]);
    const real = g.node("Cast", [sums], { to: TYPE.float });
    const product = g.node("Mul", [real, g.node("Mul", [scale, scales])]);
    return g.node("Add", [product, b], {}, output);
  }

  norm(x: Value, { gamma, beta }: NormWeights, name: string): Value {
    const g = this.graph, size = gamma.length;
    return g.node("LayerNormalization", [
      x,
      g.constant(`${name}.gamma`, [size], gamma),
      g.constant(`${name}.beta`, [size], beta),
    ], { axis: -1, epsilon: { float: this.#config.layerNormEpsilon } });
  }

  /** Rows of an embedding table. */
  lookup(table: Matrix, indices: Value, name: string): Value {
    const g = this.graph, { rows, columns } = table;
    if (!this.#int8 || table.type === "f32") {
      const floats = (): Float32Array => dequantizeMatrix(table).data;
      return g.node("Gather", [g.lazy(name, [rows, columns], TYPE.float, floats), indices]);
    }
    const integers = (): Int8Array => storedIntegers(table);
    const bytes = g.node("Gather", [
      g.lazy(name, [rows, columns], TYPE.int8, integers),
      indices,
    ]);
    const scales = g.node("Gather", [
      g.constant(`${name}.scale`, [rows, 1], table.scales),
      indices,
    ]);
    return g.node("Mul", [g.node("Cast", [bytes], { to: TYPE.float }), scales]);
  }

  /** The sum of the embeddings, normalized and brought to the hidden size. */
  embeddings(weights: EncoderWeights, ids: Value): Value {
    const g = this.graph, positions = weights.config.maxPositions;
    const length = g.node("Gather", [g.node("Shape", [ids]), g.index(1)]);
    const end = g.node("Unsqueeze", [length, g.integers(0)]);
    const all = g.constant(
      "positions",
      [1, positions],
      BigInt64Array.from({ length: positions }, (_, i) => BigInt(i)),
    );
    const slice = g.node("Slice", [all, g.integers(0), end, g.integers(1), g.integers(1)]);
    let sum = this.lookup(weights.wordEmbedding, ids, "embeddings.word");
    if (weights.typeEmbedding) {
      const types = g.input(INPUTS.types, TYPE.int64, ["batch", "sequence"]);
      sum = g.node("Add", [sum, this.lookup(weights.typeEmbedding, types, "embeddings.type")]);
    }
    const position = this.lookup(weights.positionEmbedding, slice, "embeddings.position");
    const { embeddingNorm, embeddingProjection } = weights;
    const x = this.norm(g.node("Add", [sum, position]), embeddingNorm, "embeddings.norm");
    return embeddingProjection ? this.linear(x, embeddingProjection, "embeddings.projection") : x;
  }

  /** 0 where a key counts and {@link MASKED} where it does not: `[batch, 1, 1, sequence]`. */
  mask(mask: Value): Value {
    const g = this.graph;
    const wide = g.node("Unsqueeze", [
      g.node("Unsqueeze", [mask, g.integers(1)]),
      g.integers(2),
    ]);
    const kept = g.node("Cast", [wide], { to: TYPE.float });
    return g.node("Mul", [g.node("Sub", [g.scalar(1), kept]), g.scalar(MASKED)]);
  }

  /** softmax(Q K^T / sqrt(d) + mask) V with the heads side by side. */
  attention(x: Value, { qkv }: LayerWeights, mask: Value, name: string): Value {
    const g = this.graph, { hiddenSize: h, heads } = this.#config, d = h / heads;
    const split = g.integers(0, 0, heads, d);
    const part = (i: number, label: string, perm: number[]): Value => {
      const projected = this.linear(x, qkv, `${name}.${label}`, { from: i * h, count: h });
      return g.node("Transpose", [g.node("Reshape", [projected, split])], { perm });
    };
    const query = part(0, "query", [0, 2, 1, 3]);
    const key = part(1, "key", [0, 2, 3, 1]);
    const value = part(2, "value", [0, 2, 1, 3]);
    const product = g.node("MatMul", [query, key]);
    const scores = g.node("Add", [g.node("Div", [product, g.scalar(Math.sqrt(d))]), mask]);
    const context = g.node("MatMul", [g.node("Softmax", [scores], { axis: -1 }), value]);
    const rows = g.node("Transpose", [context], { perm: [0, 2, 1, 3] });
    return g.node("Reshape", [rows, g.integers(0, 0, h)]);
  }

  layer(x: Value, weights: LayerWeights, mask: Value, name: string): Value {
    const g = this.graph;
    const context = this.attention(x, weights, mask, `${name}.attention`);
    const attended = this.linear(context, weights.attentionOutput, `${name}.attention.output`);
    x = this.norm(g.node("Add", [attended, x]), weights.attentionNorm, `${name}.attention.norm`);
    const activate = forActivation(ACTIVATION_NODES, this.#config.activation);
    const inner = activate(g, this.linear(x, weights.up, `${name}.up`));
    const update = this.linear(inner, weights.down, `${name}.down`);
    return this.norm(g.node("Add", [update, x]), weights.feedForwardNorm, `${name}.norm`);
  }
}

/**
 * An encoder as an ONNX file of operator set 17: int64 inputs `input_ids`, `attention_mask` and, where the
 * model has token types, `token_type_ids`, each `[batch, sequence]`; output `logits`,
 * `[batch, sequence, labels]`. With `int8`, matrices that are int8 stay so and are multiplied so; else
 * everything is expanded to float32.
 *
 * @throws {ModelError} `onnx/size` if it would have 2 GB or more
 */
export function encoderToOnnx(
  weights: EncoderWeights,
  options: WriteEncoderOptions = {},
): Uint8Array<ArrayBuffer> {
  const { config } = weights, encoder = new EncoderGraph(config, options), g = encoder.graph;
  const ids = g.input(INPUTS.ids, TYPE.int64, ["batch", "sequence"]);
  const mask = encoder.mask(g.input(INPUTS.mask, TYPE.int64, ["batch", "sequence"]));
  let x = encoder.embeddings(weights, ids);
  for (const layer of weights.layers) {
    // A layer that occurs more than once is stored once, under the name of its first place.
    x = encoder.layer(x, layer, mask, `layers.${weights.layers.indexOf(layer)}`);
  }
  const labels = config.labels.length;
  if (weights.headDense) {
    const activate = forActivation(ACTIVATION_NODES, config.head!.activation);
    x = activate(g, encoder.linear(x, weights.headDense, "head.dense"));
  }
  encoder.linear(x, weights.classifier, "classifier", { output: OUTPUT });
  g.output(OUTPUT, TYPE.float, ["batch", "sequence", labels]);
  return g.finish(OPSET, "edge-ner");
}
