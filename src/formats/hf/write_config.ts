/**
 * What a Hugging Face folder says of a model beside its weights: `config.json` and `tokenizer_config.json`, as
 * transformers 5 and transformers.js read them.
 *
 * @module
 */
import { ACTIVATIONS, forActivation } from "../../model/activations.ts";
import { hasProjection, type ModelConfig } from "../../model/config.ts";
import type { ModelBundle } from "../../model/bundle.ts";
import { checkTemperature } from "../check.ts";
import type { Tokenizer } from "../../tokenizer/types.ts";

/**
 * `config.json` of the class in transformers that computes the same. The temperature of a calibrated model is
 * `calibration_temperature`, and `whole_words` is true where its entities are whole words; transformers keeps both and applies neither.
 */
export function hfConfigOf(
  config: ModelConfig,
  tokenizer: Tokenizer,
  { temperature, wholeWords }: Pick<ModelBundle, "temperature" | "wholeWords"> = {},
): Record<string, unknown> {
  // BERT has no projection behind its embeddings; ELECTRA is BERT with one, if its sizes differ: for equal
  // ones the graph beside this file says more than any class of transformers.
  const electra = hasProjection(config);
  return {
    model_type: electra ? "electra" : "bert",
    architectures: [`${electra ? "Electra" : "Bert"}ForTokenClassification`],
    vocab_size: config.vocabSize,
    ...(electra && { embedding_size: config.embeddingSize }),
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    intermediate_size: config.feedForwardSize,
    ...(config.head && {
      classifier_activation: forActivation(ACTIVATIONS, config.head.activation).names[0],
    }),
    hidden_act: forActivation(ACTIVATIONS, config.activation).names[0],
    max_position_embeddings: config.maxPositions,
    type_vocab_size: config.typeVocabSize,
    position_embedding_type: "absolute",
    layer_norm_eps: config.layerNormEpsilon,
    pad_token_id: tokenizer.pad,
    id2label: Object.fromEntries(config.labels.map((label, i) => [i, label])),
    label2id: Object.fromEntries(config.labels.map((label, i) => [label, i])),
    ...(temperature !== undefined && { calibration_temperature: checkTemperature(temperature) }),
    ...(wholeWords && { whole_words: true }),
  };
}

/** `tokenizer_config.json`, which says that `tokenizer.json` beside it is to be believed. */
export function tokenizerConfigOf(
  config: Pick<ModelConfig, "maxPositions" | "typeVocabSize">,
  tokenizer: Tokenizer,
): Record<string, unknown> {
  const piece = (id: number): string | undefined => tokenizer.idToToken(id);
  const mask = ["[MASK]", "<mask>"].find((token) => tokenizer.tokenToId(token) !== undefined);
  return {
    // Not BertTokenizer, which would build its own normalizer and leave the file's unread.
    tokenizer_class: "PreTrainedTokenizerFast",
    model_max_length: config.maxPositions,
    model_input_names: [
      "input_ids",
      ...(config.typeVocabSize > 0 ? ["token_type_ids"] : []),
      "attention_mask",
    ],
    cls_token: piece(tokenizer.cls),
    sep_token: piece(tokenizer.sep),
    // Any piece will do: padding is masked.
    pad_token: piece(tokenizer.pad) ?? piece(tokenizer.unk),
    unk_token: piece(tokenizer.unk),
    ...(mask !== undefined && { mask_token: mask }),
    clean_up_tokenization_spaces: false,
  };
}
