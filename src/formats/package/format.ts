/**
 * The one-file package: a model in a standard safetensors file that any tool can list.
 *
 * Tensors are named as `model/roles.ts` says, int8 with `.scale` beside them or float32; a CRF adds
 * `crf.start_transitions`, `crf.end_transitions` and `crf.transitions`. The pieces of a WordPiece or BPE tokenizer are U16:
 * `tokenizer.units`, their UTF-16 code units one behind the other in the order of their ids, and at most a 0 behind them, and
 * `tokenizer.lengths`, how many of them each has; a vocabulary whose ids have holes is in the JSON, as it was in packages of
 * before, and so are Unigram's scores. The rest is in `__metadata__`:
 *
 * | key         | value                                      |
 * | ----------- | ------------------------------------------ |
 * | `format`    | `edge-ner`                                 |
 * | `version`   | `1`                                        |
 * | `config`    | JSON of {@link ModelConfig}                |
 * | `lanes`     | JSON of a `LaneBudget` (model/lanes.ts), if the linear layers' weights keep one |
 * | `tokenizer` | JSON that the tokenizer reproduces itself from (tokenizer.json), without the pieces if they are tensors |
 * | `tokenizer_deflate` | the same, packed (deflate.ts), in the place of a long `tokenizer` |
 * | `lexicons`  | JSON of `formats/lexicons.ts`; only with features |
 * | `terms`     | JSON of `formats/terms.ts`; only with terms of its owner's |
 * | `xxh32`     | JSON of checksums (checksums.ts); packages of before have none |
 * | `temperature` | a number, what scores are divided by; only of a calibrated model |
 * | `whole_words` | `true`: entities are whole words, or words up to an ending; only of a model of which that was said |
 *
 * @module
 */
import { hasProjection, type ModelConfig } from "../../model/config.ts";
import type { Matrix } from "../../model/weights.ts";

/** `__metadata__.format` of a package. */
export const PACKAGE_FORMAT = "edge-ner";
/** `__metadata__.version` of the packages that this code writes, and the only one that it reads. */
export const PACKAGE_VERSION = "1";

/** Elements of a stored row: two columns of an int4 matrix share a byte. */
export function storedColumns(type: Matrix["type"], columns: number): number {
  return type === "i4" ? Math.ceil(columns / 2) : columns;
}

/** The fields of a ModelConfig and nothing else, so that equal models give equal bytes. */
export function plainConfig(config: ModelConfig): ModelConfig {
  return {
    hiddenSize: config.hiddenSize,
    embeddingSize: config.embeddingSize,
    layers: config.layers,
    heads: config.heads,
    feedForwardSize: config.feedForwardSize,
    vocabSize: config.vocabSize,
    maxPositions: config.maxPositions,
    typeVocabSize: config.typeVocabSize,
    activation: config.activation,
    layerNormEpsilon: config.layerNormEpsilon,
    labels: [...config.labels],
    ...(config.features !== undefined && { features: config.features }),
    // Said only where the sizes do not say it, so that packages of before read, and are written, as ever.
    ...(hasProjection(config) && config.embeddingSize === config.hiddenSize &&
      { embeddingProjection: true }),
    ...(config.head && { head: { size: config.head.size, activation: config.head.activation } }),
  };
}
