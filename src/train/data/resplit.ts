/**
 * Words cut into other pieces than the tokenizer's: sub-word dropout (the idea of BPE-dropout, Provilkov et al., ACL 2020,
 * for WordPiece).
 *
 * WordPiece takes the longest piece that fits, so that a word has one spelling, and a name that was not in the training
 * data has pieces that were never seen side by side. Here, in some words, each longest piece is passed over now and then
 * for a shorter one. Only words whose pieces read as the text does are cut anew, since places are counted in their
 * characters.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import type { Encoding, Tokenizer } from "../../tokenizer/types.ts";
import type { Random } from "../random.ts";

/** How often a piece that fits is passed over. */
const PASSED = 0.35;

/** Shortest word that is cut anew, in UTF-16 code units. */
const SHORTEST = 3;

/** A piece with its place in its word. */
interface Piece {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}

/** Cuts words of one tokenizer's. */
export class Resplitter {
  readonly #tokenizer: Tokenizer;
  readonly #prefix: string;

  /** Throws {@link InputError} `input/option` for a tokenizer other than WordPiece. */
  constructor(tokenizer: Tokenizer) {
    const { model } = tokenizer.toJSON() as {
      model: { type: string; continuing_subword_prefix: string };
    };
    if (model.type !== "WordPiece") {
      throw new InputError(
        "input/option",
        `resplitting is for WordPiece, and this model's tokenizer is ${model.type}; leave it out.`,
      );
    }
    this.#tokenizer = tokenizer;
    this.#prefix = model.continuing_subword_prefix;
  }

  /** Tokens of a text, of whose words about a `share` is cut anew. */
  encode(text: string, share: number, random: Random): Encoding {
    const plain = this.#tokenizer.encode(text), { ids, starts, ends, words } = plain;
    const pieces: Piece[] = [], word: number[] = [];
    for (let first = 0, end = 0; first < ids.length; first = end) {
      while (end < ids.length && words[end] === words[first]) end++;
      const at = starts[first]!, spelt = this.#spelling(ids.subarray(first, end));
      const cut = spelt?.length === ends[end - 1]! - at && spelt.length >= SHORTEST &&
          random.uniform() < share
        ? this.#cut(spelt, random)
        : undefined;
      if (cut) {
        for (const { id, start, end } of cut) {
          pieces.push({ id, start: at + start, end: at + end });
        }
      } else {
        for (let t = first; t < end; t++) {
          pieces.push({ id: ids[t]!, start: starts[t]!, end: ends[t]! });
        }
      }
      while (word.length < pieces.length) word.push(words[first]!);
    }
    return {
      ids: Int32Array.from(pieces, ({ id }) => id),
      starts: Int32Array.from(pieces, ({ start }) => start),
      ends: Int32Array.from(pieces, ({ end }) => end),
      words: Int32Array.from(word),
    };
  }

  /** What the pieces of a word spell; undefined where the vocabulary does not. */
  #spelling(ids: Int32Array): string | undefined {
    const { unk } = this.#tokenizer;
    if (ids.includes(unk)) return undefined;
    return Array.from(ids, (id, i) => {
      const piece = this.#tokenizer.idToToken(id)!;
      return i === 0 ? piece : piece.slice(this.#prefix.length);
    }).join("");
  }

  /** Other pieces of a word; undefined where passing over has led to what no piece begins. */
  #cut(word: string, random: Random): Piece[] | undefined {
    // Ends of code points: a piece never ends between two surrogates.
    const places = [0];
    for (const character of word) places.push(places.at(-1)! + character.length);
    const pieces: Piece[] = [];
    for (let from = 0; from < places.length - 1;) {
      const before = from, start = places[from]!;
      for (let to = places.length - 1; to > from; to--) {
        const piece = (from > 0 ? this.#prefix : "") + word.slice(start, places[to]);
        const id = this.#tokenizer.tokenToId(piece);
        if (id === undefined || to > from + 1 && random.uniform() < PASSED) continue;
        pieces.push({ id, start, end: places[to]! });
        from = to;
        break;
      }
      if (from === before) return undefined;
    }
    return pieces;
  }
}
