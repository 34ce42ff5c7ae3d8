/**
 * Tokens being collected, in arrays that are kept from text to text.
 *
 * @module
 */

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
