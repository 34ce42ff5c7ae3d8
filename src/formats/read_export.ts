/**
 * An export folder, as its files' bytes, to a model.
 *
 * A folder from `torch.onnx.export` with Hugging Face's files beside it: `model.onnx` (and its external
 * data), `config.json`, `tokenizer.json` or `vocab.txt` with `tokenizer_config.json`, and the CRF's
 * `crf.safetensors`; for an encoder without its classifier, `head.safetensors`. The caller reads the files
 * and says which is which; nothing here opens one.
 *
 * @module
 */
import type { ModelBundle } from "../model/bundle.ts";
import type { TokenizerOptions } from "../tokenizer/types.ts";
import { checkVocabulary } from "./check.ts";
import { crfFromSafetensors } from "./hf/crf.ts";
import { headFromTensors } from "./hf/head.ts";
import { readHfConfig } from "./hf/config.ts";
import { readTokenizer, textOf, type TokenizerFiles } from "./hf/tokenizer.ts";
import { readBertGraph } from "./onnx/bert.ts";
import { decodeOnnx } from "./onnx/decode.ts";

/** An export folder's files by role; text files as bytes or as text. */
export interface ExportFiles extends TokenizerFiles {
  /** `model.onnx`. */
  readonly model: Uint8Array;
  /** Files that `model.onnx` keeps its weights in, by the name that it gives them. */
  readonly external?: ReadonlyMap<string, Uint8Array>;
  /** `config.json`. */
  readonly config: Uint8Array | string;
  /** `crf.safetensors`; absent for a softmax head. */
  readonly crf?: Uint8Array;
  /**
   * For an encoder that was exported without its head (its output is `last_hidden_state`): a safetensors
   * file with `classifier.weight` `[labels, hidden size]` and `classifier.bias`.
   */
  readonly head?: Uint8Array;
}

/**
 * Reads an export. The weights are float32, or int8 where the export is, and, where the stored order
 * allows, views into `files.model`.
 *
 * Throws what {@link decodeOnnx}, {@link readBertGraph}, {@link readHfConfig}, {@link crfFromSafetensors}
 * and the tokenizer throw; ModelError `model/vocab` when the tokenizer has more ids than the word
 * embedding has rows; InputError `input/tokenizer` when there is no tokenizer file.
 */
export function bundleFromExport(files: ExportFiles, options?: TokenizerOptions): ModelBundle {
  const config = readHfConfig(textOf(files.config, "config.json"));
  const head = files.head && headFromTensors(files.head, config);
  const weights = readBertGraph(decodeOnnx(files.model, files.external), config, head);
  const crf = files.crf && crfFromSafetensors(files.crf, config.labels.length);
  const tokenizer = readTokenizer(files, options), { temperature, wholeWords } = config;
  checkVocabulary(tokenizer.vocabSize, weights.config);
  return {
    ...{ weights, crf, tokenizer },
    ...(temperature !== undefined && { temperature }),
    ...(wholeWords && { wholeWords }),
  };
}
