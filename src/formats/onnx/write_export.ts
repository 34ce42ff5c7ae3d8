/**
 * A model as the files that other programs load: ONNX Runtime, transformers.js, Hugging Face's tokenizers.
 *
 * The counterpart of `bundleFromExport`: what is written here in float32 is read there bit for bit.
 *
 * | file                    | content                                                              |
 * | ----------------------- | -------------------------------------------------------------------- |
 * | `model.onnx`            | the encoder and its head, see `write.ts`                             |
 * | `config.json`           | sizes and label names, in Hugging Face's words                       |
 * | `tokenizer.json`        | the whole tokenizer                                                  |
 * | `tokenizer_config.json` | names of special tokens, and that `tokenizer.json` is to be believed |
 * | `crf.safetensors`       | the CRF's scores, named as pytorch-crf names them; only with a CRF   |
 *
 * Weak: what loads these files and knows no CRF takes each token's best label; then entities differ from
 * ours where the CRF decides otherwise.
 *
 * @module
 */
import type { ModelBundle } from "../../model/bundle.ts";
import type { ModelConfig } from "../../model/config.ts";
import type { CrfWeights } from "../../model/weights.ts";
import { quantizeEncoder } from "../../quantize/encoder.ts";
import type { Tokenizer } from "../../tokenizer/types.ts";
import type { SafeTensor } from "../safetensors/read.ts";
import { writeSafetensors } from "../safetensors/write.ts";
import { encoderToOnnx } from "./write.ts";

/** How an export is written. */
export interface WriteExportOptions {
  /**
   * `f32` (default): float32 throughout. `int8`: weights int8 per output channel, activations quantized at
   * run time by DynamicQuantizeLinear, a quarter of the size.
   */
  readonly dtype?: "f32" | "int8";
}

/**
 * The files of an export by name. Quantized weights are expanded for `f32`, others quantized for `int8`.
 *
 * @throws {ModelError} `onnx/size` if the ONNX file would have 2 GB or more, `quantize/not-finite` for
 * weights that cannot be quantized
 */
export function writeExport(
  bundle: ModelBundle,
  options: WriteExportOptions = {},
): Map<string, Uint8Array> {
  const { crf, tokenizer } = bundle, int8 = options.dtype === "int8";
  const weights = int8 ? quantizeEncoder(bundle.weights).weights : bundle.weights;
  const files = new Map<string, Uint8Array>([
    ["model.onnx", encoderToOnnx(weights, int8)],
    ["config.json", json(configOf(weights.config, tokenizer))],
    ["tokenizer.json", json(tokenizer.toJSON())],
    ["tokenizer_config.json", json(tokenizerConfigOf(weights.config, tokenizer))],
  ]);
  if (crf !== undefined) files.set("crf.safetensors", crfFile(crf));
  return files;
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value, undefined, 2) + "\n");
}

/** `config.json` of the class in transformers that computes the same. */
function configOf(config: ModelConfig, tokenizer: Tokenizer): Record<string, unknown> {
  // BERT has no projection behind its embeddings, ELECTRA is BERT with one.
  const electra = config.embeddingSize !== config.hiddenSize;
  return {
    model_type: electra ? "electra" : "bert",
    architectures: [`${electra ? "Electra" : "Bert"}ForTokenClassification`],
    vocab_size: config.vocabSize,
    ...(electra && { embedding_size: config.embeddingSize }),
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    intermediate_size: config.feedForwardSize,
    hidden_act: config.activation === "gelu" ? "gelu" : "gelu_pytorch_tanh",
    max_position_embeddings: config.maxPositions,
    type_vocab_size: config.typeVocabSize,
    position_embedding_type: "absolute",
    layer_norm_eps: config.layerNormEpsilon,
    pad_token_id: tokenizer.pad,
    id2label: Object.fromEntries(config.labels.map((label, i) => [i, label])),
    label2id: Object.fromEntries(config.labels.map((label, i) => [label, i])),
  };
}

function tokenizerConfigOf(config: ModelConfig, tokenizer: Tokenizer): Record<string, unknown> {
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

function crfFile({ start, end, transitions }: CrfWeights): Uint8Array {
  const labels = start.length;
  const tensor = (data: Float32Array, ...shape: number[]): SafeTensor => ({
    dtype: "F32",
    shape,
    data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  });
  return writeSafetensors(
    new Map([
      ["start_transitions", tensor(start, labels)],
      ["end_transitions", tensor(end, labels)],
      ["transitions", tensor(transitions, labels, labels)],
    ]),
  );
}
