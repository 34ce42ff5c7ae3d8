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

import type { Trie } from "./trie.ts";

/** Tokens being collected: ids and, for each, the units of the normalized text that it covers. */
export class TokenList {
  ids: Int32Array = new Int32Array(256);
  starts: Int32Array = new Int32Array(256);
  ends: Int32Array = new Int32Array(256);
  words: Int32Array = new Int32Array(256);
  length = 0;

  /** Makes room for `more` tokens beyond those that are there. */
  reserve(more: number): void {
    const size = this.length + more;
    if (size <= this.ids.length) return;
    const capacity = Math.max(size, this.ids.length * 2);
    this.ids = widen(this.ids, capacity);
    this.starts = widen(this.starts, capacity);
    this.ends = widen(this.ends, capacity);
    this.words = widen(this.words, capacity);
  }

  /** Appends a token; `reserve` has made the room. */
  push(id: number, start: number, end: number, word: number): void {
    const n = this.length++;
    this.ids[n] = id;
    this.starts[n] = start;
    this.ends[n] = end;
    this.words[n] = word;
  }

  /** Gives memory back if there is much of it. */
  release(): void {
    this.length = 0;
    if (this.ids.length <= 0x8000) return;
    this.ids = new Int32Array(256);
    this.starts = new Int32Array(256);
    this.ends = new Int32Array(256);
    this.words = new Int32Array(256);
  }
}

function widen(old: Int32Array, capacity: number): Int32Array {
  const wide = new Int32Array(capacity);
  wide.set(old);
  return wide;
}

/** The model of a WordPiece tokenizer. */
export class WordPiece {
  readonly trie: Trie;
  /** Id of the unknown token. */
  readonly unk: number;
  /** Words of more code points than this are unknown. */
  readonly maxChars: number;
  private readonly inner: number; // node after the prefix of continuing pieces; -1 if no piece has it

  constructor(trie: Trie, unk: number, prefix: string, maxChars: number) {
    this.trie = trie;
    this.unk = unk;
    this.maxChars = maxChars;
    this.inner = trie.walk(prefix);
  }

  /** Appends the pieces of the word at `from` to `to`, which is not empty; `out` has room for them. */
  split(units: Uint16Array, from: number, to: number, word: number, out: TokenList): void {
    const { trie, inner } = this;
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
