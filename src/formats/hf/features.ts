/**
 * Lexicon features beside a Hugging Face checkpoint: `features.safetensors`, as `crf.safetensors` has the CRF.
 *
 * It holds `features.input.weight` `[features, embedding size]` and `features.window.weight` `[3 * features, labels]` in
 * float32 (model/weights.ts), and the lexicons (formats/lexicons.ts), described under `lexicons` of the metadata.
 * transformers knows nothing of it: who loads the checkpoint there has the model without its lexicons.
 *
 * @module
 */
import { FormatError } from "../../errors.ts";
import type { ModelBundle } from "../../model/bundle.ts";
import type { Lexicons } from "../../model/lexicon.ts";
import type { EncoderWeights, F32Matrix } from "../../model/weights.ts";
import { checkFeatures, checkVector } from "../check.ts";
import { lexiconsFromTensors, lexiconTensors } from "../lexicons.ts";
import { readSafetensors, type SafeTensor, safetensorFloats } from "../safetensors/read.ts";
import { writeSafetensors } from "../safetensors/write.ts";

/** `features.safetensors` of a model that takes features; undefined for one that does not. */
export function featuresFile(
  { weights, lexicons }: Pick<ModelBundle, "weights" | "lexicons">,
): Uint8Array | undefined {
  const { config: { features: count }, features } = weights;
  checkFeatures(count, lexicons);
  if (count === undefined) return undefined;
  const { tensors, description } = lexiconTensors(lexicons!, count);
  const add = (name: string, { rows, columns, data }: F32Matrix): void => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    tensors.set(name, { dtype: "F32", shape: [rows, columns], data: bytes });
  };
  add("features.input.weight", features!.input);
  add("features.window.weight", features!.window);
  return writeSafetensors(tensors, { lexicons: description });
}

/**
 * An encoder with the features of such a file. Throws {@link FormatError}: `safetensors/...` for a damaged file,
 * `checkpoint/tensor` for a tensor that is missing, has another shape, or is one too many; ModelError `model/lexicon` and
 * `model/weights` for values that cannot be.
 */
export function withFeatures(
  weights: EncoderWeights,
  file: Uint8Array,
): { readonly weights: EncoderWeights; readonly lexicons: Lexicons } {
  const { tensors, metadata } = readSafetensors(file), { config } = weights;
  const fail = (what: string): never => {
    throw new FormatError("checkpoint/tensor", `features.safetensors: ${what}.`);
  };
  const matrix = (name: string, columns: number, rows?: number): F32Matrix => {
    const tensor: SafeTensor = tensors.get(name) ?? fail(`there is no tensor ${name}`);
    const [own = 0, width] = tensor.shape;
    if (tensor.shape.length !== 2 || width !== columns || own !== (rows ?? own)) {
      fail(`${name} is [${tensor.shape}], expected [${rows ?? "features"},${columns}]`);
    }
    const data = checkVector(name, own * columns, safetensorFloats(tensor, name));
    return { type: "f32", rows: own, columns, data };
  };
  const input = matrix("features.input.weight", config.embeddingSize);
  const window = matrix("features.window.weight", config.labels.length, 3 * input.rows);
  const description = metadata.get("lexicons") ?? fail("its metadata have no lexicons");
  const lexicons = lexiconsFromTensors(tensors, description, input.rows, "checkpoint/tensor");
  const known = 2 +
    lexicons.lists.reduce((sum, { type }) => sum + (type === undefined ? 2 : 1), 0);
  if (tensors.size !== known) fail(`there are ${tensors.size} tensors, expected ${known}`);
  return {
    weights: {
      ...weights,
      config: { ...config, features: input.rows },
      features: { input, window },
    },
    lexicons,
  };
}
