/**
 * CRF parameters from safetensors, named as pytorch-crf names them: `start_transitions` and
 * `end_transitions` `[L]`, `transitions` `[L, L]` (row = from, column = to), of 32 or 16 bits.
 *
 * https://pytorch-crf.readthedocs.io, version 0.7.2.
 *
 * @module
 */
import { FormatError } from "../../errors.ts";
import type { CrfWeights } from "../../model/weights.ts";
import { checkCrf } from "../check.ts";
import { readSafetensors, type SafeTensor, widenedFloats } from "../safetensors/read.ts";
import { writeSafetensors } from "../safetensors/write.ts";

/**
 * The three tensors of a CRF, with this prefix, of the kinds of numbers that `floats` reads; throws {@link FormatError}
 * `crf/tensor`.
 */
export function crfFromTensors(
  tensors: ReadonlyMap<string, SafeTensor>,
  labels: number,
  prefix: string,
  floats: (tensor: SafeTensor, name: string) => Float32Array,
): CrfWeights {
  const read = (name: string, shape: readonly number[]): Float32Array => {
    const tensor = tensors.get(prefix + name);
    if (tensor === undefined) {
      throw new FormatError(
        "crf/tensor",
        `The CRF has no tensor ${JSON.stringify(prefix + name)}.`,
      );
    }
    if (tensor.shape.join() !== shape.join()) {
      throw new FormatError(
        "crf/tensor",
        `The CRF's ${name} has shape [${tensor.shape}], expected [${shape}] for ${labels} labels.`,
      );
    }
    return floats(tensor, prefix + name);
  };
  const start = read("start_transitions", [labels]);
  const end = read("end_transitions", [labels]);
  return checkCrf({ start, end, transitions: read("transitions", [labels, labels]) }, labels);
}

/**
 * Reads a CRF over `labels` labels from a safetensors file.
 *
 * Throws {@link FormatError}: `safetensors/...` for a damaged file, `crf/tensor` for a missing tensor or
 * a shape that does not fit; ModelError `model/weights` for a score that is not finite.
 */
export function crfFromSafetensors(bytes: Uint8Array, labels: number): CrfWeights {
  return crfFromTensors(readSafetensors(bytes).tensors, labels, "", widenedFloats);
}

/**
 * A CRF among a model's parameters, wherever the module that holds it put it; undefined where there is none.
 *
 * Throws {@link FormatError}: `checkpoint/tensor` for several, `crf/tensor` as {@link crfFromSafetensors} does.
 */
export function crfInside(
  tensors: ReadonlyMap<string, SafeTensor>,
  labels: number,
): CrfWeights | undefined {
  const part = "start_transitions";
  const found = [...tensors.keys()].filter((name) => name === part || name.endsWith(`.${part}`));
  if (found.length > 1) {
    throw new FormatError(
      "checkpoint/tensor",
      `The checkpoint has ${found.length} CRFs (${found.join(", ")}); expected one.`,
    );
  }
  const [name] = found;
  return name === undefined
    ? undefined
    : crfFromTensors(tensors, labels, name.slice(0, -part.length), widenedFloats);
}

/** A CRF as the file that {@link crfFromSafetensors} reads. */
export function crfToSafetensors({ start, end, transitions }: CrfWeights): Uint8Array {
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
