/**
 * Unigram: of all ways to cut a word into pieces, the one whose scores (logarithms of probabilities) add up
 * to the most.
 *
 * Viterbi from left to right over the word's characters, as Hugging Face's `encode_optimized`, additions in
 * the same order, so that doubles and therefore ties are equal: of equal ways the first found stays, shorter
 * pieces being found first. Where no piece is the single character at a place, the unknown token may stand
 * there, ten below the lowest score. Neighbouring unknowns are one token; with `byte_fallback` they are
 * spelt in byte tokens instead, each with the place of its own character (the reference gives all of them
 * the place of the whole run).
 *
 * Weak point: a word costs its length times the longest piece's; pieces are at most some tens of units.
 *
 * @module
 */

import { show } from "../errors.ts";
import { writeUtf8 } from "./byte_level.ts";
import {
  type Fields,
  invalid,
  isWellFormed,
  optionalBoolean,
  readArray,
  readInteger,
} from "./fields.ts";
import type { Model, ReadModel } from "./model.ts";
import { byteTokens, MAX_ID } from "./pieces.ts";
import type { TokenList } from "./token_list.ts";
import { Trie } from "./trie.ts";

/** How much less likely than the least likely piece an unknown character is (SentencePiece). */
const UNK_PENALTY = 10;

/** The model of a Unigram tokenizer. */
export class Unigram implements Model {
  readonly type = "Unigram";
  readonly unk: number;
  private readonly trie: Trie;
  private readonly scores: Float64Array;
  private readonly unkScore: number;
  private readonly bytes: Int32Array | undefined;

  // For each place in the word: the best score of a way that ends there, its last piece and where that began.
  private best = new Float64Array(0);
  private ids = new Int32Array(0);
  private origins = new Int32Array(0);
  private readonly utf8 = new Uint8Array(4);

  /** `bytes` as in {@link BpeParts}. */
  constructor(trie: Trie, scores: Float64Array, unk: number, bytes: Int32Array | undefined) {
    this.trie = trie;
    this.scores = scores;
    this.unk = unk;
    this.bytes = bytes;
    let lowest = Infinity;
    for (const score of scores) if (score < lowest) lowest = score;
    this.unkScore = lowest - UNK_PENALTY;
  }

  split(units: Uint16Array, from: number, to: number, word: number, out: TokenList): void {
    const { trie, scores, unk, unkScore } = this;
    const values = trie.values;
    const size = to - from;
    this.reserve(size + 1);
    const { best, ids, origins } = this;
    origins.fill(-1, 0, size + 1);
    best[0] = 0;
    for (let at = 0; at < size;) {
      const sum = best[at];
      const width = (units[from + at] & 0xfc00) === 0xd800 && at + 1 < size ? 2 : 1;
      let alone = false;
      for (let i = at, node = 0; i < size;) {
        node = trie.child(node, units[from + i]);
        if (node === 0) break;
        i++;
        const id = values[node];
        if (id < 0) continue;
        const score = scores[id] + sum;
        if (origins[i] < 0 || score > best[i]) {
          best[i] = score;
          origins[i] = at;
          ids[i] = id;
        }
        if (i - at === width) alone = true;
      }
      if (!alone) {
        const i = at + width, score = unkScore + sum;
        if (origins[i] < 0 || score > best[i]) {
          best[i] = score;
          origins[i] = at;
          ids[i] = unk;
        }
      }
      at += width;
    }
    this.emit(units, from, size, word, out);
    if (best.length > 0x10000) {
      this.best = new Float64Array(0);
      this.ids = this.origins = new Int32Array(0);
    }
  }

  /** Follows the best way back, turns it round, and joins unknown neighbours. */
  private emit(units: Uint16Array, from: number, size: number, word: number, out: TokenList): void {
    const { ids, origins, unk } = this;
    // Links are turned in place: from here on `origins[i]` is where the piece that begins at i ends.
    let id = ids[size];
    for (let at = size, end = -1; at >= 0;) {
      const origin = at === 0 ? -1 : origins[at];
      origins[at] = end;
      const own = id;
      if (origin >= 0) id = ids[origin];
      if (origin >= 0) ids[origin] = own;
      end = at;
      at = origin;
    }
    out.reserve(size * (this.bytes ? 3 : 1));
    for (let at = 0; at < size;) {
      let end = origins[at];
      if (ids[at] === unk) {
        while (end < size && ids[end] === unk) end = origins[end];
        this.unknown(units, from + at, from + end, word, out);
      } else out.push(ids[at], from + at, from + end, word);
      at = end;
    }
  }

  private unknown(
    units: Uint16Array,
    from: number,
    to: number,
    word: number,
    out: TokenList,
  ): void {
    const { trie, bytes, utf8 } = this;
    // The reference looks the run up by its text, so it could turn out to be a piece after all.
    let node = 0, i = from;
    for (; i < to; i++) if ((node = trie.child(node, units[i])) === 0) break;
    if (i === to && trie.values[node] >= 0) {
      out.push(trie.values[node], from, to, word);
      return;
    }
    if (bytes) {
      const before = out.length;
      for (i = from; i < to;) {
        const end = (units[i] & 0xfc00) === 0xd800 ? Math.min(i + 2, to) : i + 1;
        const count = writeUtf8(units, i, end, utf8);
        let k = 0;
        for (; k < count && bytes[utf8[k]] >= 0; k++) out.push(bytes[utf8[k]], i, end, word);
        if (k < count) break;
        i = end;
      }
      if (i === to) return;
      out.length = before;
    }
    out.push(this.unk, from, to, word);
  }

  private reserve(size: number): void {
    if (size <= this.best.length) return;
    const capacity = Math.max(64, size, this.best.length * 2);
    this.best = new Float64Array(capacity);
    this.ids = new Int32Array(capacity);
    this.origins = new Int32Array(capacity);
  }
}

/** Reads a `model` of Unigram. */
export function readUnigram(model: Fields): ReadModel {
  const where = "model.vocab";
  const vocab = readArray(model.vocab, where);
  if (vocab.length > MAX_ID + 1) {
    throw invalid(where, `has ${vocab.length} pieces; the limit is ${MAX_ID + 1}`);
  }
  const trie = new Trie(vocab.length);
  const scores = new Float64Array(vocab.length);
  // No name of a place is made but for an error: there may be a quarter of a million.
  const tokens = vocab.map((entry, id): string | undefined => {
    const [piece, score]: readonly unknown[] = Array.isArray(entry) ? entry : [];
    if (typeof piece !== "string" || typeof score !== "number" || !Number.isFinite(score)) {
      throw invalid(`${where}[${id}]`, "expected a piece and its score");
    }
    if (!isWellFormed(piece)) {
      throw invalid(`${where}[${id}]`, `${show(piece)} has a lone surrogate`);
    }
    // Of equal pieces the last counts.
    if (piece !== "") trie.set(piece, id);
    scores[id] = score;
    return piece;
  });
  // It may be null for the reference, which then fails at the first character that it cannot spell.
  const unk = readInteger(model.unk_id, "model.unk_id", vocab.length - 1);
  const bytes = optionalBoolean(model, "byte_fallback", "model") ? byteTokens(trie) : undefined;
  return {
    model: new Unigram(trie, scores, unk, bytes),
    pieces: { trie, tokens, size: tokens.length },
    describe: () => ({ vocab: Array.from(scores, (score, id) => [tokens[id], score]) }),
  };
}
