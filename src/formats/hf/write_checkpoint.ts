/**
 * A model as a Hugging Face checkpoint: what `save_pretrained` writes, and `bundleFromCheckpoint` reads bit for bit.
 *
 * | file                    | content                                                                    |
 * | ----------------------- | -------------------------------------------------------------------------- |
 * | `model.safetensors`     | the encoder and its head in float32, under the names of transformers       |
 * | `config.json`           | sizes and label names                                                      |
 * | `tokenizer.json`        | the whole tokenizer                                                        |
 * | `tokenizer_config.json` | names of special tokens, and that `tokenizer.json` is to be believed       |
 * | `crf.safetensors`       | the CRF's scores, named as pytorch-crf names them; only with a CRF         |
 * | `features.safetensors`  | lexicons and what they add (features.ts); only with lexicon features       |
 *
 * Whatever architecture a model came from, it is written as one that computes the same: BERT; ELECTRA where a
 * projection widens the embeddings; ALBERT, with a group for each layer, where one keeps their width. RoBERTa's
 * positions begin with their first used row then.
 *
 * Weak: a head of two layers (`classifier.dense`, `classifier.out_proj`) is read here; of transformers' classes for tokens
 * none has it, and they say that they leave it out. ALBERT's layers are written one by one, also if they are the same; and a model without token types gets one,
 * of zeros, since BERT has no other form.
 *
 * @module
 */
import type { ModelBundle } from "../../model/bundle.ts";
import { hasProjection, type ModelConfig } from "../../model/config.ts";
import type { EncoderWeights, LinearWeights, NormWeights } from "../../model/weights.ts";
import { refuseTerms } from "../check.ts";
import { dequantizeMatrix } from "../../quantize/matrix.ts";
import type { SafeTensor } from "../safetensors/read.ts";
import { writeSafetensors } from "../safetensors/write.ts";
import { crfToSafetensors } from "./crf.ts";
import { featuresFile } from "./features.ts";
import { CHECKPOINTS } from "./parameter_names.ts";
import { hfConfigOf, tokenizerConfigOf } from "./write_config.ts";

/** The class in transformers that computes what this encoder does. */
export function architectureOf(config: ModelConfig): "bert" | "electra" | "albert" {
  if (!hasProjection(config)) return "bert";
  return config.embeddingSize === config.hiddenSize ? "albert" : "electra";
}

/**
 * The files of a checkpoint by name; the weights come last. Quantized weights are expanded.
 *
 * @throws {ModelError} `model/lexicon` for a model with terms of its owner's
 */
export function writeCheckpoint(bundle: ModelBundle): Map<string, Uint8Array> {
  refuseTerms(bundle, "A checkpoint");
  const { weights, crf, tokenizer } = bundle, features = featuresFile(bundle);
  const { config } = weights, architecture = architectureOf(config);
  const typed = { ...config, typeVocabSize: Math.max(1, config.typeVocabSize) };
  const files = new Map<string, Uint8Array>([
    [
      "config.json",
      json({
        ...hfConfigOf(typed, tokenizer, bundle),
        ...(architecture === "albert" && {
          model_type: "albert",
          architectures: ["AlbertForTokenClassification"],
          num_hidden_groups: config.layers,
          inner_group_num: 1,
        }),
      }),
    ],
    ["tokenizer.json", json(tokenizer.toJSON())],
    ["tokenizer_config.json", json(tokenizerConfigOf(typed, tokenizer))],
  ]);
  if (crf !== undefined) files.set("crf.safetensors", crfToSafetensors(crf));
  if (features !== undefined) files.set("features.safetensors", features);
  return files.set("model.safetensors", weightsFile(weights, architecture));
}

/** `model.safetensors`; `format` is what transformers looks for. */
function weightsFile(
  weights: EncoderWeights,
  architecture: "bert" | "electra" | "albert",
): Uint8Array {
  const { config } = weights, { hiddenSize: H, embeddingSize: E } = config;
  const { names } = CHECKPOINTS.get(architecture)!;
  const tensors = new Map<string, SafeTensor>();
  const add = (name: string, data: Float32Array, ...shape: number[]): void => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    tensors.set(name, { dtype: "F32", shape, data: bytes });
  };
  const linear = (name: string, { weight, bias }: LinearWeights): void => {
    add(`${name}.weight`, dequantizeMatrix(weight).data, weight.rows, weight.columns);
    add(`${name}.bias`, bias, bias.length);
  };
  const norm = (name: string, { gamma, beta }: NormWeights): void => {
    add(`${name}.weight`, gamma, gamma.length);
    add(`${name}.bias`, beta, beta.length);
  };

  const at = `${architecture}.`, { wordEmbedding, positionEmbedding, typeEmbedding } = weights;
  add(at + names.word, dequantizeMatrix(wordEmbedding).data, config.vocabSize, E);
  add(at + names.position, dequantizeMatrix(positionEmbedding).data, config.maxPositions, E);
  const types = typeEmbedding ? dequantizeMatrix(typeEmbedding).data : new Float32Array(E);
  add(at + names.type!, types, types.length / E, E);
  norm(at + names.embeddingNorm, weights.embeddingNorm);
  if (weights.embeddingProjection) linear(at + names.projection!, weights.embeddingProjection);
  weights.layers.forEach((layer, i) => {
    const own = at + names.layer.replace("{}", String(i));
    const { data } = dequantizeMatrix(layer.qkv.weight);
    names.qkv.forEach((name, part) => {
      add(`${own}${name}.weight`, data.subarray(part * H * H, (part + 1) * H * H), H, H);
      add(`${own}${name}.bias`, layer.qkv.bias.subarray(part * H, (part + 1) * H), H);
    });
    linear(own + names.attentionOutput, layer.attentionOutput);
    norm(own + names.attentionNorm, layer.attentionNorm);
    linear(own + names.up, layer.up);
    linear(own + names.down, layer.down);
    norm(own + names.feedForwardNorm, layer.feedForwardNorm);
  });
  if (weights.headDense) linear("classifier.dense", weights.headDense);
  linear(weights.headDense ? "classifier.out_proj" : "classifier", weights.classifier);
  return writeSafetensors(tensors, { format: "pt" });
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value, undefined, 2) + "\n");
}
