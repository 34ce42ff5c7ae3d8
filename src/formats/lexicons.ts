/**
 * A model's lexicons as tensors, which a package has among its own and a checkpoint in a file beside it.
 *
 * | tensor             | shape                | content                                                         |
 * | ------------------ | -------------------- | --------------------------------------------------------------- |
 * | `lexicons.N.terms` | I32 `[terms, 2]`     | fingerprints of list N                                          |
 * | `lexicons.N.rates` | I32 `[terms, words]` | of a rated list: a byte for each rate, four a word, zeros behind |
 *
 * and, as JSON, `{"types": [...], "inflected": true, "longest": 40, "lists": [null, "MED"]}`: what each list's terms
 * are, null for a rated one. Words of four bytes stand in a file before its int8 matrices, so that a package can be read
 * as it arrives.
 *
 * @module
 */
import { FormatError, ModelError } from "../errors.ts";
import {
  checkLexicons,
  FINGERPRINT_WORDS,
  type LexiconList,
  type Lexicons,
  rateColumns,
} from "../model/lexicon.ts";
import { viewInt32 } from "./floats.ts";
import { parseJsonObject } from "./json.ts";
import type { SafeTensor } from "./safetensors/read.ts";

const WHERE = "The lexicons' description";

/** Words that hold the rates of a term. */
const rateWords = (lexicons: Pick<Lexicons, "types">): number =>
  Math.ceil(rateColumns(lexicons) / 4);

/** Little-endian bytes of words. */
export function bytesOfWords(words: Int32Array): Uint8Array {
  const bytes = new Uint8Array(4 * words.length), view = new DataView(bytes.buffer);
  words.forEach((word, i) => view.setInt32(4 * i, word, true));
  return bytes;
}

/** Words of a tensor of them. */
export function wordsOfTensor({ data }: SafeTensor): Int32Array {
  return viewInt32(data);
}

/** Lexicons as tensors and a description. Throws {@link ModelError} `model/lexicon` for what {@link checkLexicons} refuses. */
export function lexiconTensors(
  lexicons: Lexicons,
  features: number,
): { readonly tensors: Map<string, SafeTensor>; readonly description: string } {
  const { types, inflected, longest, lists } = checkLexicons(lexicons, features);
  const tensors = new Map<string, SafeTensor>(), columns = rateColumns(lexicons);
  lists.forEach(({ fingerprints, rates }, i) => {
    const terms = fingerprints.length / FINGERPRINT_WORDS;
    tensors.set(`lexicons.${i}.terms`, {
      dtype: "I32",
      shape: [terms, FINGERPRINT_WORDS],
      data: bytesOfWords(fingerprints),
    });
    if (rates === undefined) return;
    const words = rateWords(lexicons), data = new Uint8Array(4 * words * terms);
    for (let t = 0; t < terms; t++) {
      data.set(rates.subarray(t * columns, (t + 1) * columns), 4 * words * t);
    }
    tensors.set(`lexicons.${i}.rates`, { dtype: "I32", shape: [terms, words], data });
  });
  const plain = { types, inflected, longest, lists: lists.map(({ type }) => type ?? null) };
  return { tensors, description: JSON.stringify(plain) };
}

/**
 * Lexicons of an encoder with this many features. Throws {@link FormatError} with this `code` (of a package
 * `package/metadata`) for a description that is no JSON, and for a tensor that is missing or has another shape; {@link ModelError} `model/lexicon` for lexicons that
 * cannot be.
 */
export function lexiconsFromTensors(
  tensors: ReadonlyMap<string, SafeTensor>,
  description: string,
  features: number,
  code: "package/tensor" | "checkpoint/tensor",
): Lexicons {
  const json = parseJsonObject(
    description,
    code === "package/tensor" ? "package/metadata" : code,
    WHERE,
  );
  const { types, inflected, longest, lists: kinds } = json;
  if (!Array.isArray(types) || !Array.isArray(kinds)) {
    throw new ModelError("model/lexicon", `${WHERE} has no list of types, or none of lists.`);
  }
  const take = (name: string, columns: number, rows?: number): SafeTensor => {
    const tensor = tensors.get(name), [terms, width] = tensor?.shape ?? [];
    if (
      tensor?.dtype === "I32" && tensor.shape.length === 2 && width === columns &&
      (rows === undefined || terms === rows)
    ) return tensor;
    throw new FormatError(
      code,
      tensor === undefined
        ? `There is no tensor ${JSON.stringify(name)}.`
        : `Tensor ${JSON.stringify(name)} is ${tensor.dtype} [${tensor.shape}], expected I32 [${
          rows ?? "terms"
        },${columns}].`,
    );
  };
  const columns = rateColumns({ types }), words = rateWords({ types });
  const lists = kinds.map((kind, i): LexiconList => {
    const terms = take(`lexicons.${i}.terms`, FINGERPRINT_WORDS),
      fingerprints = wordsOfTensor(terms);
    if (kind !== null) return { type: kind, fingerprints, rates: undefined };
    const { data } = take(`lexicons.${i}.rates`, words, terms.shape[0]);
    const rates = new Uint8Array(terms.shape[0]! * columns);
    for (let t = 0; t < terms.shape[0]!; t++) {
      rates.set(data.subarray(4 * words * t, 4 * words * t + columns), t * columns);
    }
    return { type: undefined, fingerprints, rates };
  });
  const lexicons = { types, inflected, longest, lists } as Lexicons;
  return checkLexicons(lexicons, features);
}
