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

import { writeUtf8 } from "./charsmap.ts";
import type { Trie } from "./trie.ts";
import type { TokenList } from "./wordpiece.ts";

/** Cuts a word, which is not empty, into tokens whose places are units of the text. */
export interface SubwordModel {
  split(units: Uint16Array, from: number, to: number, word: number, out: TokenList): void;
}

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
export class Bpe implements SubwordModel {
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
