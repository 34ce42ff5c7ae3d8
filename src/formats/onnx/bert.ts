/**
 * The weights of a BERT-style token classifier, found in a graph by what it computes.
 *
 * The walk starts at the output and goes back layer by layer: classifier, then for each layer LayerNorm,
 * feed-forward network, LayerNorm, attention, until a LayerNorm over a sum of Gathers: the embeddings.
 * Initializer names are never read, so both of PyTorch's exporters give the same weights bit for bit.
 *
 * Fused and quantized operators are written out first (`lower.ts`).
 *
 * Weak: post-norm encoders with absolute positions only; and what is computed before the embeddings' sum or
 * after the emissions is not looked at.
 *
 * @module
 */
import { ModelError } from "../../errors.ts";
import { type Activation, activationNamed } from "../../model/activations.ts";
import { checkConfig, classifierInputs } from "../../model/config.ts";
import type {
  EncoderWeights,
  LayerWeights,
  LinearWeights,
  Matrix,
  NormWeights,
} from "../../model/weights.ts";
import { checkFinite } from "../check.ts";
import type { Head } from "../hf/head.ts";
import { firstPositionOf } from "../hf/parameter_names.ts";
import type { HfConfig } from "../hf/config.ts";
import { shareLayers, stackLinear } from "../stack.ts";
import { matchActivation } from "./activation.ts";
import { type AttentionMatch, matchAttention } from "./attention.ts";
import { type ConstantMatrix, flipped, toMatrix } from "./constant.ts";
import type { OnnxGraph } from "./decode.ts";
import { nodeLabel, type OnnxNode } from "./decode.ts";
import { checkEmbeddings, matchEmbeddings, matchLookups } from "./embeddings.ts";
import { lowerGraph } from "./lower.ts";
import { type LinearMatch, matchLinear, matchNorm, matchSum, type NormMatch } from "./patterns.ts";
import { refuse } from "./refuse.ts";
import { Walk } from "./walk.ts";

/** Bounds the walk; checkConfig has the same limit. */
const MAX_LAYERS = 256;
/** An activation is at most so many operators deep. */
const MAX_HEAD = 12;

interface LayerMatch {
  readonly attention: AttentionMatch;
  readonly attentionOutput: LinearMatch;
  readonly attentionNorm: NormMatch;
  readonly up: LinearMatch;
  readonly down: LinearMatch;
  readonly activation: Activation;
  readonly feedForwardNorm: NormMatch;
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
  return checkFinite(`${what} at ${nodeLabel(node)}`, vector);
}

/** A matrix whose numbers, or scales, are finite; throws {@link ModelError} `model/weights`. */
function finite(matrix: Matrix, what: string): Matrix {
  checkFinite(what, matrix.type === "f32" ? matrix.data : matrix.scales);
  return matrix;
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
  const bias = vectorOf(match.bias, outputs, `${role} bias`, node);
  return {
    // The graph multiplies x by [inputs, outputs]; a row per output is its transpose.
    weight: finite(toMatrix(flipped(matrix), match.alpha), `${role} at ${nodeLabel(node)}`),
    bias: match.beta === 1 ? bias : bias.map((value) => value * match.beta),
  };
}

function normOf(match: NormMatch, hidden: number): NormWeights {
  return {
    gamma: vectorOf(match.gamma, hidden, "LayerNorm scale", match.node),
    beta: vectorOf(match.beta, hidden, "LayerNorm bias", match.node),
  };
}

/**
 * The output to begin at: the only one, or of several the one with a usual name, or the only one with a row of
 * this width for each token.
 */
function chosenOutput(walk: Walk, names: readonly string[], width: number): string {
  const { outputs } = walk.graph;
  if (outputs.length === 1) return outputs[0]!;
  const named = outputs.filter((name) => names.includes(name));
  if (named.length === 1) return named[0]!;
  const fitting = outputs.filter((name) =>
    walk.trials.every((trial) => {
      const { batch, length } = trial.inputs;
      return trial.sizes(name)?.join() === [batch, length, width].join();
    })
  );
  if (fitting.length === 1) return fitting[0]!;
  const list = names.map((name) => JSON.stringify(name)).join(" or ");
  refuse(
    `The graph has ${outputs.length} outputs (${
      outputs.join(", ")
    }), ${fitting.length} of them with ${width} ` +
      `columns for each token; expected one such, or one named ${list}.`,
  );
}

/** The head at the output: a linear map, or two with an activation between them. */
interface HeadMatch {
  readonly classifier: LinearMatch;
  readonly dense: { readonly linear: LinearMatch; readonly activation: Activation } | undefined;
}

/** The head, over the encoder's last LayerNorm; its emissions may be scaled by a constant. */
function matchHead(walk: Walk, value: string): HeadMatch {
  const { value: output, scale, transposes } = walk.peel(value);
  const found = transposes.length > 0 ? undefined : matchLinear(walk, output);
  if (found === undefined) {
    if (matchNorm(walk, output) !== undefined) {
      refuse(
        "Expected a linear classifier at the output, found the encoder's last LayerNorm: this is an " +
          "encoder without a head. Hand in its head, a safetensors file with classifier.weight and " +
          "classifier.bias.",
      );
    }
    refuse(`Expected a linear classifier at the output, found ${walk.describe(output)}.`);
  }
  const [trial] = walk.trials, shape = trial!.sizes(value);
  if (shape?.length === 2 && shape[0] === trial!.inputs.batch) {
    refuse(
      `The classifier reads ${walk.describe(found.input)} and gives [${shape}] for ${
        shape[0]
      } texts: one ` +
        "vector of a whole text; expected one of each token, as in token classification.",
    );
  }
  const classifier = { ...found, alpha: found.alpha * scale, beta: found.beta * scale };
  const inner = matchNorm(walk, found.input) === undefined && isHead(walk, found.input);
  if (!inner) return { classifier, dense: undefined };
  const dense = matchActivation(walk, found.input, "head");
  const { input } = dense.linear;
  if (matchNorm(walk, input) === undefined && isHead(walk, input)) {
    refuse(
      `The head reads ${
        walk.describe(input)
      }, which is a further layer of the head over each token; ` +
        "expected one linear map or two over the encoder's last LayerNorm.",
    );
  }
  return { classifier, dense };
}

/** Whether a value is an elementwise function of a linear map: a head's hidden layer. */
function isHead(walk: Walk, value: string): boolean {
  let at = value;
  for (let i = 0; i < MAX_HEAD; i++) {
    if (matchLinear(walk, at) !== undefined) return true;
    const node = walk.op(at, "Tanh", "Relu", "Gelu", "Erf", "Mul", "Add", "Div", "Sigmoid");
    const next = node?.inputs.find((input) => walk.scalar(input) === undefined);
    if (next === undefined) return false;
    at = walk.through(next);
  }
  return false;
}

/** Embeddings that are brought to the hidden size by a linear map, as ELECTRA's and ALBERT's are. */
function matchProjection(walk: Walk, value: string): LinearMatch | undefined {
  const projection = matchLinear(walk, value);
  const norm = projection && matchNorm(walk, projection.input);
  return norm && matchLookups(walk, norm.input) !== undefined ? projection : undefined;
}

/** `norm(map(x) + residual)`: the map and the residual, which is itself a LayerNorm's output. */
function residualSum(walk: Walk, norm: NormMatch): LinearMatch {
  const isWhole = (value: string): boolean =>
    matchNorm(walk, value) !== undefined || matchProjection(walk, value) !== undefined;
  const sum = matchSum(walk, norm.input, 1, isWhole);
  if (sum === undefined) {
    refuse(
      `Expected a linear map plus a residual in front of ${nodeLabel(norm.node)}, ` +
        `found ${walk.describe(norm.input)}.`,
    );
  }
  return sum;
}

/** Refuses a residual that is added in another layout, and so to other tokens. */
function checkResidual(walk: Walk, { node, rest }: LinearMatch, norm: NormMatch): void {
  const [map, residual] = [walk.sizes(node.outputs[0]!), walk.sizes(rest[0]!)];
  const sums = walk.sizes(norm.node.outputs[0]!);
  map.forEach((shape, i) => {
    const width = shape.at(-1), tokens = shape.slice(0, -1).reduce((all, size) => all * size, 1);
    for (const other of [residual[i]!, sums[i]!]) {
      const same = other.slice(0, -1).reduce((all, size) => all * size, 1) === tokens;
      if (same && other.at(-1) === width) continue;
      refuse(`${nodeLabel(node)} gives shape [${shape}], which is added to one of [${other}].`);
    }
  });
}

function expectNorm(walk: Walk, value: string, place: string): NormMatch {
  const norm = matchNorm(walk, value);
  if (norm !== undefined) return norm;
  const node = walk.producer(value);
  const hint = node !== undefined && node.domain !== ""
    ? `; operators of ${node.domain} are read as far as they are an encoder's`
    : walk.op(value, "Add")
    ? "; encoders that normalise in front of each block, not behind it, are not supported"
    : "";
  refuse(`Expected LayerNorm ${place}, found ${walk.describe(value)}${hint}.`);
}

function matchLayer(walk: Walk, norm: NormMatch, heads: number | undefined): [LayerMatch, string] {
  const down = residualSum(walk, norm);
  const { activation, linear: up } = matchActivation(walk, down.input);
  const middle = walk.through(down.rest[0]!);
  const attentionNorm = expectNorm(walk, middle, "between attention and feed-forward network");
  if (up.input !== middle) {
    refuse(`${nodeLabel(up.node)} does not read the residual of its layer.`);
  }
  const attentionOutput = residualSum(walk, attentionNorm);
  const input = walk.through(attentionOutput.rest[0]!);
  const attention = matchAttention(walk, attentionOutput, heads);
  for (const { input: read, node } of [attention.query, attention.key, attention.value]) {
    if (read !== input) {
      refuse(`${nodeLabel(node)} does not read its layer's input: not self-attention.`);
    }
  }
  return [
    { attention, attentionOutput, attentionNorm, up, down, activation, feedForwardNorm: norm },
    input,
  ];
}

/**
 * The padding's id: config.json's, the architecture's, or, where neither is said, the number that the graph tells
 * its ids by.
 */
function paddingOf(graph: OnnxGraph, config: HfConfig): number {
  const first = firstPositionOf(config);
  const said = config.paddingId ?? (first > 0 ? first - 1 : undefined);
  if (said !== undefined) return said;
  const compared = graph.nodes.find(({ op, inputs }) =>
    op === "Equal" && inputs.includes("input_ids")
  );
  const other = compared?.inputs.find((input) => input !== "input_ids");
  return other === undefined ? 0 : new Walk(graph).fold(other)?.[0] ?? 0;
}

/**
 * Refuses a graph whose output has another layout, or depends on anything that is not understood: what has been
 * recognised is then not all that it computes.
 */
function checkOutput(walk: Walk, output: string, width: number): void {
  walk.sizes(output).forEach((shape, i) => {
    const { batch, length } = walk.trials[i]!.inputs, want = [batch, length, width].join();
    if (shape.join() === want) return;
    refuse(
      `The output ${
        JSON.stringify(output)
      } has shape [${shape}] for ${batch} texts of ${length} tokens; ` +
        `expected [${want}].`,
    );
  });
}

/** The one value that all places agree on. */
function agreed<T>(values: readonly T[], what: string): T {
  const different = values.findIndex((value) => value !== values[0]);
  if (different >= 0) {
    refuse(`${what} differs within the graph: ${values[0]} and ${values[different]}.`);
  }
  return values[0]!;
}

function compare(what: string, graph: number | string, said: number | string | undefined): void {
  if (said === undefined || said === graph) return;
  throw new ModelError(
    "model/mismatch",
    `The graph's ${what} is ${graph}, but config.json says ${said}.`,
  );
}

/**
 * Finds the weights of a BERT-style token classifier, or of an encoder whose head is handed in. Matrices whose stored order is already one row
 * per output are views into the file; the others, and the stacked query, key and value, are copies.
 * The result is the same, bit for bit, for either of PyTorch's exporters.
 *
 * Throws {@link ModelError}: `onnx/unsupported` and `onnx/activation` for a graph that computes something
 * else, naming the node; `onnx/shape` for sizes that do not fit together; `model/mismatch` when graph and
 * config.json disagree, naming both values; `model/scale` and `model/positions` for attention scales and
 * positions that the encoder does not compute; `model/config` for sizes out of range.
 */
export function readBertGraph(
  given: OnnxGraph,
  config: HfConfig,
  head?: Pick<Head, "classifier" | "dense">,
): EncoderWeights {
  const graph = lowerGraph(given);
  const walk = new Walk(graph, paddingOf(graph, config), firstPositionOf(config));
  const names = head === undefined
    ? ["logits", "emissions"]
    : ["last_hidden_state", "hidden_states"];
  const reads = head && (head.dense?.linear ?? head.classifier).weight.columns;
  const output = chosenOutput(walk, names, reads ?? config.labels.length);
  const own = head === undefined ? matchHead(walk, output) : undefined;
  const top = (own?.dense?.linear ?? own?.classifier)?.input ?? walk.through(output);

  const found: LayerMatch[] = [];
  let embeddingNorm = expectNorm(walk, top, "behind the last layer");
  let lookups = matchLookups(walk, embeddingNorm.input);
  let projection: LinearMatch | undefined;
  while (lookups === undefined) {
    if (found.length === MAX_LAYERS) refuse(`The graph has more than ${MAX_LAYERS} layers.`);
    const [layer, input] = matchLayer(walk, embeddingNorm, config.heads);
    found.unshift(layer);
    projection = matchProjection(walk, input);
    embeddingNorm = expectNorm(walk, projection?.input ?? input, "in front of a layer");
    lookups = matchLookups(walk, embeddingNorm.input);
  }
  if (found.length === 0) refuse("The graph has no transformer layer.");
  const tables = matchEmbeddings(walk, lookups);

  const embedding = tables.word.columns;
  const hidden = projection?.matrix.columns ?? embedding;
  const feedForwardSize = agreed(found.map(({ up }) => up.matrix.columns), "Feed-forward size");
  const norms = found.flatMap((layer) => [layer.attentionNorm, layer.feedForwardNorm]);
  const epsilon = agreed(
    // float32, whatever the type that a chain of primitive operators has it in.
    [embeddingNorm, ...norms].map((norm) => Math.fround(norm.epsilon)),
    "LayerNorm epsilon",
  );
  const activation = agreed(found.map((layer) => layer.activation), "Activation");
  const heads = agreed(found.map(({ attention }) => attention.heads), "Head count");
  const labels = own?.classifier.matrix.columns ?? head!.classifier.weight.rows;
  const inside = own?.dense &&
    { size: own.dense.linear.matrix.columns, activation: own.dense.activation };

  compare("hidden size", hidden, config.hiddenSize);
  compare("embedding size", embedding, config.embeddingSize);
  compare("number of layers", found.length, config.layers);
  compare("number of heads", heads, config.heads);
  compare("feed-forward size", feedForwardSize, config.feedForwardSize);
  compare("vocabulary size", tables.word.rows, config.vocabSize);
  if (tables.positions !== undefined) {
    compare("number of positions", tables.positions, config.maxPositions);
  }
  // Of types that nothing chooses between, an exporter may have left one.
  if (tables.type !== undefined && tables.type.rows > 1) {
    compare("number of token types", tables.type.rows, config.typeVocabSize);
  }
  compare("number of labels", labels, config.labels.length);
  // ONNX Runtime puts FastGelu, which is by tanh, in the place of an exact GELU when it is told to.
  const replaced = given.nodes.some(({ op }) => op === "FastGelu");
  if (config.hiddenAct !== undefined) {
    const said = activationNamed(config.hiddenAct);
    if (!(replaced && said)) compare("activation", activation, said ?? config.hiddenAct);
  }
  if (inside && config.headActivation !== undefined) {
    const said = activationNamed(config.headActivation) ?? config.headActivation;
    if (!replaced) compare("head's activation", inside.activation, said);
  }
  if (config.layerNormEpsilon !== undefined) {
    const said = Math.fround(config.layerNormEpsilon);
    compare("LayerNorm epsilon", epsilon, said);
  }

  // Before anything is allocated from these sizes.
  const checked = checkConfig({
    hiddenSize: hidden,
    embeddingSize: embedding,
    // The graph decides, where the sizes do not.
    ...(projection && embedding === hidden && { embeddingProjection: true }),
    layers: found.length,
    heads,
    feedForwardSize,
    vocabSize: tables.word.rows,
    maxPositions: tables.position.rows,
    typeVocabSize: tables.type?.rows ?? 0,
    activation,
    layerNormEpsilon: epsilon,
    ...((inside ?? head?.dense) && { head: inside ?? head!.dense!.config }),
    labels: config.labels,
  });
  checkEmbeddings(walk, lookups, embeddingNorm.input);
  for (const { attentionOutput, attentionNorm, down, feedForwardNorm } of found) {
    checkResidual(walk, attentionOutput, attentionNorm);
    checkResidual(walk, down, feedForwardNorm);
  }
  checkOutput(walk, output, own === undefined ? hidden : labels);

  const table = (matrix: ConstantMatrix | undefined, what: string): Matrix | undefined => {
    if (matrix !== undefined && matrix.columns !== embedding) {
      throw new ModelError(
        "onnx/shape",
        `The ${what} embedding has ${matrix.columns} columns, the word embedding ${embedding}.`,
      );
    }
    return matrix && finite(toMatrix(matrix), `${what} embedding`);
  };
  const layers = found.map((layer): LayerWeights => {
    const { query, key, value } = layer.attention;
    return {
      qkv: stackLinear([
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
  if (reads !== undefined && reads !== hidden) {
    throw new ModelError(
      "model/mismatch",
      `The head reads ${reads} columns, but the encoder's hidden size is ${hidden}.`,
    );
  }
  const headDense = own?.dense
    ? linearOf(own.dense.linear, inside!.size, hidden, "Head")
    : head?.dense?.linear;
  return {
    config: checked,
    wordEmbedding: table(tables.word, "word")!,
    positionEmbedding: table(tables.position, "position")!,
    typeEmbedding: table(tables.type, "type"),
    embeddingNorm: normOf(embeddingNorm, embedding),
    embeddingProjection: projection &&
      linearOf(projection, hidden, embedding, "Embedding projection"),
    layers: shareLayers(layers),
    ...(headDense && { headDense }),
    classifier: head?.classifier ??
      linearOf(own!.classifier, labels, classifierInputs(checked), "Classifier"),
  };
}
