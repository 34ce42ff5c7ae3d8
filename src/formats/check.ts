/**
 * Checks on weights that no file format can make: shapes against the configuration, and values.
 *
 * They run on what is written and on what is read, so a package that was written can be read, and a
 * damaged one cannot give a model that computes nonsense.
 *
 * @module
 */
import { ModelError, show } from "../errors.ts";
import type { ModelBundle } from "../model/bundle.ts";
import type { Lexicons } from "../model/lexicon.ts";
import type { CrfWeights, I4Matrix, Matrix } from "../model/weights.ts";
import { checkConfig, type ModelConfig } from "../model/config.ts";

/** Throws a {@link ModelError} `model/weights` that names a tensor. */
export function badTensor(name: string, what: string): never {
  throw new ModelError("model/weights", `Tensor ${JSON.stringify(name)}: ${what}.`);
}

/** The values unchanged, or a {@link ModelError} `model/weights` that names the first non-finite one. */
export function checkFinite(name: string, values: Float32Array): Float32Array {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i]!)) badTensor(name, `element ${i} is ${values[i]}`);
  }
  return values;
}

/** A vector of this size with finite values; throws {@link ModelError} `model/weights`. */
export function checkVector(name: string, size: number, values: Float32Array): Float32Array {
  if (values.length !== size) badTensor(name, `${values.length} elements, expected ${size}`);
  return checkFinite(name, values);
}

/**
 * A matrix of this shape: float32 values finite, int8 values never -128, int4 values never -8, scales finite
 * and not negative. Throws {@link ModelError} `model/weights`.
 *
 * @param least false if it is known that no byte is 0x80, so that int8 values need not be looked at again
 */
export function checkMatrix(
  name: string,
  rows: number,
  columns: number,
  matrix: Matrix,
  least = true,
): Matrix {
  if (matrix.rows !== rows || matrix.columns !== columns) {
    badTensor(name, `[${matrix.rows}, ${matrix.columns}], expected [${rows}, ${columns}]`);
  }
  const stored = matrix.type === "i4" ? Math.ceil(columns / 2) : columns;
  if (matrix.data.length !== rows * stored) {
    badTensor(name, `${matrix.data.length} elements, expected ${rows * stored}`);
  }
  if (matrix.type === "f32") {
    checkFinite(name, matrix.data);
    return matrix;
  }
  if (matrix.type === "i4") checkInt4(name, matrix);
  else if (least) {
    const worst = firstLeast(matrix.data);
    if (worst >= 0) badTensor(name, `element ${worst} is -128; int8 weights are -127 to 127`);
  }
  checkVector(`${name}.scale`, rows, matrix.scales);
  const negative = matrix.scales.findIndex((scale) => scale < 0);
  if (negative >= 0) badTensor(`${name}.scale`, `row ${negative} is ${matrix.scales[negative]}`);
  return matrix;
}

/**
 * Index of the first -128; -1 if there is none. Four bytes a step, of which one is 0 where -128 was (Warren, Hacker's Delight,
 * 6-1): an engine's own `indexOf` looks at one, and would take as long as reading the file.
 */
function firstLeast(data: Int8Array): number {
  const { buffer, byteOffset, length } = data, whole = byteOffset % 4 === 0 ? length >> 2 : 0;
  const words = new Int32Array(buffer, whole && byteOffset, whole);
  let zeros = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]! ^ 0x80808080;
    zeros |= (word - 0x01010101) & ~word;
  }
  return data.indexOf(-128, (zeros & 0x80808080) === 0 ? 4 * whole : 0);
}

/** No half byte may be 0 (q = -8), and what an odd width leaves over must be 8 (q = 0). */
function checkInt4(name: string, { data, rows, columns }: I4Matrix): void {
  for (let i = 0; i < data.length; i++) {
    if (data[i]! < 16 || (data[i]! & 15) === 0) {
      badTensor(name, `byte ${i} is ${data[i]}; int4 weights are -7 to 7, stored as 1 to 15`);
    }
  }
  const width = Math.ceil(columns / 2);
  for (let row = 0; columns % 2 === 1 && row < rows; row++) {
    if (data[(row + 1) * width - 1]! >> 4 !== 8) {
      badTensor(name, `row ${row} has a column too many`);
    }
  }
}

/** A CRF over this many labels with finite scores; throws {@link ModelError} `model/weights`. */
export function checkCrf(crf: CrfWeights, labels: number): CrfWeights {
  checkVector("start_transitions", labels, crf.start);
  checkVector("end_transitions", labels, crf.end);
  checkVector("transitions", labels * labels, crf.transitions);
  return crf;
}

/** {@link checkConfig}, and label names that are distinct, not empty and strings. */
export function checkLabels(config: ModelConfig): ModelConfig {
  checkConfig(config);
  const seen = new Set<string>();
  for (const label of config.labels) {
    if (typeof label !== "string" || label === "" || seen.has(label)) {
      throw new ModelError(
        "model/config",
        `labels has ${show(label)}; expected distinct names.`,
      );
    }
    seen.add(label);
  }
  return config;
}

/** Throws {@link ModelError} `model/lexicon` unless there are lexicons where, and only where, the encoder takes features. */
export function checkFeatures(features: number | undefined, lexicons: Lexicons | undefined): void {
  if ((features === undefined) === (lexicons === undefined)) return;
  throw new ModelError(
    "model/lexicon",
    features === undefined
      ? "The model has lexicons, but its encoder takes no features."
      : `The encoder takes ${features} features of a token, but the model has no lexicons to find them with.`,
  );
}

/** Temperatures that a calibration can come to. */
export const TEMPERATURES: readonly [least: number, most: number] = [0.01, 100];

/** A temperature in range; throws {@link ModelError} `model/config`. */
export function checkTemperature(temperature: number): number {
  const [least, most] = TEMPERATURES;
  if (temperature >= least && temperature <= most) return temperature;
  throw new ModelError(
    "model/config",
    `The temperature of the model's scores is ${show(temperature)}; expected ${least} to ${most}.`,
  );
}

/** Throws {@link ModelError} `model/vocab` when a tokenizer gives ids that have no embedding. */
export function checkVocabulary(tokenizerSize: number, config: ModelConfig): void {
  if (tokenizerSize <= config.vocabSize) return;
  throw new ModelError(
    "model/vocab",
    `The tokenizer has ids up to ${tokenizerSize - 1}, but the word embedding has ` +
      `${config.vocabSize} rows: tokenizer and model do not belong together.`,
  );
}

/** Throws a {@link ModelError} (`model/lexicon`) for a model that carries terms, which `what` has no place for. */
export function refuseTerms({ terms }: Pick<ModelBundle, "terms">, what: string): void {
  if (terms === undefined) return;
  throw new ModelError(
    "model/lexicon",
    `${what} has no place for the ${terms.lists.length} lists of terms that were packed with the model; pack it ` +
      "(convert), or write it from the model that it was packed from.",
  );
}
