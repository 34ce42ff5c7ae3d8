/**
 * Words of a corpus, as the tokenizer that is to be trained will see them: normalized and cut.
 *
 * They come out of that very tokenizer. Its model is one that gives every character as a token, so what it is asked
 * for each text is which characters there are, which word each belongs to, and where it stood in the text. The
 * last is what places the ends of entities inside words.
 *
 * @module
 */
import type { Span } from "../../eval/spans.ts";
import { CompiledTokenizer } from "../../tokenizer/compiled.ts";
import type { Model } from "../../tokenizer/model.ts";
import { compileNormalizer } from "../../tokenizer/normalizers.ts";
import { compilePreTokenizer } from "../../tokenizer/pretokenizers.ts";
import type { TokenList } from "../../tokenizer/token_list.ts";
import { Trie } from "../../tokenizer/trie.ts";
import type { Tokenizer } from "../../tokenizer/types.ts";
import { joinSurrogates } from "../../tokenizer/unicode.ts";

/** Longer words are one [UNK] to a tokenizer, so there is nothing to learn from them. */
export const MAX_CHARS = 100;

/** Gives each character as a token whose id is its code point. */
class Characters implements Model {
  readonly type = "WordPiece";
  readonly unk = -1;

  split(units: Uint16Array, from: number, to: number, word: number, out: TokenList): void {
    out.reserve(to - from);
    for (let at = from; at < to;) {
      const wide = (units[at]! & 0xfc00) === 0xd800;
      const end = at + (wide ? 2 : 1);
      out.push(wide ? joinSurrogates(units[at]!, units[at + 1]!) : units[at]!, at, end, word);
      at = end;
    }
  }
}

/** A tokenizer whose tokens are the characters of normalized words. */
export function characterTokenizer(normalizer: unknown, preTokenizer: unknown): Tokenizer {
  return new CompiledTokenizer({
    model: new Characters(),
    trie: new Trie(),
    tokens: [],
    added: [],
    normalizer: compileNormalizer(normalizer),
    preTokenizer: compilePreTokenizer(preTokenizer),
    special: { cls: -1, sep: -1, pad: -1, unk: -1 },
    decoder: null,
    continuing: undefined,
    separable: false,
    trims: false,
    toJSON: () => null,
  });
}

/** Where entities begin and end inside a word, in the texts that say so. */
export interface InnerEnds {
  /** Occurrences of the word in those texts. */
  seen: number;
  /** By the number of characters before it, how often an entity began or ended there. */
  readonly at: Map<number, number>;
}

/** Words and how often they occur. */
export class WordCounts {
  /** Occurrences by word. */
  readonly counts: Map<string, number> = new Map();
  /** Of the words of labelled texts. */
  readonly ends: Map<string, InnerEnds> = new Map();
  /** Texts counted. */
  texts = 0;
  readonly #characters: Tokenizer;

  /** For a tokenizer with this normalizer and pre-tokenizer, as tokenizer.json writes them. */
  constructor(normalizer: unknown, preTokenizer: unknown) {
    this.#characters = characterTokenizer(normalizer, preTokenizer);
  }

  /** Counts a text's words, each `times` times; with `entities`, also where those begin and end within words. */
  add(text: string, entities?: readonly Span[], times = 1): void {
    const { ids, starts, words } = this.#characters.encode(text), { counts } = this;
    const ends = new Set(entities?.flatMap(({ start, end }) => [start, end]));
    this.texts++;
    for (let from = 0, to = 0; from < ids.length; from = to) {
      while (to < ids.length && words[to] === words[from]) to++;
      if (to - from > MAX_CHARS) continue;
      const word = String.fromCodePoint(...ids.subarray(from, to));
      counts.set(word, (counts.get(word) ?? 0) + times);
      if (entities === undefined) continue;
      let inner = this.ends.get(word);
      if (inner === undefined) this.ends.set(word, inner = { seen: 0, at: new Map() });
      inner.seen++;
      for (let i = from + 1; i < to; i++) {
        if (!ends.has(starts[i]!)) continue;
        inner.at.set(i - from, (inner.at.get(i - from) ?? 0) + 1);
      }
    }
  }
}
