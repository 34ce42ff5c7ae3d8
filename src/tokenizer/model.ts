/**
 * What WordPiece, BPE and Unigram are to the rest: something that cuts a word into tokens.
 *
 * A model has a file of its own, which reads the `model` of a tokenizer.json, splits words, and writes the
 * model back. All that comes before and after is the same for the three: `compiled.ts`.
 *
 * @module
 */

import type { Fields } from "./fields.ts";
import type { Pieces } from "./pieces.ts";
import type { TokenList } from "./token_list.ts";

/** Cuts words into tokens. */
export interface Model {
  /** The `type` of a tokenizer.json. */
  readonly type: "WordPiece" | "BPE" | "Unigram";
  /** Id of the unknown token; -1: the model has none. */
  readonly unk: number;
  /** Appends the tokens of the word from `from` to `to`, which is not empty; their places are of `units`. */
  split(units: Uint16Array, from: number, to: number, word: number, out: TokenList): void;
}

/** What was read of a `model`. */
export interface ReadModel {
  readonly model: Model;
  readonly pieces: Pieces;
  /** Makes the fields of `model` that are large: what `toJSON` does not keep a copy of. */
  readonly describe: () => Fields;
}
