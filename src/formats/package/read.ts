/**
 * Reading a package (`format.ts`): nothing large is copied. Weights are views into the file's bytes, which
 * therefore must not be changed afterwards.
 *
 * @module
 */
import { FormatError } from "../../errors.ts";
import type { ModelBundle } from "../../model/bundle.ts";
import type { ModelConfig } from "../../model/config.ts";
import { checkLanes, type LaneBudget } from "../../model/lanes.ts";
import type { Lexicons } from "../../model/lexicon.ts";
import { linearsOf } from "../../model/linears.ts";
import type { Matrix } from "../../model/weights.ts";
import { tokenizerFromJson } from "../../tokenizer/load.ts";
import type { FillTrie, PackedPieces } from "../../tokenizer/pieces.ts";
import type { TokenizerOptions } from "../../tokenizer/types.ts";
import {
  checkLabels,
  checkMatrix,
  checkTemperature,
  checkVector,
  checkVocabulary,
} from "../check.ts";
import { crfFromTensors } from "../hf/crf.ts";
import { viewUint16 } from "../floats.ts";
import { parseJsonObject } from "../json.ts";
import { lexiconsFromTensors } from "../lexicons.ts";
import { visitEncoder } from "../../model/roles.ts";
import { readSafetensors, safetensorFloats } from "../safetensors/read.ts";
import type { Dtype, SafeTensor, SafeTensors } from "../safetensors/read.ts";
import { checksumsIn, type Stripes, Xxh32 } from "./checksums.ts";
import { PACKAGE_FORMAT, PACKAGE_VERSION, plainConfig, storedColumns } from "./format.ts";
import { inflateText } from "./inflate.ts";
import { takeTerms } from "./packed_terms.ts";

/** The configuration in a package's metadata, its fields' types checked. */
function readConfig(json: string): ModelConfig {
  const fields = parseJsonObject(json, "package/metadata", "The package's config");
  const labels = fields["labels"];
  if (!Array.isArray(labels)) {
    throw new FormatError("package/metadata", "The package's config has no list of labels.");
  }
  // null would pass for 0 in a comparison; checkConfig checks the other fields, whatever their types.
  if (typeof fields["layerNormEpsilon"] !== "number") {
    throw new FormatError("package/metadata", "The package's config has no layerNormEpsilon.");
  }
  return plainConfig(checkLabels(fields as unknown as ModelConfig));
}

/** The lane budget in a package's metadata, checked. */
function readLanes(json: string): LaneBudget {
  const { levels, depth, ...rest } = parseJsonObject(
    json,
    "package/metadata",
    "The package's lanes",
  );
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw new FormatError(
      "package/metadata",
      `The package's lanes have ${JSON.stringify(unknown)}; expected levels and depth.`,
    );
  }
  return checkLanes({ levels, depth } as LaneBudget);
}

/** What a package's metadata says. */
interface PackageHead {
  /** The model's configuration, checked. */
  readonly config: ModelConfig;
  /** Text of its tokenizer.json. */
  readonly tokenizer: string;
  /** The budget that its weights keep; that they do is seen when they are packed. */
  readonly lanes: LaneBudget | undefined;
  /** Of a calibrated model. */
  readonly temperature: number | undefined;
  /** Whether entities are whole words. */
  readonly wholeWords: boolean;
}

/** Throws FormatError `package/format` for metadata of another kind of file, or of another version. */
export function checkKind(metadata: ReadonlyMap<string, string>): void {
  const format = metadata.get("format");
  if (format !== PACKAGE_FORMAT) {
    throw new FormatError(
      "package/format",
      `This safetensors file is not a model package: its format is ${JSON.stringify(format)}, ` +
        `expected ${
          JSON.stringify(PACKAGE_FORMAT)
        }. A package is made from an export by this library.`,
    );
  }
  const version = metadata.get("version");
  if (version !== PACKAGE_VERSION) {
    throw new FormatError(
      "package/format",
      `The package has version ${JSON.stringify(version)}, this library reads ` +
        `${JSON.stringify(PACKAGE_VERSION)}; convert the model again, or update the library.`,
    );
  }
}

/**
 * Reads a package's metadata. Throws FormatError `package/metadata`, ModelError `model/config`, as {@link readPackage}
 * does.
 */
function readHead(metadata: ReadonlyMap<string, string>): PackageHead {
  const text = (key: string): string => {
    const value = metadata.get(key);
    if (value !== undefined) return value;
    throw new FormatError("package/metadata", `The package has no ${key} in its metadata.`);
  };
  const config = readConfig(text("config")), deflated = metadata.get("tokenizer_deflate");
  const lanes = metadata.get("lanes"), temperature = metadata.get("temperature");
  const wholeWords = metadata.get("whole_words");
  if (wholeWords !== undefined && wholeWords !== "true") {
    throw new FormatError(
      "package/metadata",
      `The package's whole_words is ${JSON.stringify(wholeWords)}; expected "true", or none.`,
    );
  }
  return {
    config,
    tokenizer: deflated === undefined ? text("tokenizer") : inflateText(deflated),
    lanes: lanes === undefined ? undefined : readLanes(lanes),
    temperature: temperature === undefined ? undefined : checkTemperature(Number(temperature)),
    wholeWords: wholeWords !== undefined,
  };
}

/**
 * How a matrix is stored, from its dtype: U8 is int4, which only the word embedding may be. What is none of
 * the three is taken for float32, which its reader will refuse.
 */
function matrixType(name: string, dtype: Dtype | undefined): Matrix["type"] {
  if (dtype === "U8" && name === "embeddings.word.weight") return "i4";
  return dtype === "I8" ? "i8" : "f32";
}

/** Quicker ways to do what is done to all of a file, of who has kernels at hand. Without them it is done in JavaScript. */
export interface Means {
  readonly stripes: Stripes;
  readonly fillTrie: FillTrie;
}

/** A matrix as a package has it. */
export interface StoredMatrix {
  readonly name: string;
  readonly type: Matrix["type"];
  readonly rows: number;
  readonly columns: number;
  readonly tensor: SafeTensor;
  /** Of a quantized one, one for each row. */
  readonly scales: Float32Array;
}

/** A matrix that is a view of its tensor, checked; `least` as of {@link checkMatrix}. */
export function viewMatrix(stored: StoredMatrix, least = true): Matrix {
  const { name, type, rows, columns, tensor, scales } = stored;
  const { data } = tensor, { buffer, byteOffset, length } = data;
  const matrix: Matrix = type === "f32"
    ? { type, rows, columns, data: safetensorFloats(tensor, name) }
    : type === "i8"
    ? { type, rows, columns, data: new Int8Array(buffer, byteOffset, length), scales }
    : { type, rows, columns, data, scales };
  return checkMatrix(name, rows, columns, matrix, least);
}

/** The tokenizer's pieces, where they are tensors, taken out of the names of those that are still unread. */
function takePieces(
  tensors: SafeTensors["tensors"],
  unread: Set<string>,
): PackedPieces | undefined {
  const take = (part: keyof PackedPieces): Uint16Array | undefined => {
    const name = `tokenizer.${part}`, tensor = tensors.get(name);
    if (tensor?.dtype !== "U16" || tensor.shape.length !== 1) return undefined;
    unread.delete(name);
    return viewUint16(tensor.data);
  };
  const units = take("units"), lengths = take("lengths");
  if (units && lengths) return { units, lengths };
  if (units ?? lengths) {
    throw new FormatError(
      "package/tensor",
      "The package has only a part of its tokenizer's pieces.",
    );
  }
  return undefined;
}

/** The lexicons that a configuration asks for, taken out of the names of tensors that are still unread. */
function takeLexicons(
  { tensors, metadata }: SafeTensors,
  { features }: ModelConfig,
  unread: Set<string>,
): Lexicons | undefined {
  const description = metadata.get("lexicons");
  if (features === undefined && description === undefined) return undefined;
  if (features === undefined || description === undefined) {
    throw new FormatError(
      "package/metadata",
      features === undefined
        ? "The package has lexicons, but its configuration says nothing of features."
        : "The package has no lexicons in its metadata, but its encoder takes features.",
    );
  }
  const lexicons = lexiconsFromTensors(tensors, description, features, "package/tensor");
  for (const i of lexicons.lists.keys()) {
    unread.delete(`lexicons.${i}.terms`);
    if (lexicons.lists[i]!.type === undefined) unread.delete(`lexicons.${i}.rates`);
  }
  return lexicons;
}

/**
 * Puts a model together from a package's tensors and metadata, whose kind was checked ({@link checkKind}). Throws as
 * {@link readPackage} does.
 *
 * @param matrixOf makes each matrix, {@link viewMatrix} unless the data are still to come.
 */
export function assemblePackage(
  file: SafeTensors,
  matrixOf: (stored: StoredMatrix) => Matrix,
  options?: TokenizerOptions,
  means?: Means,
): ModelBundle {
  const { tensors, metadata } = file, head = readHead(metadata);
  const { config, temperature, wholeWords } = head;
  const unread = new Set(tensors.keys());
  const take = (name: string, shape: readonly number[]): SafeTensor => {
    const tensor = tensors.get(name);
    if (tensor === undefined) {
      throw new FormatError("package/tensor", `The package has no tensor ${JSON.stringify(name)}.`);
    }
    if (tensor.shape.join() !== shape.join()) {
      throw new FormatError(
        "package/tensor",
        `Tensor ${JSON.stringify(name)} has shape [${tensor.shape}], expected [${shape}].`,
      );
    }
    unread.delete(name);
    return tensor;
  };
  const vector = (name: string, size: number): Float32Array =>
    checkVector(name, size, safetensorFloats(take(name, [size]), name));
  const encoder = visitEncoder(config, {
    matrix(name, rows, columns) {
      const type = matrixType(name, tensors.get(name)?.dtype);
      const tensor = take(name, [rows, storedColumns(type, columns)]);
      const scales = type === "f32" ? new Float32Array(0) : vector(`${name}.scale`, rows);
      return matrixOf({ name, type, rows, columns, tensor, scales });
    },
    table(name, rows, columns) {
      const data = safetensorFloats(take(name, [rows, columns]), name);
      checkVector(name, rows * columns, data);
      return { type: "f32", rows, columns, data };
    },
    vector,
  });

  const weights = head.lanes === undefined ? encoder : { ...encoder, lanes: head.lanes };
  const unquantized = head.lanes && linearsOf(weights).find(({ weight }) => weight.type !== "i8");
  if (unquantized !== undefined) {
    throw new FormatError(
      "package/metadata",
      "The package names a lane budget, but its linear layers are not all int8.",
    );
  }

  const crfNames = [...unread].filter((name) => name.startsWith("crf."));
  const crf = crfNames.length === 0
    ? undefined
    : crfFromTensors(tensors, config.labels.length, "crf.", safetensorFloats);
  for (const name of ["start_transitions", "end_transitions", "transitions"]) {
    unread.delete(`crf.${name}`);
  }
  const lexicons = takeLexicons(file, config, unread), terms = takeTerms(file, unread);
  const packed = takePieces(tensors, unread);
  const [extra] = unread;
  if (extra !== undefined) {
    throw new FormatError(
      "package/tensor",
      `The package has a tensor ${
        JSON.stringify(extra)
      }, which its configuration does not ask for.`,
    );
  }
  const tokenizer = tokenizerFromJson(head.tokenizer, options, packed, means?.fillTrie);
  checkVocabulary(tokenizer.vocabSize, config);
  return {
    ...{ weights, crf, tokenizer },
    ...(lexicons && { lexicons }),
    ...(terms && { terms }),
    ...(temperature !== undefined && { temperature }),
    ...(wholeWords && { wholeWords }),
  };
}

/**
 * Reads a package. Weights are views into `bytes`.
 *
 * Throws FormatError `safetensors/...` and `package/checksum` for a damaged file, `package/format` for a file that is not a
 * package or of another version, `package/metadata` and `package/tensor` for parts that are missing, not
 * expected, or of the wrong type or shape; ModelError `model/config`, `model/weights` and
 * `model/vocab` and `model/lexicon` for values that cannot be; TokenizerError for its tokenizer.
 */
export function readPackage(bytes: Uint8Array, options?: TokenizerOptions): ModelBundle {
  return packageOf(bytes, options);
}

/** {@link readPackage} with the means that are at hand. */
export function packageOf(
  bytes: Uint8Array,
  options?: TokenizerOptions,
  means?: Means,
): ModelBundle {
  const file = readSafetensors(bytes);
  checkKind(file.metadata);
  const check = checksumsIn(file.tensors, file.metadata), clean = new Set<string>();
  for (const [name, { data }] of check ? file.tensors : []) {
    const sum = new Xxh32(means?.stripes).update(data);
    check?.(name, sum);
    if (!sum.least) clean.add(name);
  }
  const view = (stored: StoredMatrix): Matrix => viewMatrix(stored, !clean.has(stored.name));
  return assemblePackage(file, view, options, means);
}
