/**
 * A tokenizer: added tokens, normalization, words, pieces, in that order, for all three models.
 *
 * One object holds the compiled parts and the scratch they work in. `encode` loads the text into an
 * {@link Aligned}, cuts it at the added tokens, normalizes each stretch, cuts that into words and lets the
 * model cut the words; every step keeps each unit's place in the caller's string, and no string is made.
 *
 * Pieces of BPE and Unigram can hold white space, and a place that shows it is none of an entity's. So with
 * these, and where the pre-tokenizer writes spaces as letters,
 *
 * - a place neither begins nor ends with white space, nor with what the normalizer made a space of. (The
 *   reference does this for byte-level tokenizers only, if `trim_offsets`.)
 * - a token of white space alone has an empty place, before the next character that is not white;
 * - the space that is put before a word has an empty place, where the reference gives it the word's first
 *   character if it is a token by itself;
 * - a token of part of a character's bytes has the place of the whole character.
 *
 * Why not a library: `@huggingface/tokenizers` 0.2.0, the reference's own in JavaScript, tells no offsets,
 * applies a fixed list of replacements in place of a file's compiled normalization (so ids differ from those
 * of XLM-R), follows the engine's `\p{L}`, and is 37 kB minified.
 *
 * Weak point: the scratch makes an instance single-threaded, as everything synchronous is.
 *
 * @module
 */

import { InputError, show } from "../errors.ts";
import { AddedMatcher, type AddedToken } from "./added.ts";
import { Aligned } from "./aligned.ts";
import { Spans } from "./cuts.ts";
import { type Fields, invalid } from "./fields.ts";
import type { Model } from "./model.ts";
import type { Normalizer } from "./normalizers.ts";
import type { PreTokenizer } from "./pretokenizers.ts";
import type { Special } from "./special.ts";
import { spell } from "./spell.ts";
import { lastCut } from "./separable.ts";
import { TokenList } from "./token_list.ts";
import type { Trie } from "./trie.ts";
import type { Encoding, Tokenizer } from "./types.ts";
import { classes, SPACE } from "./unicode.ts";

/** What a tokenizer is made of; `load.ts` checks and compiles it. */
export interface Parts {
  readonly model: Model;
  readonly trie: Trie;
  /** Pieces by id, added tokens included; undefined where an id has none. */
  readonly tokens: readonly (string | undefined)[];
  readonly added: readonly AddedToken[];
  readonly normalizer: Normalizer;
  readonly preTokenizer: PreTokenizer;
  readonly special: Special;
  /** Whether tokens can have white space at their ends, which their places are to be without. */
  readonly trims: boolean;
  /** The file's `decoder`, and its model's `continuing_subword_prefix`. */
  readonly decoder: Fields | null;
  readonly continuing: string | undefined;
  /** Whether texts can be cut between words; see `separable.ts`. */
  readonly separable: boolean;
  /** Makes the content of tokenizer.json. */
  readonly toJSON: () => unknown;
}

/** Code units that are tokenized at a time: about a millisecond's. */
const PART_UNITS = 4096;

/** A tokenizer made of parts. */
export class CompiledTokenizer implements Tokenizer {
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
  private readonly cut = new Aligned(); // the stretch between added tokens that is being cut
  private third = new Aligned(); // the raw text, while it is cut at added tokens
  private spans = new Spans();
  private spareSpans = new Spans();
  private readonly out = new TokenList();
  private word = 0;

  /**
   * Takes parts that were checked.
   *
   * @throws {TokenizerError} if an added token normalizes to nothing, or to far too much.
   */
  constructor(parts: Parts) {
    this.parts = parts;
    this.vocabSize = parts.tokens.length;
    ({ cls: this.cls, sep: this.sep, pad: this.pad, unk: this.unk } = parts.special);
    this.addedIds = new Map(parts.added.map((token) => [token.content, token.id]));
    const raw = parts.added.filter((token) => !token.normalized);
    if (raw.length) this.rawMatcher = new AddedMatcher(raw, raw.map((token) => token.content));
    const normal = parts.added.filter((token) => token.normalized);
    if (normal.length) {
      const patterns = normal.map((token) => {
        this.limit(token.content);
        this.text.load(token.content);
        this.normalize();
        if (this.text.length === 0) {
          throw invalid("added_tokens", `${show(token.content)} is deleted by the normalizer`);
        }
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
      else this.stretch();
      if (this.parts.trims) trim(text, out);
      return this.collected();
    } finally {
      this.text.release();
      this.spare.release();
      this.cut.release();
      this.third.release();
      this.spans.release();
      this.spareSpans.release();
      out.release();
    }
  }

  *encoding(text: string): Generator<void, Encoding> {
    if (typeof text !== "string" || text.length <= PART_UNITS || !this.parts.separable) {
      return this.encode(text);
    }
    const parts: { from: number; encoding: Encoding }[] = [];
    for (let from = 0; from < text.length;) {
      const rest = text.length - from;
      const room = text.slice(from, from + Math.min(rest, PART_UNITS));
      // A text without a single space is one part.
      const to = rest <= PART_UNITS ? 0 : lastCut(room, room.length);
      if (to === 0 && rest > PART_UNITS) return this.encode(text);
      parts.push({ from, encoding: this.encode(to === 0 ? room : room.slice(0, to)) });
      from += to === 0 ? rest : to;
      if (from < text.length) yield;
    }
    return joined(parts);
  }

  lastCut(text: string, end: number): number {
    return this.parts.separable ? lastCut(text, end) : 0;
  }

  get continuing(): string | undefined {
    return this.parts.continuing;
  }

  spell(pieces: readonly string[]): string {
    return spell(this.parts.decoder, pieces);
  }

  idToToken(id: number): string | undefined {
    return this.parts.tokens[id];
  }

  tokenToId(token: string): number | undefined {
    const added = this.addedIds.get(token);
    if (added !== undefined) return added;
    const id = this.parts.trie.get(token);
    return id < 0 ? undefined : id;
  }

  toJSON(): unknown {
    return this.parts.toJSON();
  }

  /** Bounds what becomes of a text. */
  private limit(text: string): void {
    for (const one of [this.text, this.spare, this.third, this.cut]) one.limitTo(text.length);
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
  private collected(): Encoding {
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
    if (text.length === 0) return;
    if (!this.normalMatcher) this.words(text, 0, text.length);
    else {
      this.normalMatcher.cut(text.units, text.length, (id, from, to) => {
        if (id < 0) this.words(text, from, to);
        else this.addedToken(text, id, from, to);
      });
    }
  }

  private addedToken(text: Aligned, id: number, from: number, to: number): void {
    this.out.reserve(1);
    this.out.push(id, text.starts[from], text.ends[to - 1], this.word++);
  }

  /** Cuts normalized text into words and words into pieces. */
  private words(text: Aligned, from: number, to: number): void {
    const { out, parts: { model, trims, preTokenizer: { steps, blanks } } } = this;
    this.spans.length = 0;
    this.spans.push(from, to);
    let source = text;
    for (const step of steps) {
      const target = source === this.cut ? this.spare : this.cut;
      this.spareSpans.length = 0;
      if (step(source, this.spans, target, this.spareSpans)) source = target;
      [this.spans, this.spareSpans] = [this.spareSpans, this.spans];
    }
    const { units, starts, ends } = source;
    const { bounds, length } = this.spans;
    const first = out.length;
    for (let s = 0; s < length; s += 2) {
      const before = out.length;
      model.split(units, bounds[s], bounds[s + 1], this.word, out);
      if (out.length > before) this.word++;
    }

    // From places in the cut text to places in the caller's, without what stands for white space.
    for (let k = first; k < out.length; k++) {
      let a = out.starts[k], b = out.ends[k];
      if (trims) {
        while (a < b && blanks.has(units[a])) a++;
        while (a < b && blanks.has(units[b - 1])) b--;
      }
      out.ends[k] = ends[b - 1];
      out.starts[k] = a < b ? starts[a] : ends[b - 1];
    }
  }
}

/** The encoding of a text, from those of its parts and where these begin. */
function joined(parts: readonly { from: number; encoding: Encoding }[]): Encoding {
  const length = parts.reduce((sum, { encoding }) => sum + encoding.ids.length, 0);
  const [ids, starts, ends, words] = Array.from({ length: 4 }, () => new Int32Array(length));
  let at = 0, word = 0;
  for (const { from, encoding } of parts) {
    ids.set(encoding.ids, at);
    for (let i = 0; i < encoding.ids.length; i++) {
      starts[at + i] = encoding.starts[i] + from;
      ends[at + i] = encoding.ends[i] + from;
      words[at + i] = encoding.words[i] + word;
    }
    at += encoding.ids.length;
    if (encoding.words.length > 0) word += encoding.words[encoding.words.length - 1] + 1;
  }
  return { ids, starts, ends, words };
}

/** Takes white space off both ends of all places, and sees that they never go back. */
function trim(text: string, out: TokenList): void {
  const bmp = classes().bmp;
  const { starts, ends, length } = out;
  let start = 0, end = 0;
  for (let k = 0; k < length; k++) {
    let a = Math.max(start, starts[k]), b = Math.max(a, ends[k]);
    while (a < b && bmp[text.charCodeAt(a)] & SPACE) a++;
    while (a < b && bmp[text.charCodeAt(b - 1)] & SPACE) b--;
    // Empty: on to where the next word begins. Several such tokens look at the same blanks once.
    if (a === b) {
      a = Math.max(a, start);
      while (a < text.length && bmp[text.charCodeAt(a)] & SPACE) a++;
      b = a;
    }
    starts[k] = start = a;
    ends[k] = end = Math.max(b, end);
  }
}
