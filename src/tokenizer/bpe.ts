/**
 * Byte-pair encoding: a word's characters, merged two by two in the order in which merges were learned.
 *
 * As in Hugging Face (`models/bpe`): of all neighbours that may merge, those of the lowest rank first, of
 * equal ones the leftmost. A heap holds the candidates, so a word of n characters costs n log n, and a word
 * may be as long as a text. A candidate that is out of date is recognized when it comes up, by the token
 * that it would make, which is also the reference's test: where two different pairs make one token, a stale
 * candidate of one can merge the other, out of turn. Ids follow that.
 *
 * Weak point: no cache of words, which the reference has; its ids do not depend on it.
 *
 * @module
 */

import { show } from "../errors.ts";
import { writeUtf8 } from "./byte_level.ts";
import {
  type Fields,
  invalid,
  optionalBoolean,
  optionalString,
  readArray,
  unsupported,
} from "./fields.ts";
import type { Model, ReadModel } from "./model.ts";
import { byteTokens, describePieces, MAX_ID, type Pieces, readPieces } from "./pieces.ts";
import type { TokenList } from "./token_list.ts";
import type { Trie } from "./trie.ts";

/** What a BPE model is made of. `left`, `right` and `made` are parallel, by rank. */
export interface BpeParts {
  readonly trie: Trie;
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** Id of the token that a merge makes. */
  readonly made: Int32Array;
  /** Id of the unknown token; -1: characters that are not in the vocabulary vanish. */
  readonly unk: number;
  readonly fuseUnk: boolean;
  readonly ignoreMerges: boolean;
  /** Before each character of a word but the first; after the last. Usually both are empty. */
  readonly prefix: string;
  readonly suffix: string;
  /** Ids of the 256 byte tokens, -1 for one that is missing; undefined: no fallback to bytes. */
  readonly bytes: Int32Array | undefined;
}

/** The model of a BPE tokenizer. */
export class Bpe implements Model {
  readonly type = "BPE";
  readonly unk: number;
  private readonly parts: BpeParts;
  private readonly inner: number; // node after the prefix; -1 if no piece has it
  private readonly slots: Int32Array; // hash table of ranks + 1 by (left, right)

  // The word as a list of symbols: ids, places, neighbours. An id of -1: merged into the one before.
  private ids = new Int32Array(0);
  private starts = new Int32Array(0);
  private ends = new Int32Array(0);
  private before = new Int32Array(0);
  private after = new Int32Array(0);
  private heap = new Float64Array(0); // rank * 2^31 + symbol
  private heapSize = 0;
  private readonly utf8 = new Uint8Array(4);

  constructor(parts: BpeParts) {
    this.parts = parts;
    this.unk = parts.unk;
    this.inner = parts.trie.walk(parts.prefix);
    const { left, right } = parts;
    let capacity = 64;
    while (capacity < left.length * 2) capacity *= 2;
    this.slots = new Int32Array(capacity);
    // A pair that is listed twice has its last rank.
    for (let rank = 0; rank < left.length; rank++) {
      this.slots[this.slotOf(left[rank], right[rank])] = rank + 1;
    }
  }

  split(units: Uint16Array, from: number, to: number, word: number, out: TokenList): void {
    const { trie, ignoreMerges } = this.parts;
    if (ignoreMerges) {
      let node = 0, i = from;
      for (; i < to; i++) if ((node = trie.child(node, units[i])) === 0) break;
      if (i === to && trie.values[node] >= 0) {
        out.reserve(1);
        out.push(trie.values[node], from, to, word);
        return;
      }
    }
    const n = this.symbols(units, from, to);
    this.merge(n);
    out.reserve(n);
    for (let i = 0; i < n; i++) {
      if (this.ids[i] >= 0) out.push(this.ids[i], this.starts[i], this.ends[i], word);
    }
    if (this.ids.length > 0x10000) {
      this.heap = new Float64Array(0);
      this.ids =
        this.starts =
        this.ends =
        this.before =
        this.after =
          new Int32Array(0);
    }
  }

  /** Makes the list of the word's characters; returns how many symbols it has. */
  private symbols(units: Uint16Array, from: number, to: number): number {
    const { trie, unk, fuseUnk, suffix, bytes } = this.parts;
    this.reserve((to - from) * (bytes ? 3 : 1));
    const { ids, starts, ends, utf8 } = this;
    let n = 0, pending = -1, pendingEnd = 0;
    const add = (id: number, start: number, end: number): void => {
      ids[n] = id;
      starts[n] = start;
      ends[n++] = end;
    };
    for (let i = from; i < to;) {
      const end = (units[i] & 0xfc00) === 0xd800 ? Math.min(i + 2, to) : i + 1;
      let node = i === from ? 0 : this.inner;
      for (let k = i; k < end && node >= 0; k++) node = trie.child(node, units[k]) || -1;
      if (end === to) {
        for (let k = 0; k < suffix.length && node >= 0; k++) {
          node = trie.child(node, suffix.charCodeAt(k)) || -1;
        }
      }
      const id = node >= 0 ? trie.values[node] : -1;
      if (id >= 0) {
        if (pending >= 0) add(unk, pending, pendingEnd);
        pending = -1;
        add(id, i, end);
      } else if (bytes && this.spell(bytes, units, i, end) > 0) {
        // An unknown character before is told after, as in the reference. (Only if a byte is missing.)
        const count = writeUtf8(units, i, end, utf8);
        for (let k = 0; k < count; k++) add(bytes[utf8[k]], i, end);
      } else if (unk >= 0) {
        if (pending >= 0 && !fuseUnk) add(unk, pending, pendingEnd);
        if (pending < 0 || !fuseUnk) pending = i;
        pendingEnd = end;
      }
      i = end;
    }
    if (pending >= 0) add(unk, pending, pendingEnd);
    return n;
  }

  /** How many bytes a character has, if there is a token for each; else 0. */
  private spell(bytes: Int32Array, units: Uint16Array, from: number, to: number): number {
    const count = writeUtf8(units, from, to, this.utf8);
    for (let k = 0; k < count; k++) if (bytes[this.utf8[k]] < 0) return 0;
    return count;
  }

  private merge(n: number): void {
    const { ids, ends, before, after } = this;
    const { made } = this.parts;
    this.heapSize = 0;
    for (let i = 0; i < n; i++) {
      before[i] = i - 1;
      after[i] = i + 1 < n ? i + 1 : -1;
      if (i + 1 < n) this.offer(i, ids[i], ids[i + 1]);
    }
    while (this.heapSize > 0) {
      const top = this.pop();
      const rank = Math.floor(top / 0x80000000), at = top - rank * 0x80000000;
      const next = after[at];
      if (ids[at] < 0 || next < 0) continue;
      const current = this.rankOf(ids[at], ids[next]);
      if (current < 0 || made[current] !== made[rank]) continue; // out of date
      ids[at] = made[rank];
      ends[at] = ends[next];
      ids[next] = -1;
      const beyond = after[at] = after[next];
      if (beyond >= 0) before[beyond] = at;
      if (before[at] >= 0) this.offer(before[at], ids[before[at]], ids[at]);
      if (beyond >= 0) this.offer(at, ids[at], ids[beyond]);
    }
  }

  private offer(at: number, left: number, right: number): void {
    const rank = this.rankOf(left, right);
    if (rank < 0) return;
    const { heap } = this;
    const key = rank * 0x80000000 + at;
    let i = this.heapSize++;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent] <= key) break;
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = key;
  }

  private pop(): number {
    const { heap } = this;
    const top = heap[0], key = heap[--this.heapSize], size = this.heapSize;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= size) break;
      if (child + 1 < size && heap[child + 1] < heap[child]) child++;
      if (heap[child] >= key) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = key;
    return top;
  }

  private rankOf(left: number, right: number): number {
    return this.slots[this.slotOf(left, right)] - 1;
  }

  /** The slot of a pair, or the free one where it would be. */
  private slotOf(left: number, right: number): number {
    const { slots, parts } = this;
    const mask = slots.length - 1;
    const h = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    let slot = (h ^ (h >>> 15)) & mask;
    for (;;) {
      const rank = slots[slot] - 1;
      if (rank < 0 || (parts.left[rank] === left && parts.right[rank] === right)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  private reserve(size: number): void {
    if (size <= this.ids.length) return;
    const capacity = Math.max(64, size, this.ids.length * 2);
    this.ids = new Int32Array(capacity);
    this.starts = new Int32Array(capacity);
    this.ends = new Int32Array(capacity);
    this.before = new Int32Array(capacity);
    this.after = new Int32Array(capacity);
    this.heap = new Float64Array(3 * capacity); // each merge takes one and puts at most two
  }
}

/** Reads a `model` of BPE; `pieces` are given where they are not in it. */
export function readBpe(model: Fields, pieces: Pieces = readPieces(model)): ReadModel {
  const where = "model";
  const { trie, tokens } = pieces;
  if (model.dropout !== undefined && model.dropout !== null && model.dropout !== 0) {
    throw unsupported(`${where}.dropout`, show(model.dropout), "null");
  }
  const prefix = optionalString(model, "continuing_subword_prefix", where);
  const suffix = optionalString(model, "end_of_word_suffix", where);
  const unkToken = optionalString(model, "unk_token", where);
  const unk = unkToken === "" ? -1 : trie.get(unkToken);
  if (unkToken !== "" && unk < 0) {
    throw invalid(`${where}.unk_token`, `${show(unkToken)} is not in the vocabulary`);
  }
  const merges = readArray(model.merges, `${where}.merges`);
  if (merges.length > MAX_ID) {
    throw invalid(`${where}.merges`, `has ${merges.length} merges; the limit is ${MAX_ID}`);
  }
  const left = new Int32Array(merges.length);
  const right = new Int32Array(merges.length);
  const made = new Int32Array(merges.length);
  let joined = false; // "a b", as files had it before 0.20
  merges.forEach((merge, rank) => {
    const wrong = (what: string): Error => invalid(`${where}.merges[${rank}]`, what);
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    joined ||= typeof merge === "string";
    const [a, b]: readonly unknown[] = Array.isArray(pair) && pair.length === 2 ? pair : [];
    if (typeof a !== "string" || typeof b !== "string") {
      throw wrong(`expected two pieces, got ${show(merge)}`);
    }
    if (!b.startsWith(prefix)) throw wrong(`${show(b)} has not the prefix ${show(prefix)}`);
    const id = (piece: string): number => {
      const found = trie.get(piece);
      if (found < 0) throw wrong(`${show(piece)} is not in the vocabulary`);
      return found;
    };
    left[rank] = id(a);
    right[rank] = id(b);
    made[rank] = id(a + b.slice(prefix.length));
  });
  const byteFallback = optionalBoolean(model, "byte_fallback", where);
  const bpe = new Bpe({
    trie,
    left,
    right,
    made,
    unk,
    fuseUnk: optionalBoolean(model, "fuse_unk", where),
    ignoreMerges: optionalBoolean(model, "ignore_merges", where),
    prefix,
    suffix,
    bytes: byteFallback ? byteTokens(trie) : undefined,
  });
  const describe = (): Fields => ({
    vocab: describePieces(pieces),
    merges: Array.from(left, (id, rank) => {
      const pair = [tokens[id], tokens[right[rank]]];
      return joined ? pair.join(" ") : pair;
    }),
  });
  return { model: bpe, pieces, describe };
}
