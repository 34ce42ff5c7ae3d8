/**
 * A model as the files that other programs load: ONNX Runtime, transformers.js, Hugging Face's tokenizers.
 *
 * The counterpart of `bundleFromExport`: what is written here in float32 is read there bit for bit.
 *
 * | file                    | content                                                              |
 * | ----------------------- | -------------------------------------------------------------------- |
 * | `model.onnx`            | the encoder and its head, see `onnx/write_encoder.ts`                           |
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
import { ModelError } from "../errors.ts";
import type { ModelBundle } from "../model/bundle.ts";
import { quantizeEncoder } from "../quantize/encoder.ts";
import { refuseTerms } from "./check.ts";
import { hfConfigOf, tokenizerConfigOf } from "./hf/write_config.ts";
import { crfToSafetensors } from "./hf/crf.ts";
import { encoderToOnnx } from "./onnx/write_encoder.ts";

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
 * @throws {ModelError} `onnx/size` if the ONNX file would have 2 GB or more, `model/weights` for
 * weights that cannot be quantized, `model/lexicon` for a model with lexicon features or terms of its owner's
 */
export function writeExport(
  bundle: ModelBundle,
  options: WriteExportOptions = {},
): Map<string, Uint8Array> {
  if (bundle.weights.features) {
    throw new ModelError(
      "model/lexicon",
      "The model has lexicon features, which no program that runs ONNX files would compute, so it is not written as " +
        "one; pack it (convert), write a checkpoint, or leave them out (withoutLexicons; export --without-lexicons).",
    );
  }
  refuseTerms(bundle, "An export");
  const { crf, tokenizer } = bundle, int8 = options.dtype === "int8";
  const weights = int8 ? quantizeEncoder(bundle.weights).weights : bundle.weights;
  const files = new Map<string, Uint8Array>([
    ["model.onnx", encoderToOnnx(weights, { int8 })],
    ["config.json", json(hfConfigOf(weights.config, tokenizer, bundle))],
    ["tokenizer.json", json(tokenizer.toJSON())],
    ["tokenizer_config.json", json(tokenizerConfigOf(weights.config, tokenizer))],
  ]);
  if (crf !== undefined) files.set("crf.safetensors", crfToSafetensors(crf));
  return files;
}

function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value, undefined, 2) + "\n");
}
