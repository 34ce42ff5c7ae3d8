/**
 * A Hugging Face checkpoint, as its files' bytes, to a model: no export is needed.
 *
 * `model.safetensors` (or its shards, by name, with `model.safetensors.index.json`) holds an encoder's
 * parameters under the names that transformers gives them. BERT, ELECTRA, RoBERTa, XLM-RoBERTa and CamemBERT
 * share one set of names; DistilBERT and ALBERT have their own. A prefix (`bert.`, `roberta.`, or one that a
 * wrapping module added) is found by where the word embedding is. Parameters of pytorch-crf are taken from
 * beside the classifier. float32, float16 and bfloat16 are read.
 *
 * Unlike a graph, a checkpoint does not say what is computed: that comes from `config.json`, so its
 * `model_type` must be one that is known here, and its activation and positions must be ones that the
 * encoder computes.
 *
 * Parameters that belong to neither encoder, head nor CRF are refused, since what has them computes more (an LSTM
 * over the encoder, a norm in front of the classifier), but for the heads of pretraining.
 *
 * Weak: a model whose own code changes the forward pass without a parameter cannot be told from a plain one of
 * its `model_type`; `verify` against an export is the remedy.
 *
 * @module
 */
import { FormatError, ModelError } from "../../errors.ts";
import { ACTIVATION_NAMES, activationNamed, ACTIVATIONS } from "../../model/activations.ts";
import type { ModelBundle } from "../../model/bundle.ts";
import { checkConfig, type ModelConfig } from "../../model/config.ts";
import type { EncoderWeights, LayerWeights, LinearWeights } from "../../model/weights.ts";
import type { TokenizerOptions } from "../../tokenizer/types.ts";
import { checkVocabulary } from "../check.ts";
import {
  CHECKPOINTS,
  type CheckpointType,
  firstPositionOf,
  type ParameterNames,
} from "./parameter_names.ts";
import { crfFromSafetensors, crfInside } from "./crf.ts";
import { withFeatures } from "./features.ts";
import { findHead, type Head, headFromTensors } from "./head.ts";
import { type HfConfig, readHfConfig } from "./config.ts";
import { Parameters, readTensors, type Tensors } from "./parameters.ts";
import { readTokenizer, textOf, type TokenizerFiles } from "./tokenizer.ts";
import { shareLayers, stackLinear } from "../stack.ts";

/** A checkpoint folder's files by role; text files as bytes or as text. */
export interface CheckpointFiles extends TokenizerFiles {
  /** `model.safetensors`, or all shards by the names that the index gives them. */
  readonly model: Uint8Array | ReadonlyMap<string, Uint8Array>;
  /** `model.safetensors.index.json`, for shards. */
  readonly index?: Uint8Array | string;
  /** `config.json`. */
  readonly config: Uint8Array | string;
  /** A CRF beside the checkpoint: `crf.safetensors`. It wins over one inside. */
  readonly crf?: Uint8Array;
  /** Lexicon features beside the checkpoint: `features.safetensors`. */
  readonly features?: Uint8Array;
  /** A classifier beside a checkpoint that has none: safetensors with `classifier.weight` and `.bias`. */
  readonly head?: Uint8Array;
}

/** What stands in front of the encoder's names: `bert.`, nothing, or what a wrapping module added. */
function prefixOf(tensors: Tensors, names: ParameterNames, modelType: string): string {
  const found = [...tensors.keys()].filter((name) => name.endsWith(names.word));
  const [word] = found;
  if (found.length === 1 && (word === names.word || word!.at(-names.word.length - 1) === ".")) {
    return word!.slice(0, -names.word.length);
  }
  throw new FormatError(
    "checkpoint/tensor",
    found.length === 0
      ? `The checkpoint has no tensor ${JSON.stringify(`${modelType}.${names.word}`)}.`
      : `The checkpoint has ${found.length} word embeddings (${found.join(", ")}); expected one.`,
  );
}

/** Modules beside an encoder that its emissions do not pass through: heads of pretraining and of losses. */
const BESIDE =
  /(^|\.)(pooler|cls|lm_head|qa_outputs|predictions|sop_classifier|seq_relationship|(discriminator|generator)_\w+|vocab_\w+|loss\w*|criterion)\./;

/**
 * Refuses parameters of which nothing is known: {@link FormatError} `checkpoint/tensor`. `prefix` is the encoder's.
 */
function checkRest(tensors: Tensors, prefix: string, head: readonly string[]): void {
  const own = prefix === "" ? /^(embeddings|encoder|transformer|embeddings_project)\b/ : undefined;
  const crf = /(^|\.)(start_|end_)?transitions$/;
  for (const [name, { dtype, shape }] of tensors) {
    const encoder = own?.test(name) ?? name.startsWith(prefix);
    // A buffer of integers is no weight.
    if (encoder || !/F/.test(dtype) || BESIDE.test(name) || crf.test(name)) continue;
    if (head.some((part) => name === `${part}weight` || name === `${part}bias`)) continue;
    throw new FormatError(
      "checkpoint/tensor",
      `The checkpoint has ${
        JSON.stringify(name)
      } of shape [${shape}], which belongs to neither encoder, ` +
        "classifier nor CRF: a layer that is not computed here. Where it has no part in the emissions, hand " +
        "the classifier in as a head.",
    );
  }
}

/** A size that config.json must say, or must agree on with the parameters. */
function need(value: number | undefined, what: string): number {
  if (value !== undefined) return value;
  throw new FormatError("config/field", `config.json does not say ${what}, and no tensor does.`);
}

function matrixShape(parameters: Parameters, name: string): [number, number] {
  const shape = parameters.shape(name);
  if (shape.length === 2) return shape as unknown as [number, number];
  throw new FormatError(
    "checkpoint/tensor",
    `Tensor ${JSON.stringify(name)} has shape [${shape}], expected two dimensions.`,
  );
}

/** Sizes from the parameters where they show, else from config.json; and everything that must agree. */
function sizesOf(
  parameters: Parameters,
  names: ParameterNames,
  config: HfConfig,
  firstPosition: number,
): ModelConfig {
  const [vocabSize, embeddingSize] = matrixShape(parameters, names.word);
  const [positions] = matrixShape(parameters, names.position);
  const typed = names.type !== undefined && parameters.has(names.type);
  const at = names.layer.replace("{}", "0");
  const [feedForwardSize, hiddenSize] = matrixShape(parameters, `${at}${names.up}.weight`);
  const usual = CHECKPOINTS.get(config.modelType ?? "")?.activation;
  const activation = activationNamed(config.hiddenAct ?? usual ?? "gelu");
  if (activation === undefined) {
    throw new ModelError(
      "config/unsupported",
      `config.json: the activation is ${JSON.stringify(config.hiddenAct)}; supported are ${
        ACTIVATION_NAMES.flatMap((each) => ACTIVATIONS[each].names).join(", ")
      }.`,
    );
  }
  const said = [
    ["hidden size", hiddenSize, config.hiddenSize],
    ["embedding size", embeddingSize, config.embeddingSize],
    ["feed-forward size", feedForwardSize, config.feedForwardSize],
    ["vocabulary size", vocabSize, config.vocabSize],
    ["number of positions", positions, config.maxPositions],
  ] as const;
  for (const [what, found, expected] of said) {
    if (expected === undefined || expected === found) continue;
    throw new ModelError(
      "model/mismatch",
      `The checkpoint's ${what} is ${found}, but config.json says ${expected}.`,
    );
  }
  // DistilBERT's is written into its code, and is not in its config.json.
  const epsilon = config.layerNormEpsilon ?? 1e-12;
  return checkConfig({
    hiddenSize,
    embeddingSize,
    layers: need(config.layers, "how many layers there are"),
    heads: need(config.heads, "how many attention heads there are"),
    feedForwardSize,
    vocabSize,
    maxPositions: positions - firstPosition,
    typeVocabSize: typed ? matrixShape(parameters, names.type)[0] : 0,
    activation,
    layerNormEpsilon: Math.fround(epsilon),
    labels: config.labels,
  });
}

/**
 * Reads an encoder and its head from named parameters.
 *
 * Throws {@link ModelError} `config/unsupported` for a `model_type` or an activation that is not known, naming
 * it; `model/mismatch` where parameters and config.json disagree; {@link FormatError} `checkpoint/tensor` for a
 * parameter that is missing or has another shape.
 */
function encoderFromTensors(
  tensors: Tensors,
  config: HfConfig,
  given: Head | undefined,
): EncoderWeights {
  const modelType = config.modelType ?? "";
  const known = CHECKPOINTS.get(modelType);
  if (known === undefined) {
    throw new ModelError(
      "config/unsupported",
      `config.json: model_type is ${
        JSON.stringify(config.modelType)
      }; a checkpoint can be read for ` +
        `${[...CHECKPOINTS.keys()].join(", ")}.`,
    );
  }
  const { names } = known;
  const firstPosition = firstPositionOf(config);
  const prefix = prefixOf(tensors, names, modelType);
  const parameters = new Parameters(tensors, prefix);
  const sizes = sizesOf(parameters, names, config, firstPosition);
  const { hiddenSize: H, embeddingSize: E, feedForwardSize: F } = sizes;

  const layerOf = (i: number): LayerWeights => {
    const at = names.layer.replace("{}", String(i));
    return {
      qkv: stackLinear(names.qkv.map((name) => parameters.linear(at + name, H, H))),
      attentionOutput: parameters.linear(at + names.attentionOutput, H, H),
      attentionNorm: parameters.norm(at + names.attentionNorm, H),
      up: parameters.linear(at + names.up, F, H),
      down: parameters.linear(at + names.down, H, F),
      feedForwardNorm: parameters.norm(at + names.feedForwardNorm, H),
    };
  };
  const { layers } = sizes;
  let all: LayerWeights[];
  if (modelType === "albert") {
    // Groups of layers share their parameters: layer i is in group floor(i / (layers / groups)).
    const groups = config.layerGroups ?? 1;
    if (groups < 1) {
      throw new FormatError(
        "config/field",
        `config.json: num_hidden_groups is ${groups}; expected at least 1.`,
      );
    }
    if ((config.innerGroups ?? 1) !== 1) {
      throw new ModelError(
        "config/unsupported",
        `config.json: inner_group_num is ${config.innerGroups}; only 1 is supported.`,
      );
    }
    const made = Array.from({ length: Math.min(groups, layers) }, (_, i) => layerOf(i));
    all = Array.from({ length: layers }, (_, i) => made[Math.floor(i / (layers / made.length))]!);
  } else all = shareLayers(Array.from({ length: layers }, (_, i) => layerOf(i)));

  const positions = parameters.matrix(names.position, sizes.maxPositions + firstPosition, E);
  const embeddingProjection = projectionOf(parameters, known, H, E);
  const { classifier, dense, prefixes } = given ?? findHead(tensors, config, H);
  if (given === undefined) checkRest(tensors, prefix, prefixes);
  return {
    config: {
      ...sizes,
      ...(embeddingProjection && H === E && { embeddingProjection: true }),
      ...(dense && { head: dense.config }),
    },
    wordEmbedding: parameters.matrix(names.word, sizes.vocabSize, E),
    positionEmbedding: {
      type: "f32",
      rows: sizes.maxPositions,
      columns: E,
      data: positions.data.subarray(firstPosition * E),
    },
    typeEmbedding: sizes.typeVocabSize === 0
      ? undefined
      : parameters.matrix(names.type!, sizes.typeVocabSize, E),
    embeddingNorm: parameters.norm(names.embeddingNorm, E),
    embeddingProjection,
    layers: all,
    ...(dense && { headDense: dense.linear }),
    classifier,
  };
}

/** ALBERT's projection is there even where both sizes are equal, ELECTRA's only where they differ. */
function projectionOf(
  parameters: Parameters,
  { names: { projection }, projects }: CheckpointType,
  H: number,
  E: number,
): LinearWeights | undefined {
  const there = projects || H !== E;
  if (projection !== undefined && (there || parameters.has(`${projection}.weight`))) {
    return parameters.linear(projection, H, E);
  }
  if (H === E) return undefined;
  throw new ModelError(
    "model/mismatch",
    `Embeddings of ${E} columns need a projection to the hidden size, ${H}, which this architecture has not.`,
  );
}

/** Files of a checkpoint without its tokenizer's. */
export type CheckpointParts = Omit<CheckpointFiles, keyof TokenizerFiles>;

/**
 * Reads an encoder and its CRF. float32 parameters are views into the file where its bytes are aligned.
 *
 * Throws {@link FormatError}: `safetensors/...` for a damaged file, `checkpoint/index` and `checkpoint/shard`
 * for shards that do not fit together, `checkpoint/tensor` and `head/tensor` for a parameter that is missing or
 * has another shape; {@link ModelError}: `config/unsupported` for what the encoder does not compute,
 * `model/mismatch` for a contradiction, `model/weights` for a number that is not finite; {@link InputError} for
 * a missing file; and what {@link readHfConfig} throws.
 */
export function readCheckpoint(
  files: CheckpointParts,
): Pick<ModelBundle, "weights" | "crf" | "lexicons" | "temperature" | "wholeWords"> {
  const config = readHfConfig(textOf(files.config, "config.json"));
  const { labels: { length: labels }, temperature, wholeWords } = config;
  const head = files.head && headFromTensors(files.head, config);
  if (head === undefined && config.wholeText !== undefined) {
    throw new ModelError(
      "config/unsupported",
      `config.json: the architecture is ${config.wholeText}, which does not label tokens; expected ` +
        "one for token classification.",
    );
  }
  const tensors = readTensors(files.model, files.index);
  const weights = encoderFromTensors(tensors, config, head);
  const crf = files.crf ? crfFromSafetensors(files.crf, labels) : crfInside(tensors, labels);
  return {
    crf,
    ...(files.features ? withFeatures(weights, files.features) : { weights }),
    ...(temperature !== undefined && { temperature }),
    ...(wholeWords && { wholeWords }),
  };
}

/**
 * Reads a checkpoint with its tokenizer. Throws what {@link readCheckpoint} and the tokenizer throw, and
 * ModelError `model/vocab` when the tokenizer has more ids than the word embedding has rows.
 */
export function bundleFromCheckpoint(
  files: CheckpointFiles,
  options?: TokenizerOptions,
): ModelBundle {
  const { weights, ...parts } = readCheckpoint(files);
  const tokenizer = readTokenizer(files, options);
  checkVocabulary(tokenizer.vocabSize, weights.config);
  return { weights, ...parts, tokenizer };
}
