/**
 * Writing a package (`format.ts`): the same model twice gives the same bytes, and what is written can be read.
 *
 * @module
 */
import type { ModelBundle } from "../../model/bundle.ts";
import {
  badTensor,
  checkCrf,
  checkLabels,
  checkMatrix,
  checkVector,
  checkVocabulary,
} from "../check.ts";
import { visitEncoder } from "../../model/roles.ts";
import type { SafeTensor } from "../safetensors/read.ts";
import { writeSafetensors } from "../safetensors/write.ts";
import { DEFLATE_FROM, deflateText } from "./deflate.ts";
import { PACKAGE_FORMAT, PACKAGE_VERSION, plainConfig, storedColumns } from "./format.ts";

function bytesOf(array: Float32Array | Int8Array | Uint8Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** A tokenizer's text under one of two keys; a long one is deflated. */
function tokenizerMetadata(json: string): Record<string, string> {
  return json.length < DEFLATE_FROM
    ? { tokenizer: json }
    : { tokenizer_deflate: deflateText(json) };
}

/**
 * Writes a model as a package.
 *
 * Throws ModelError `model/weights` for a weight that does not fit the configuration or is not finite,
 * `model/config` for a configuration that cannot run, `model/vocab` for a tokenizer with more ids
 * than embeddings.
 */
export function writePackage(bundle: ModelBundle): Uint8Array<ArrayBuffer> {
  const { weights, crf, tokenizer } = bundle;
  const config = plainConfig(checkLabels(weights.config));
  checkVocabulary(tokenizer.vocabSize, config);
  const tensors = new Map<string, SafeTensor>();
  const add = (
    name: string,
    shape: number[],
    array: Float32Array | Int8Array | Uint8Array,
  ): void => {
    const dtype = array instanceof Int8Array ? "I8" : array instanceof Uint8Array ? "U8" : "F32";
    tensors.set(name, { dtype, shape, data: bytesOf(array) });
  };
  visitEncoder(config, {
    matrix(name, rows, columns, part) {
      const matrix = checkMatrix(
        name,
        rows,
        columns,
        part ?? badTensor(name, "the model has none"),
      );
      add(name, [rows, storedColumns(matrix.type, columns)], matrix.data);
      if (matrix.type !== "f32") add(`${name}.scale`, [rows], matrix.scales);
      return matrix;
    },
    vector(name, size, part) {
      const vector = checkVector(name, size, part ?? badTensor(name, "the model has none"));
      add(name, [size], vector);
      return vector;
    },
  }, weights);
  if (crf !== undefined) {
    const labels = config.labels.length;
    checkCrf(crf, labels);
    add("crf.start_transitions", [labels], crf.start);
    add("crf.end_transitions", [labels], crf.end);
    add("crf.transitions", [labels, labels], crf.transitions);
  }
  return writeSafetensors(tensors, {
    format: PACKAGE_FORMAT,
    version: PACKAGE_VERSION,
    config: JSON.stringify(config),
    ...tokenizerMetadata(JSON.stringify(tokenizer.toJSON())),
  });
}
