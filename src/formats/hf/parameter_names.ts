/**
 * Names of parameters in Hugging Face's checkpoints, by `model_type`: as transformers 5.23 saves them, unchanged
 * since these architectures were added to it.
 *
 * @module
 */

import type { HfConfig } from "./config.ts";

/** Parameter names of an architecture, without its prefix; `{}` is a layer's number. */
export interface ParameterNames {
  readonly word: string;
  readonly position: string;
  readonly type: string | undefined;
  readonly embeddingNorm: string;
  readonly projection: string | undefined;
  readonly layer: string;
  /** Query, key, value. */
  readonly qkv: readonly [string, string, string];
  readonly attentionOutput: string;
  readonly attentionNorm: string;
  readonly up: string;
  readonly down: string;
  readonly feedForwardNorm: string;
}

const BERT: ParameterNames = {
  word: "embeddings.word_embeddings.weight",
  position: "embeddings.position_embeddings.weight",
  type: "embeddings.token_type_embeddings.weight",
  embeddingNorm: "embeddings.LayerNorm",
  projection: "embeddings_project",
  layer: "encoder.layer.{}.",
  qkv: ["attention.self.query", "attention.self.key", "attention.self.value"],
  attentionOutput: "attention.output.dense",
  attentionNorm: "attention.output.LayerNorm",
  up: "intermediate.dense",
  down: "output.dense",
  feedForwardNorm: "output.LayerNorm",
};

const DISTILBERT: ParameterNames = {
  ...BERT,
  type: undefined,
  projection: undefined,
  layer: "transformer.layer.{}.",
  qkv: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
  attentionOutput: "attention.out_lin",
  attentionNorm: "sa_layer_norm",
  up: "ffn.lin1",
  down: "ffn.lin2",
  feedForwardNorm: "output_layer_norm",
};

const ALBERT: ParameterNames = {
  ...BERT,
  projection: "encoder.embedding_hidden_mapping_in",
  layer: "encoder.albert_layer_groups.{}.albert_layers.0.",
  qkv: ["attention.query", "attention.key", "attention.value"],
  attentionOutput: "attention.dense",
  attentionNorm: "attention.LayerNorm",
  up: "ffn",
  down: "ffn_output",
  feedForwardNorm: "full_layer_layer_norm",
};

/** What a `model_type` means for a reader. */
export interface CheckpointType {
  readonly names: ParameterNames;
  /** Positions begin behind this id, unless config.json has another `pad_token_id`. */
  readonly padding?: number;
  /** Whether its embeddings are projected even where that leaves their width as it is. */
  readonly projects?: true;
  /** Its activation where config.json names none; `gelu` unless given. */
  readonly activation?: string;
}

/** By `model_type`. */
export const CHECKPOINTS: ReadonlyMap<string, CheckpointType> = new Map<string, CheckpointType>([
  ["bert", { names: BERT }],
  ["electra", { names: BERT }],
  ["roberta", { names: BERT, padding: 1 }],
  ["xlm-roberta", { names: BERT, padding: 1 }],
  ["camembert", { names: BERT, padding: 1 }],
  ["distilbert", { names: DISTILBERT }],
  ["albert", { names: ALBERT, activation: "gelu_new", projects: true }],
]);

/** The row of the position table that serves a text's first token. */
export function firstPositionOf({ modelType, paddingId }: HfConfig): number {
  const padding = CHECKPOINTS.get(modelType ?? "")?.padding;
  return padding === undefined ? 0 : (paddingId ?? padding) + 1;
}
