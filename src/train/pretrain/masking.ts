/**
 * Which words of a sequence are hidden, and by what: whole-word masking, drawn anew each time that a sequence comes.
 *
 * Words are taken in random order until 15 % of the tokens are hidden; a word that would be too much is passed over.
 * Of the hidden tokens 80 % become [MASK], 10 % another piece and 10 % stay (Devlin et al., arXiv 1810.04805).
 * Words that hold [UNK] are never hidden: there is nothing to find out.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import type { Tokenizer } from "../../tokenizer/types.ts";
import type { Random } from "../random.ts";
import { idOf, insideWord } from "./marked.ts";

/** A sequence as the model sees it, and what was there. */
export interface Masked {
  /** With masks. */
  readonly ids: Int32Array;
  /** Which tokens were hidden, ascending. */
  readonly tokens: Int32Array;
  /** Their ids before. */
  readonly pieces: Int32Array;
}

/** Most tokens that are hidden of a sequence of `length` tokens; one at least. */
export function maskedOf(length: number, share: number): number {
  return Math.max(1, Math.round(share * length));
}

/** Hides words of sequences. */
export class Masking {
  readonly #share: number;
  readonly #mask: number;
  readonly #vocabSize: number;
  readonly #special: ReadonlySet<number>;
  readonly #unk: number;

  /** Throws {@link InputError} `input/tokenizer` for a tokenizer that has no piece to hide words behind. */
  constructor(tokenizer: Tokenizer, share: number) {
    const mask = tokenizer.tokenToId("[MASK]") ?? tokenizer.tokenToId("<mask>");
    if (mask === undefined) {
      throw new InputError(
        "input/tokenizer",
        "the tokenizer has neither [MASK] nor <mask>, behind which words are hidden; make a vocabulary " +
          "with one, for instance by the command vocab.",
      );
    }
    const { cls, sep, pad, unk, vocabSize } = tokenizer;
    this.#share = share;
    this.#mask = mask;
    this.#vocabSize = vocabSize;
    this.#unk = unk;
    this.#special = new Set([cls, sep, pad, unk, mask]);
  }

  /** Hides words of a sequence of marked tokens. */
  mask(sequence: Uint32Array, random: Random): Masked {
    const ids = Int32Array.from(sequence, idOf), words = this.#words(sequence, ids);
    const hidden: number[] = [], most = maskedOf(sequence.length, this.#share);
    for (const w of random.permutation(words.length)) {
      const [from, to] = words[w]!;
      if (hidden.length + to - from > most) continue;
      for (let t = from; t < to; t++) hidden.push(t);
      if (hidden.length === most) break;
    }
    // Where every word is too long by itself, the beginning of one is hidden.
    if (hidden.length === 0 && words.length > 0) {
      for (let t = words[0]![0]; hidden.length < most; t++) hidden.push(t);
    }
    const tokens = Int32Array.from(hidden).sort(), pieces = tokens.map((t) => ids[t]!);
    for (const t of tokens) {
      const chance = random.uniform();
      if (chance < 0.8) ids[t] = this.#mask;
      else if (chance < 0.9) ids[t] = this.#piece(random);
    }
    return { ids, tokens, pieces };
  }

  /** Whether a piece is one that stands for no text. */
  isSpecial(id: number): boolean {
    return this.#special.has(id);
  }

  /** Words that may be hidden, each from a token to the one behind it. */
  #words(sequence: Uint32Array, ids: Int32Array): [number, number][] {
    const words: [number, number][] = [];
    for (let from = 0, to = 0; from < ids.length; from = to) {
      for (to = from + 1; to < ids.length && insideWord(sequence[to]!);) to++;
      const own = ids.subarray(from, to);
      if (this.#special.has(own[0]!) || own.includes(this.#unk)) continue;
      words.push([from, to]);
    }
    return words;
  }

  /** Any piece but a special one. */
  #piece(random: Random): number {
    for (let tries = 0; tries < 100; tries++) {
      const id = random.below(this.#vocabSize);
      if (!this.#special.has(id)) return id;
    }
    return this.#mask; // a vocabulary of hardly anything else
  }
}
