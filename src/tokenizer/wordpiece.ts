/**
 * WordPiece: a word into the longest pieces the vocabulary has, left to right (Schuster & Nakajima, 2012;
 * the greedy form of BERT, Devlin et al., 2019).
 *
 * The vocabulary is one {@link Trie} over whole pieces, `##` included. A word is matched from the root; what
 * continues it is matched from the node that `##` leads to. That is the reference's lookup of
 * `"##" + rest`, without building the string. A word that cannot be spelled to its end, or has more than
 * `maxChars` code points, is one unknown token.
 *
 * Weak point: greedy matching costs (length of word) x (length of the longest piece) at worst. With the
 * usual limit of 100 code points a word that is a constant.
 *
 * @module
 */

import { show } from "../errors.ts";
import { type Fields, invalid, readInteger, readString } from "./fields.ts";
import type { Model, ReadModel } from "./model.ts";
import { describePieces, type Pieces, readPieces } from "./pieces.ts";
import type { TokenList } from "./token_list.ts";
import type { Trie } from "./trie.ts";

/** The model of a WordPiece tokenizer. */
export class WordPiece implements Model {
  readonly type = "WordPiece";
  readonly unk: number;
  /** Words of more code points than this are unknown. */
  readonly maxChars: number;
  private readonly trie: Trie;
  private readonly inner: number; // node after the prefix of continuing pieces; -1 if no piece has it

  constructor(trie: Trie, unk: number, prefix: string, maxChars: number) {
    this.trie = trie;
    this.unk = unk;
    this.maxChars = maxChars;
    this.inner = trie.walk(prefix);
  }

  split(units: Uint16Array, from: number, to: number, word: number, out: TokenList): void {
    const { trie, inner } = this;
    out.reserve(to - from);
    const before = out.length;
    let at = from;
    // Code points are at most as many as units, so most words need no counting.
    if (to - from > this.maxChars && countCodePoints(units, from, to) > this.maxChars) at = to + 1;
    while (at < to) {
      const node = at === from ? 0 : inner;
      const id = node < 0 ? -1 : trie.longest(units, at, to, node);
      if (id < 0) break;
      out.push(id, at, trie.end, word);
      at = trie.end;
    }
    if (at === to) return;
    out.length = before;
    out.push(this.unk, from, to, word);
  }
}

function countCodePoints(units: Uint16Array, from: number, to: number): number {
  let n = to - from;
  for (let i = from; i < to; i++) if ((units[i] & 0xfc00) === 0xd800) n--;
  return n;
}

/** Reads a `model` of WordPiece; `pieces` are given where they are not in it. */
export function readWordPiece(model: Fields, pieces: Pieces = readPieces(model)): ReadModel {
  const unkToken = readString(model, "unk_token", "model");
  const prefix = readString(model, "continuing_subword_prefix", "model");
  const maxChars = readInteger(
    model.max_input_chars_per_word,
    "model.max_input_chars_per_word",
    Number.MAX_SAFE_INTEGER,
  );
  const unk = pieces.trie.get(unkToken);
  if (unk < 0) throw invalid("model.unk_token", `${show(unkToken)} is not in the vocabulary`);
  return {
    model: new WordPiece(pieces.trie, unk, prefix, maxChars),
    pieces,
    describe: () => ({ vocab: describePieces(pieces) }),
  };
}
