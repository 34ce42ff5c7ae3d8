/**
 * The tokenizer: added tokens, normalization, words, pieces, in that order.
 *
 * One object holds the compiled parts and the scratch they work in. `encode` loads the text into an
 * {@link Aligned}, cuts it at the added tokens, normalizes each stretch, cuts that into words by a table and
 * words into pieces by a trie; every loop runs over code units and makes no string. Tables of the two hot
 * loops are taken into locals since the engines do not lift them out.
 *
 * Weak point: the scratch makes an instance single-threaded, as everything synchronous is.
 *
 * @module
 */

import { InputError } from "../errors.ts";
import { AddedMatcher, type AddedToken } from "./added.ts";
import { Aligned } from "./aligned.ts";
import type { Normalizer } from "./normalizers.ts";
import { ALONE, DROPPED, type PreTokenizer } from "./pretokenizers.ts";
import type { Encoding, Tokenizer } from "./types.ts";
import { classes, flagsAbove, joinSurrogates, SURROGATE } from "./unicode.ts";
import { TokenList, type WordPiece } from "./wordpiece.ts";

/** What a tokenizer is made of; `load.ts` checks and compiles it. */
export interface Parts {
  readonly model: WordPiece;
  /** Pieces by id, added tokens included; undefined where an id has none. */
  readonly tokens: readonly (string | undefined)[];
  readonly added: readonly AddedToken[];
  readonly normalizer: Normalizer;
  readonly preTokenizer: PreTokenizer;
  readonly special: { readonly cls: number; readonly sep: number; readonly pad: number };
  /** Makes the content of tokenizer.json. */
  readonly describe: () => unknown;
}

/** A WordPiece tokenizer of the BERT family. */
export class BertTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly cls: number;
  readonly sep: number;
  readonly pad: number;
  readonly unk: number;

  private readonly parts: Parts;
  private readonly addedIds: ReadonlyMap<string, number>;
  private readonly rawMatcher: AddedMatcher | undefined;
  private readonly normalMatcher: AddedMatcher | undefined;

  private text = new Aligned();
  private spare = new Aligned();
  private third = new Aligned(); // the raw text, while it is cut at added tokens
  private readonly out = new TokenList();
  private word = 0;

  /**
   * Takes parts that were checked.
   *
   * @throws {TokenizerError} if an added token normalizes to nothing, or to far too much.
   */
  constructor(parts: Parts, invalid: (token: AddedToken) => Error) {
    this.parts = parts;
    this.vocabSize = parts.tokens.length;
    ({ cls: this.cls, sep: this.sep, pad: this.pad } = parts.special);
    this.unk = parts.model.unk;
    this.addedIds = new Map(parts.added.map((token) => [token.content, token.id]));
    const raw = parts.added.filter((token) => !token.normalized);
    if (raw.length) this.rawMatcher = new AddedMatcher(raw, raw.map((token) => token.content));
    const normal = parts.added.filter((token) => token.normalized);
    if (normal.length) {
      const patterns = normal.map((token) => {
        this.limit(token.content);
        this.text.load(token.content);
        this.normalize();
        if (this.text.length === 0) throw invalid(token);
        return this.text.text();
      });
      this.normalMatcher = new AddedMatcher(normal, patterns);
    }
  }

  encode(text: string): Encoding {
    if (typeof text !== "string") {
      throw new InputError("input/type", `encode: expected a string, got ${typeof text}`);
    }
    const out = this.out;
    out.length = 0;
    this.word = 0;
    this.limit(text);
    try {
      this.text.load(text);
      if (this.rawMatcher?.occursIn(this.text)) this.stretches(this.rawMatcher);
      else if (text !== "") this.stretch();
      return this.encoding();
    } finally {
      this.text.release();
      this.spare.release();
      this.third.release();
      out.release();
    }
  }

  idToToken(id: number): string | undefined {
    return this.parts.tokens[id];
  }

  tokenToId(token: string): number | undefined {
    const added = this.addedIds.get(token);
    if (added !== undefined) return added;
    const id = this.parts.model.trie.get(token);
    return id < 0 ? undefined : id;
  }

  toJSON(): unknown {
    return this.parts.describe();
  }

  /** Bounds what becomes of a text; the three change places. */
  private limit(text: string): void {
    for (const one of [this.text, this.spare, this.third]) one.limitTo(text.length);
  }

  /** Cuts `this.text` at the raw added tokens, tokenizes what lies between. */
  private stretches(matcher: AddedMatcher): void {
    const whole = this.text;
    this.text = this.third;
    this.third = whole;
    matcher.cut(whole.units, whole.length, (id, from, to) => {
      if (id < 0) {
        this.text.length = 0;
        this.text.append(whole, from, to);
        this.stretch();
      } else this.addedToken(whole, id, from, to);
    });
  }

  /** The tokens collected. One allocation for the four arrays: for a short text they would cost the most. */
  private encoding(): Encoding {
    const { length, ids, starts, ends, words } = this.out;
    const all = new Int32Array(4 * length);
    for (let i = 0; i < length; i++) {
      all[i] = ids[i];
      all[length + i] = starts[i];
      all[2 * length + i] = ends[i];
      all[3 * length + i] = words[i];
    }
    return {
      ids: new Int32Array(all.buffer, 0, length),
      starts: new Int32Array(all.buffer, 4 * length, length),
      ends: new Int32Array(all.buffer, 8 * length, length),
      words: new Int32Array(all.buffer, 12 * length, length),
    };
  }

  /** Runs the normalizer over `this.text`. */
  private normalize(): void {
    for (const step of this.parts.normalizer.steps) {
      if (step(this.text, this.spare)) [this.text, this.spare] = [this.spare, this.text];
    }
  }

  /** Tokenizes `this.text`, which holds no raw added token. */
  private stretch(): void {
    this.normalize();
    const text = this.text;
    if (!this.normalMatcher) this.words(0, text.length);
    else {
      this.normalMatcher.cut(text.units, text.length, (id, from, to) => {
        if (id < 0) this.words(from, to);
        else this.addedToken(text, id, from, to);
      });
    }
  }

  private addedToken(text: Aligned, id: number, from: number, to: number): void {
    this.out.reserve(1);
    this.out.push(id, text.starts[from], text.ends[to - 1], this.word++);
  }

  /** Cuts normalized text into words and words into pieces. */
  private words(from: number, to: number): void {
    const { units, starts, ends } = this.text;
    const { out, parts: { model, preTokenizer: { kinds } } } = this;
    const table = classes();
    const bmp = table.bmp;
    const first = out.length;
    out.reserve(to - from);

    let begin = from; // of the run that is open
    let kind: number = DROPPED; // of that run; DROPPED: none is open
    for (let i = from; i < to;) {
      let flags = bmp[units[i]];
      let width = 1;
      if (flags & SURROGATE) {
        flags = flagsAbove(table, joinSurrogates(units[i], units[i + 1]));
        width = 2;
      }
      const here = kinds[flags & 7];
      if (here !== kind || here === ALONE) {
        if (kind !== DROPPED) model.split(units, begin, i, this.word++, out);
        begin = i;
        kind = here;
      }
      i += width;
    }
    if (kind !== DROPPED) model.split(units, begin, to, this.word++, out);

    // From places in the normalized text to places in the caller's.
    for (let k = first; k < out.length; k++) {
      out.starts[k] = starts[out.starts[k]];
      out.ends[k] = ends[out.ends[k] - 1];
    }
  }
}
