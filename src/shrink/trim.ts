/**
 * A model with fewer word pieces: its tokenizer and the rows of its word embedding.
 *
 * The rows are copied as they are stored, float32, int8 or int4, so a text whose pieces were all kept gets the
 * same numbers, bit for bit. Nothing else in the model knows an id.
 *
 * @module
 */
import type { ModelBundle } from "../model/bundle.ts";
import type { Matrix } from "../model/weights.ts";
import { trimTokenizer } from "./tokenizer.ts";

/** The rows `ids` of a matrix, in this order. */
export function selectRows(matrix: Matrix, ids: ArrayLike<number>): Matrix {
  const width = matrix.data.length / matrix.rows, rows = ids.length;
  const copy = <T extends Float32Array | Int8Array | Uint8Array>(source: T, target: T): T => {
    for (let r = 0; r < rows; r++) {
      target.set(source.subarray(ids[r]! * width, (ids[r]! + 1) * width), r * width);
    }
    return target;
  };
  if (matrix.type === "f32") {
    return { ...matrix, rows, data: copy(matrix.data, new Float32Array(rows * width)) };
  }
  const scales = Float32Array.from({ length: rows }, (_, r) => matrix.scales[ids[r]!]!);
  return matrix.type === "i8"
    ? { ...matrix, rows, data: copy(matrix.data, new Int8Array(rows * width)), scales }
    : { ...matrix, rows, data: copy(matrix.data, new Uint8Array(rows * width)), scales };
}

/**
 * The model with the pieces of these ids, and with the special and added tokens that its tokenizer cannot be
 * without. {@link choosePieces} chooses ids. Rows of the word embedding that no piece leads to are dropped.
 *
 * @throws {InputError} `input/pieces` for an id that has no piece
 */
export function trimVocabulary(bundle: ModelBundle, kept: Iterable<number>): ModelBundle {
  const { tokenizer, oldIds } = trimTokenizer(bundle.tokenizer, kept);
  const { weights } = bundle;
  return {
    ...bundle,
    tokenizer,
    weights: {
      ...weights,
      config: { ...weights.config, vocabSize: oldIds.length },
      wordEmbedding: selectRows(weights.wordEmbedding, oldIds),
    },
  };
}
