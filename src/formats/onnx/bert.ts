/**
 * The weights of a BERT-style token classifier, found in a graph by what it computes.
 *
 * The walk starts at the output and goes back layer by layer: classifier, then for each layer LayerNorm,
 * feed-forward network, LayerNorm, attention, until a LayerNorm over a sum of Gathers: the embeddings.
 * Initializer names are never read, so both of PyTorch's exporters give the same weights bit for bit.
 *
 * Weak: post-norm encoders with absolute positions from 0 only. An embedding projection (ELECTRA) and
 * positions with an offset (RoBERTa) are recognised and refused by name.
 *
 * @module
 */
import { ModelError } from "../../errors.ts";
import { type Activation, checkConfig } from "../../model/config.ts";
import type {
  EncoderWeights,
  F32Matrix,
  LayerWeights,
  LinearWeights,
  NormWeights,
} from "../../model/weights.ts";
import type { HfConfig } from "../huggingface.ts";
import { type AttentionMatch, matchAttention } from "./attention.ts";
import type { OnnxGraph } from "./decode.ts";
import { nodeLabel, type OnnxNode } from "./decode.ts";
import {
  type LinearMatch,
  matchActivation,
  matchLinear,
  matchNorm,
  matchSum,
  type NormMatch,
} from "./patterns.ts";
import { matchEmbeddings, matchGathers } from "./embeddings.ts";
import { tensorFloats } from "./tensor.ts";
import { type ConstantMatrix, unsupported, Walk } from "./walk.ts";

/** Bounds the walk; checkConfig has the same limit. */
const MAX_LAYERS = 256;

interface LayerMatch {
  readonly attention: AttentionMatch;
  readonly attentionOutput: LinearMatch;
  readonly attentionNorm: NormMatch;
  readonly up: LinearMatch;
  readonly down: LinearMatch;
  readonly activation: Activation;
  readonly feedForwardNorm: NormMatch;
}

/** `[rows, columns]` row-major; a copy only where the stored order differs. */
function materialize(matrix: ConstantMatrix, factor: number): F32Matrix {
  const { rows, columns } = matrix;
  const source = tensorFloats(matrix.tensor)!;
  if (!matrix.transposed && factor === 1) return { type: "f32", rows, columns, data: source };
  const data = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const value = source[matrix.transposed ? c * rows + r : r * columns + c]!;
      data[r * columns + c] = value * factor;
    }
  }
  return { type: "f32", rows, columns, data };
}

function vectorOf(
  vector: Float32Array | undefined,
  size: number,
  what: string,
  node: OnnxNode,
): Float32Array {
  if (vector === undefined) return new Float32Array(size);
  if (vector.length !== size) {
    throw new ModelError(
      "onnx/shape",
      `The ${what} at ${nodeLabel(node)} has ${vector.length} elements, expected ${size}.`,
    );
  }
  return vector;
}

/** A linear map with one row per output, checked to have the sizes that its place asks for. */
function linearOf(
  match: LinearMatch,
  outputs: number,
  inputs: number,
  role: string,
): LinearWeights {
  const { matrix, node } = match;
  if (matrix.rows !== inputs || matrix.columns !== outputs) {
    throw new ModelError(
      "onnx/shape",
      `${role} at ${nodeLabel(node)} maps ${matrix.rows} to ${matrix.columns} columns, ` +
        `expected ${inputs} to ${outputs}.`,
    );
  }
  // The graph multiplies x by [inputs, outputs]; a row per output is its transpose.
  const flipped = { ...matrix, rows: outputs, columns: inputs, transposed: !matrix.transposed };
  const bias = vectorOf(match.bias, outputs, `${role} bias`, node);
  return {
    weight: materialize(flipped, match.alpha),
    bias: match.beta === 1 ? bias : bias.map((value) => value * match.beta),
  };
}

function normOf(match: NormMatch, hidden: number): NormWeights {
  return {
    gamma: vectorOf(match.gamma, hidden, "LayerNorm scale", match.node),
    beta: vectorOf(match.beta, hidden, "LayerNorm bias", match.node),
  };
}

function stack(parts: readonly LinearWeights[]): LinearWeights {
  const matrices = parts.map(({ weight }) => weight as F32Matrix);
  const { rows, columns } = matrices[0]!;
  const data = new Float32Array(parts.length * rows * columns);
  const bias = new Float32Array(parts.length * rows);
  parts.forEach((part, i) => {
    data.set(matrices[i]!.data, i * rows * columns);
    bias.set(part.bias, i * rows);
  });
  return { weight: { type: "f32", rows: parts.length * rows, columns, data }, bias };
}

/** The one output that is a linear map of a LayerNorm; by its usual names when there are several. */
function classifierOutput(graph: OnnxGraph): string {
  if (graph.outputs.length === 1) return graph.outputs[0]!;
  const named = graph.outputs.filter((name) => name === "logits" || name === "emissions");
  if (named.length === 1) return named[0]!;
  unsupported(
    `The graph has the outputs ${JSON.stringify(graph.outputs)}; ` +
      'expected one, or one named "logits" or "emissions".',
  );
}

/** Embeddings that are brought to the hidden size by a linear map, as ELECTRA's are. */
function matchProjection(walk: Walk, value: string): LinearMatch | undefined {
  const projection = matchLinear(walk, value);
  const norm = projection && matchNorm(walk, projection.input);
  return norm && matchGathers(walk, norm.input) !== undefined ? projection : undefined;
}

/** `norm(map(x) + residual)`: the map and the residual, which is itself a LayerNorm's output. */
function residualSum(walk: Walk, norm: NormMatch): LinearMatch {
  const isWhole = (value: string): boolean =>
    matchNorm(walk, value) !== undefined || matchProjection(walk, value) !== undefined;
  const sum = matchSum(walk, norm.input, 1, isWhole);
  if (sum === undefined) {
    unsupported(
      `Expected a linear map plus a residual in front of ${nodeLabel(norm.node)}, ` +
        `found ${walk.describe(norm.input)}.`,
    );
  }
  return sum;
}

function expectNorm(walk: Walk, value: string, place: string): NormMatch {
  const norm = matchNorm(walk, value);
  if (norm !== undefined) return norm;
  const skip = walk.producer(value);
  const hint = skip?.domain === "com.microsoft"
    ? "; this graph was optimised by ONNX Runtime, export it without optimisation"
    : "";
  unsupported(`Expected LayerNorm ${place}, found ${walk.describe(value)}${hint}.`);
}

function matchLayer(walk: Walk, norm: NormMatch, heads: number | undefined): [LayerMatch, string] {
  const down = residualSum(walk, norm);
  const { activation, linear: up } = matchActivation(walk, down.input);
  const middle = walk.through(down.rest[0]!);
  const attentionNorm = expectNorm(walk, middle, "between attention and feed-forward network");
  if (up.input !== middle) {
    unsupported(`${nodeLabel(up.node)} does not read the residual of its layer.`);
  }
  const attentionOutput = residualSum(walk, attentionNorm);
  const input = walk.through(attentionOutput.rest[0]!);
  const attention = matchAttention(walk, attentionOutput.input, heads);
  for (const { input: read, node } of [attention.query, attention.key, attention.value]) {
    if (read !== input) {
      unsupported(`${nodeLabel(node)} does not read its layer's input: not self-attention.`);
    }
  }
  return [
    { attention, attentionOutput, attentionNorm, up, down, activation, feedForwardNorm: norm },
    input,
  ];
}

/** The one value that all places agree on. */
function agreed<T>(values: readonly T[], what: string): T {
  const different = values.findIndex((value) => value !== values[0]);
  if (different >= 0) {
    unsupported(`${what} differs within the graph: ${values[0]} and ${values[different]}.`);
  }
  return values[0]!;
}

/** Hugging Face's names of the two activations, as in transformers' ACT2FN. */
const ACTIVATIONS: ReadonlyMap<string, Activation> = new Map([
  ["gelu", "gelu"],
  ["gelu_python", "gelu"],
  ["gelu_new", "gelu_tanh"],
  ["gelu_fast", "gelu_tanh"],
  ["gelu_pytorch_tanh", "gelu_tanh"],
  ["gelu_python_tanh", "gelu_tanh"],
]);

function compare(what: string, graph: number | string, said: number | string | undefined): void {
  if (said === undefined || said === graph) return;
  throw new ModelError(
    "model/mismatch",
    `The graph's ${what} is ${graph}, but config.json says ${said}.`,
  );
}

/**
 * Finds the weights of a BERT-style token classifier. Matrices whose stored order is already one row
 * per output are views into the file; the others, and the stacked query, key and value, are copies.
 * The result is the same, bit for bit, for either of PyTorch's exporters.
 *
 * Throws {@link ModelError}: `onnx/unsupported` and `onnx/activation` for a graph that computes something
 * else, naming the node; `onnx/shape` for sizes that do not fit together; `model/mismatch` when graph and
 * config.json disagree, naming both values; `model/scale` and `model/positions` for attention scales and
 * positions that the encoder does not compute; `model/config` for sizes out of range.
 */
export function readBertGraph(graph: OnnxGraph, config: HfConfig): EncoderWeights {
  const walk = new Walk(graph);
  const output = walk.through(classifierOutput(graph));
  const classifier = matchLinear(walk, output);
  if (classifier === undefined) {
    unsupported(`Expected a linear classifier at the output, found ${walk.describe(output)}.`);
  }

  const found: LayerMatch[] = [];
  let value = classifier.input;
  let embeddingNorm = expectNorm(walk, value, "in front of the classifier");
  let lookups = matchGathers(walk, embeddingNorm.input);
  while (lookups === undefined) {
    if (found.length === MAX_LAYERS) unsupported(`The graph has more than ${MAX_LAYERS} layers.`);
    const [layer, input] = matchLayer(walk, embeddingNorm, config.heads);
    found.unshift(layer);
    value = input;
    const projection = matchProjection(walk, value);
    if (projection !== undefined) {
      unsupported(
        `The embeddings are projected from ${projection.matrix.rows} to ` +
          `${projection.matrix.columns} columns, as ELECTRA's are, at ` +
          `${nodeLabel(projection.node)}; this is not supported yet.`,
      );
    }
    embeddingNorm = expectNorm(walk, value, "in front of a layer");
    lookups = matchGathers(walk, embeddingNorm.input);
  }
  if (found.length === 0) unsupported("The graph has no transformer layer.");
  const tables = matchEmbeddings(walk, lookups);

  const hidden = tables.word.columns;
  const feedForwardSize = agreed(found.map(({ up }) => up.matrix.columns), "Feed-forward size");
  const norms = found.flatMap((layer) => [layer.attentionNorm, layer.feedForwardNorm]);
  const epsilon = agreed(
    [embeddingNorm, ...norms].map((norm) => norm.epsilon),
    "LayerNorm epsilon",
  );
  const activation = agreed(found.map((layer) => layer.activation), "Activation");
  const heads = agreed(found.map(({ attention }) => attention.heads ?? config.heads), "Head count");
  if (heads === undefined) {
    unsupported("Neither the graph's Reshapes nor config.json says how many heads there are.");
  }
  const labels = classifier.matrix.columns;

  compare("hidden size", hidden, config.hiddenSize);
  compare("number of layers", found.length, config.layers);
  compare("number of heads", heads, config.heads);
  compare("feed-forward size", feedForwardSize, config.feedForwardSize);
  compare("vocabulary size", tables.word.rows, config.vocabSize);
  compare("number of positions", tables.position.rows, config.maxPositions);
  if (tables.type !== undefined) {
    compare("number of token types", tables.type.rows, config.typeVocabSize);
  }
  compare("number of labels", labels, config.labels.length);
  if (config.hiddenAct !== undefined) {
    compare("activation", activation, ACTIVATIONS.get(config.hiddenAct) ?? config.hiddenAct);
  }
  if (config.layerNormEpsilon !== undefined) {
    // The graph stores float32.
    const said = Math.fround(config.layerNormEpsilon);
    compare("LayerNorm epsilon", Math.fround(epsilon), said);
  }

  // Before anything is allocated from these sizes.
  const checked = checkConfig({
    hiddenSize: hidden,
    embeddingSize: hidden,
    layers: found.length,
    heads,
    feedForwardSize,
    vocabSize: tables.word.rows,
    maxPositions: tables.position.rows,
    typeVocabSize: tables.type?.rows ?? 0,
    activation,
    layerNormEpsilon: epsilon,
    labels: config.labels,
  });
  const table = (matrix: ConstantMatrix | undefined, what: string): F32Matrix | undefined => {
    if (matrix !== undefined && matrix.columns !== hidden) {
      throw new ModelError(
        "onnx/shape",
        `The ${what} embedding has ${matrix.columns} columns, the word embedding ${hidden}.`,
      );
    }
    return matrix && materialize(matrix, 1);
  };
  const layers = found.map((layer): LayerWeights => {
    const { query, key, value } = layer.attention;
    return {
      qkv: stack([
        linearOf(query, hidden, hidden, "Query"),
        linearOf(key, hidden, hidden, "Key"),
        linearOf(value, hidden, hidden, "Value"),
      ]),
      attentionOutput: linearOf(layer.attentionOutput, hidden, hidden, "Attention output"),
      attentionNorm: normOf(layer.attentionNorm, hidden),
      up: linearOf(layer.up, feedForwardSize, hidden, "Feed-forward"),
      down: linearOf(layer.down, hidden, feedForwardSize, "Feed-forward"),
      feedForwardNorm: normOf(layer.feedForwardNorm, hidden),
    };
  });
  return {
    config: checked,
    wordEmbedding: table(tables.word, "word")!,
    positionEmbedding: table(tables.position, "position")!,
    typeEmbedding: table(tables.type, "type"),
    embeddingNorm: normOf(embeddingNorm, hidden),
    embeddingProjection: undefined,
    layers,
    classifier: linearOf(classifier, labels, hidden, "Classifier"),
  };
}
