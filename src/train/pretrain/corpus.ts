/**
 * Sequences to pretrain on: how many there are, how long each is, and one after the other on demand.
 *
 * A loop asks for them in an order of its own, so that every order is a real shuffle of all and a run that goes on
 * finds its place at once. Where they lie is the caller's: in memory, as here, or in a file of which a few bytes a
 * sequence are kept. What tells two corpora apart is a hash of every token.
 *
 * @module
 */

/** Packed sequences of marked tokens. */
export interface Corpus {
  /** Tokens of each sequence, special ones included. */
  readonly lengths: Uint16Array;
  /** Tells corpora apart. */
  readonly fingerprint: string;
  /** The marked tokens of a sequence. */
  read(sequence: number): Uint32Array;
}

/** FNV-1a over marked tokens, 32 bits: by accident two corpora differ in it, not by design. */
export class CorpusHash {
  #hash = 0x811c9dc5;
  #sequences = 0;
  #tokens = 0;

  /** Adds the next sequence. */
  add(sequence: Uint32Array): void {
    for (const token of sequence) this.#hash = Math.imul(this.#hash ^ token, 0x01000193);
    // What no token is: where a sequence ends counts, too.
    this.#hash = Math.imul(this.#hash ^ 0xffffffff, 0x01000193);
    this.#sequences++;
    this.#tokens += sequence.length;
  }

  /** Sizes and the hash, for messages and comparison. */
  get fingerprint(): string {
    return `${this.#sequences} sequences, ${this.#tokens} tokens, ${
      (this.#hash >>> 0).toString(16)
    }`;
  }
}

/** A corpus in memory. */
export class MemoryCorpus implements Corpus {
  readonly lengths: Uint16Array;
  readonly fingerprint: string;
  readonly #sequences: readonly Uint32Array[];

  /** `sequences` as a `Packer` emits them. */
  constructor(sequences: readonly Uint32Array[]) {
    const hash = new CorpusHash();
    for (const sequence of sequences) hash.add(sequence);
    this.#sequences = sequences;
    this.lengths = Uint16Array.from(sequences, ({ length }) => length);
    this.fingerprint = hash.fingerprint;
  }

  read(sequence: number): Uint32Array {
    return this.#sequences[sequence]!;
  }
}
