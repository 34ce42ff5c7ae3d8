/**
 * Hugging Face's `config.json`: label names, and what a graph does not say.
 *
 * Every field but the labels is optional, since the graph of a model is the authority on its sizes;
 * a field that is there is compared with the graph by the reader of the graph. DistilBERT's names for
 * the same things (`dim`, `n_layers`, `n_heads`, `hidden_dim`, `activation`) are read too.
 *
 * Weak: `label2id` is ignored; `id2label` decides.
 *
 * @module
 */
import { FormatError, ModelError, show } from "../../errors.ts";
import { checkTemperature } from "../check.ts";
import { type JsonObject, parseJsonObject } from "../json.ts";

/** What config.json says about an encoder; undefined where it is silent. */
export interface HfConfig {
  /** For instance `bert`; undefined when absent. */
  readonly modelType: string | undefined;
  /** Label names by emission column. */
  readonly labels: readonly string[];
  /** Width of a token vector: `hidden_size`. */
  readonly hiddenSize: number | undefined;
  /** Width of the embeddings, where it is told apart: `embedding_size`. */
  readonly embeddingSize: number | undefined;
  /** Number of layers: `num_hidden_layers`. */
  readonly layers: number | undefined;
  /** Attention heads: `num_attention_heads`. */
  readonly heads: number | undefined;
  /** Width of the feed-forward network: `intermediate_size`. */
  readonly feedForwardSize: number | undefined;
  /** Rows of the word embedding: `vocab_size`. */
  readonly vocabSize: number | undefined;
  /** Rows of the position embedding: `max_position_embeddings`. */
  readonly maxPositions: number | undefined;
  /** Rows of the token-type embedding: `type_vocab_size`. */
  readonly typeVocabSize: number | undefined;
  /** Id of the padding token, behind which RoBERTa's positions begin: `pad_token_id`. */
  readonly paddingId: number | undefined;
  /** Sets of parameters that ALBERT's layers share: `num_hidden_groups`. */
  readonly layerGroups: number | undefined;
  /** Layers within one of them: `inner_group_num`. */
  readonly innerGroups: number | undefined;
  /** The first of `architectures` if it labels whole texts or pairs, not tokens. */
  readonly wholeText: string | undefined;
  /** Hugging Face's name of the activation, for instance `gelu_new`. */
  readonly hiddenAct: string | undefined;
  /** The same of a head of two layers, between them: `classifier_activation`, as ModernBERT has it. */
  readonly headActivation: string | undefined;
  /** Epsilon under the root of every LayerNorm: `layer_norm_eps`. */
  readonly layerNormEpsilon: number | undefined;
  /** Of a calibrated model: `calibration_temperature` (write_config.ts). */
  readonly temperature?: number;
  /** Of a model whose entities are whole words: `whole_words`. */
  readonly wholeWords?: boolean;
}

function fail(what: string): never {
  throw new FormatError("config/field", `config.json: ${what}.`);
}

/** The first of these fields that is there, as an integer. */
function size(fields: JsonObject, ...names: string[]): number | undefined {
  for (const name of names) {
    const value = fields[name];
    if (value === undefined || value === null) continue;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
      fail(`${name} is ${show(value)}; expected an integer`);
    }
    return value;
  }
  return undefined;
}

function text(fields: JsonObject, ...names: string[]): string | undefined {
  for (const name of names) {
    const value = fields[name];
    if (value === undefined || value === null) continue;
    if (typeof value !== "string") fail(`${name} is not a string`);
    return value;
  }
  return undefined;
}

/** `{"0": "O", "1": "B-X"}` in any order, to names by id. */
function readLabels(value: unknown): string[] {
  if (value === undefined || value === null) {
    fail('there is no id2label; expected an object like {"0": "O", "1": "B-X"}');
  }
  if (typeof value !== "object" || Array.isArray(value)) fail("id2label is not an object");
  const entries = Object.entries(value as Record<string, unknown>);
  if (entries.length === 0) fail("id2label is empty");
  const labels = new Array<string | undefined>(entries.length);
  const seen = new Set<string>();
  for (const [key, name] of entries) {
    // "01" or "1.0" would name an id twice.
    const id = /^(0|[1-9]\d{0,8})$/.test(key) ? Number(key) : -1;
    if (id < 0 || id >= entries.length) {
      fail(
        `id2label has the id ${JSON.stringify(key)}; expected 0 to ${
          entries.length - 1
        }, each once`,
      );
    }
    if (typeof name !== "string" || name === "") fail(`id2label[${key}] is not a name`);
    if (seen.has(name)) fail(`id2label names ${JSON.stringify(name)} twice`);
    seen.add(name);
    labels[id] = name;
  }
  return labels as string[];
}

function wholeTextArchitecture(architectures: unknown): string | undefined {
  const first: unknown = Array.isArray(architectures) ? architectures[0] : undefined;
  if (typeof first !== "string") return undefined;
  return /For(SequenceClassification|QuestionAnswering|MultipleChoice|NextSentencePrediction)$/
      .test(first)
    ? first
    : undefined;
}

/**
 * Architectures that are not BERT-style encoders, and what they have that this one does not, by
 * `model_type`. A graph would say so too, but only by a node in its middle.
 */
const OTHERS: ReadonlyMap<string, string> = new Map([
  ["deberta", "disentangled attention (relative positions)"],
  ["deberta-v2", "disentangled attention (relative positions)"],
  ["mpnet", "a relative position bias"],
  ["t5", "a relative position bias"],
  ["xlnet", "relative positions and permuted attention"],
  ["funnel", "relative positions and pooling between layers"],
  ["modernbert", "rotary positions, gated feed-forward networks and norms in front of the blocks"],
  ["nomic_bert", "rotary positions and gated feed-forward networks"],
  ["roformer", "rotary positions"],
  ["esm", "rotary positions and norms in front of the blocks"],
  ["gpt2", "causal attention and norms in front of the blocks"],
  ["llama", "causal attention and rotary positions"],
  ["mistral", "causal attention and rotary positions"],
  ["qwen2", "causal attention and rotary positions"],
  ["gemma", "causal attention and rotary positions"],
  ["bloom", "causal attention and a position bias"],
  ["longformer", "windowed attention"],
  ["big_bird", "block-sparse attention"],
  ["xlm-roberta-xl", "norms in front of the blocks"],
  ["megatron-bert", "norms in front of the blocks"],
  ["roberta-prelayernorm", "norms in front of the blocks"],
  ["squeezebert", "grouped convolutions"],
  ["convbert", "convolutions within attention"],
  ["mobilebert", "bottlenecks and several feed-forward networks in each layer"],
  ["fnet", "Fourier transforms in the place of attention"],
  ["canine", "convolutions over characters"],
]);

/**
 * Reads `config.json`, given as its text or as the parsed object.
 *
 * Throws {@link FormatError} `config/json` when it is not a JSON object, `config/field` when a field is
 * wrong, {@link ModelError} `model/config` for a temperature that cannot be, and `config/unsupported` for a decoder, for relative positions, and for an
 * architecture that is known to be another, naming what it has.
 */
export function readHfConfig(config: string | JsonObject): HfConfig {
  const fields = typeof config === "string"
    ? parseJsonObject(config, "config/json", "config.json")
    : config;
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    throw new FormatError("config/json", "config.json is not a JSON object.");
  }
  const modelType = text(fields, "model_type");
  const other = OTHERS.get(modelType ?? "");
  if (other !== undefined) {
    throw new ModelError(
      "config/unsupported",
      `config.json: model_type is ${show(modelType)}, which has ${other}; ` +
        "that is not supported.",
    );
  }
  if (fields["is_decoder"] === true) {
    throw new ModelError(
      "config/unsupported",
      "config.json: is_decoder is true; expected an encoder.",
    );
  }
  const positions = fields["position_embedding_type"] ?? "absolute";
  if (positions !== "absolute") {
    throw new ModelError(
      "config/unsupported",
      `config.json: position_embedding_type is ${show(positions)}; ` +
        'only "absolute" is supported.',
    );
  }
  const epsilon = fields["layer_norm_eps"] ?? undefined;
  if (epsilon !== undefined && !(typeof epsilon === "number" && epsilon >= 0 && epsilon < 1)) {
    fail(`layer_norm_eps is ${show(epsilon)}; expected a number from 0 to 1`);
  }
  const temperature = fields["calibration_temperature"] ?? undefined;
  const wholeWords = fields["whole_words"] ?? false;
  if (typeof wholeWords !== "boolean") {
    fail(`whole_words is ${show(wholeWords)}; expected true or false`);
  }
  return {
    modelType,
    labels: readLabels(fields["id2label"]),
    hiddenSize: size(fields, "hidden_size", "dim"),
    embeddingSize: size(fields, "embedding_size"),
    layers: size(fields, "num_hidden_layers", "n_layers"),
    heads: size(fields, "num_attention_heads", "n_heads"),
    feedForwardSize: size(fields, "intermediate_size", "hidden_dim"),
    vocabSize: size(fields, "vocab_size"),
    maxPositions: size(fields, "max_position_embeddings"),
    typeVocabSize: size(fields, "type_vocab_size"),
    paddingId: size(fields, "pad_token_id"),
    layerGroups: size(fields, "num_hidden_groups"),
    innerGroups: size(fields, "inner_group_num"),
    wholeText: wholeTextArchitecture(fields["architectures"]),
    hiddenAct: text(fields, "hidden_act", "activation"),
    headActivation: text(fields, "classifier_activation"),
    layerNormEpsilon: epsilon as number | undefined,
    ...(temperature !== undefined && { temperature: checkTemperature(temperature as number) }),
    ...(wholeWords && { wholeWords }),
  };
}
