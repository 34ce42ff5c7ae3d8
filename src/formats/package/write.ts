/**
 * Writing a package (`format.ts`): the same model twice gives the same bytes, and what is written can be read.
 *
 * @module
 */
import { ModelError } from "../../errors.ts";
import type { ModelBundle } from "../../model/bundle.ts";
import { checkLanes, type LaneBudget, laneLimit } from "../../model/lanes.ts";
import { linearsOf } from "../../model/linears.ts";
import type { EncoderWeights, Matrix } from "../../model/weights.ts";
import { largestLaneSum } from "../../quantize/lanes.ts";
import {
  badTensor,
  checkCrf,
  checkFeatures,
  checkLabels,
  checkMatrix,
  checkTemperature,
  checkVector,
  checkVocabulary,
} from "../check.ts";
import { lexiconTensors } from "../lexicons.ts";
import { termTensors } from "../terms.ts";
import { visitWeights } from "../../model/roles.ts";
import type { SafeTensor } from "../safetensors/read.ts";
import { writeSafetensors } from "../safetensors/write.ts";
import { packPieces } from "../../tokenizer/pieces.ts";
import type { Tokenizer } from "../../tokenizer/types.ts";
import { withChecksums } from "./checksums.ts";
import { DEFLATE_FROM, deflateText } from "./deflate.ts";
import { PACKAGE_FORMAT, PACKAGE_VERSION, plainConfig, storedColumns } from "./format.ts";

/** How an array's elements are stored. By its tag, which another realm's arrays have, too. */
const STORED = {
  Float32Array: "F32",
  Uint16Array: "U16",
  Int8Array: "I8",
  Uint8Array: "U8",
} as const;

/** Arrays that are stored. */
type Stored = Float32Array | Uint16Array | Int8Array | Uint8Array;

function bytesOf(array: Stored): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** A tokenizer's text under one of two keys, a long one deflated; its pieces, where they can be packed, as tensors. */
function tokenizerOf(
  tokenizer: Tokenizer,
  add: (name: string, shape: number[], array: Stored) => void,
): Record<string, string> {
  const file = tokenizer.toJSON() as { model: { vocab: object } }, { vocab, ...model } = file.model;
  const packed = Array.isArray(vocab) ? undefined : packPieces(vocab as Record<string, unknown>);
  if (packed) {
    add("tokenizer.units", [packed.units.length], packed.units);
    add("tokenizer.lengths", [packed.lengths.length], packed.lengths);
  }
  const json = JSON.stringify(packed ? { ...file, model } : file);
  return json.length < DEFLATE_FROM
    ? { tokenizer: json }
    : { tokenizer_deflate: deflateText(json) };
}

/** The budget, which all linear layers keep: a reader would refuse a model of which that is not true. */
function checkBudget(weights: EncoderWeights, lanes: LaneBudget): LaneBudget {
  const most = laneLimit(checkLanes(lanes)), { hiddenSize, heads } = weights.config;
  const contexts = new Set<Matrix>(weights.layers.map((layer) => layer.attentionOutput.weight));
  for (const { weight } of linearsOf(weights)) {
    const segment = contexts.has(weight) ? hiddenSize / heads : weight.columns;
    const sum = weight.type === "i8" ? largestLaneSum(weight, segment) : Infinity;
    if (sum <= most) continue;
    throw new ModelError(
      "model/weights",
      `a linear layer [${weight.rows}, ${weight.columns}] does not keep the lane budget that the model names: ` +
        (weight.type === "i8" ? `a lane sums to ${sum}, more than ${most}.` : "it is not int8."),
    );
  }
  return lanes;
}

/** Adds the tensors of a model's lexicons, and describes them. */
function lexiconsOf(
  { weights: { config: { features } }, lexicons }: ModelBundle,
  all: Map<string, SafeTensor>,
): Record<string, string> {
  checkFeatures(features, lexicons);
  if (features === undefined) return {};
  const { tensors, description } = lexiconTensors(lexicons!, features);
  for (const [name, tensor] of tensors) all.set(name, tensor);
  return { lexicons: description };
}

/** Adds the tensors of its owner's terms, and describes them. */
function termsOf({ terms }: ModelBundle, all: Map<string, SafeTensor>): Record<string, string> {
  if (terms === undefined) return {};
  const { tensors, description } = termTensors(terms);
  for (const [name, tensor] of tensors) all.set(name, tensor);
  return { terms: description };
}

/**
 * Writes a model as a package.
 *
 * Throws ModelError `model/weights` for a weight that does not fit the configuration, is not finite or exceeds its
 * lane budget,
 * `model/config` for a configuration that cannot run, `model/lexicon` for lexicons that do not fit it, `model/vocab` for a tokenizer with more ids
 * than embeddings.
 */
export function writePackage(bundle: ModelBundle): Uint8Array<ArrayBuffer> {
  const { weights, crf, tokenizer } = bundle;
  const config = plainConfig(checkLabels(weights.config));
  checkVocabulary(tokenizer.vocabSize, config);
  const tensors = new Map<string, SafeTensor>();
  const add = (name: string, shape: number[], array: Stored): void => {
    tensors.set(name, { dtype: STORED[array[Symbol.toStringTag]], shape, data: bytesOf(array) });
  };
  const lanes = weights.lanes && checkBudget(weights, weights.lanes);
  visitWeights(config, {
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
    table(name, rows, columns, part) {
      const matrix = part ?? badTensor(name, "the model has none");
      checkMatrix(name, rows, columns, matrix);
      add(name, [rows, columns], matrix.data);
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
  const described = lexiconsOf(bundle, tensors), termed = termsOf(bundle, tensors);
  const metadata = {
    format: PACKAGE_FORMAT,
    version: PACKAGE_VERSION,
    config: JSON.stringify(config),
    ...(lanes && { lanes: JSON.stringify({ levels: lanes.levels, depth: lanes.depth }) }),
    ...tokenizerOf(tokenizer, add),
    ...described,
    ...termed,
    ...(bundle.temperature !== undefined &&
      { temperature: String(checkTemperature(bundle.temperature)) }),
    ...(bundle.wholeWords && { whole_words: "true" }),
  };
  return writeSafetensors(tensors, withChecksums(tensors, metadata));
}
