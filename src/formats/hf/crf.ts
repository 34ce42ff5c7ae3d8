/**
 * CRF parameters from safetensors, named as pytorch-crf names them: `start_transitions` and
 * `end_transitions` `[L]`, `transitions` `[L, L]` (row = from, column = to), all F32.
 *
 * https://pytorch-crf.readthedocs.io, version 0.7.2.
 *
 * @module
 */
import { FormatError } from "../../errors.ts";
import type { CrfWeights } from "../../model/weights.ts";
import { checkCrf } from "../check.ts";
import {
  readSafetensors,
  type SafeTensor,
  safetensorFloats,
  type SafeTensors,
} from "../safetensors/read.ts";
import { writeSafetensors } from "../safetensors/write.ts";

/** The three tensors of a CRF, with this prefix; throws {@link FormatError} `crf/tensor`. */
export function crfFromTensors(file: SafeTensors, labels: number, prefix = ""): CrfWeights {
  const read = (name: string, shape: readonly number[]): Float32Array => {
    const tensor = file.tensors.get(prefix + name);
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
    return safetensorFloats(tensor, prefix + name);
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
  return crfFromTensors(readSafetensors(bytes), labels);
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
