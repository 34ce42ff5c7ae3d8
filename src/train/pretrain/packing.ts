/**
 * Texts put together into sequences of about the same length.
 *
 * Texts that follow each other are joined, each closed by [SEP], as long as they fit; a text that is longer than a
 * sequence goes on in the next, cut between words. An empty text ends a document: what stands on its two sides never
 * shares a sequence. No sequence is padded, since batches here hold any lengths.
 *
 * Weak: a word of more tokens than a sequence has is left out.
 *
 * @module
 */
import type { Tokenizer } from "../../tokenizer/types.ts";
import { mark } from "./marked.ts";

/** How texts are packed. */
export interface PackingOptions {
  /** Most tokens of a sequence, special ones included. */
  readonly length: number;
  /** Put texts that follow each other into one sequence; else each begins one of its own. Default true. */
  readonly join?: boolean;
}

/** Packs texts one after the other; memory for one sequence. */
export class Packer {
  readonly #tokenizer: Tokenizer;
  readonly #length: number;
  readonly #join: boolean;
  readonly #emit: (sequence: Uint32Array) => void;
  #open: number[] = [];

  /** `emit` is given each sequence of marked tokens as soon as it is whole. */
  constructor(
    tokenizer: Tokenizer,
    { length, join = true }: PackingOptions,
    emit: (sequence: Uint32Array) => void,
  ) {
    this.#tokenizer = tokenizer;
    this.#length = length;
    this.#join = join;
    this.#emit = emit;
  }

  /** Adds a text; one of nothing but space ends a document. */
  add(text: string): void {
    const { ids, words } = this.#tokenizer.encode(text);
    if (ids.length === 0) return this.end();
    // A text that fits into a sequence is not torn in two.
    const whole = ids.length + 2 <= this.#length;
    if (!this.#join || whole && this.#open.length + ids.length + 1 > this.#length) this.end();
    for (let from = 0, to = 0; from < ids.length; from = to) {
      while (to < ids.length && words[to] === words[from]) to++;
      if (to - from > this.#length - 2) continue;
      // Room is left for the [SEP] that closes.
      if (this.#open.length + (to - from) + 1 > this.#length) this.end();
      if (this.#open.length === 0) this.#open.push(mark(this.#tokenizer.cls, false));
      for (let i = from; i < to; i++) this.#open.push(mark(ids[i]!, i > from));
    }
    this.#close();
  }

  /** Emits what is begun. */
  end(): void {
    this.#close();
    // [CLS] and [SEP] alone say nothing.
    if (this.#open.length > 2) this.#emit(Uint32Array.from(this.#open));
    this.#open = [];
  }

  /** Closes a text, unless it is closed. */
  #close(): void {
    const sep = mark(this.#tokenizer.sep, false);
    if (this.#open.length > 1 && this.#open.at(-1) !== sep) this.#open.push(sep);
  }
}
