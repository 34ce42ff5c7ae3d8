/**
 * Added tokens: strings that are tokens wherever they stand in a text, `[SEP]` and its like.
 *
 * They are matched before anything else is done: those with `normalized` false in the raw text, the others
 * in the normalized text, against their own content normalized. The leftmost match wins, and of those the
 * longest. `single_word` rejects a match beside a word character; `lstrip` and `rstrip` make the token take
 * the white space beside it. All this is Hugging Face's `AddedVocabulary`, to the letter: a rejected match
 * still hides those that overlap it.
 *
 * Text of users can hold `[SEP]`, and then the model sees a real separator, as it does in the reference.
 *
 * Weak point: a match is tried at each place where one could begin, so a text of nothing but prefixes of a
 * long added token costs its length times the token's.
 *
 * @module
 */

import { show } from "../errors.ts";
import type { Aligned } from "./aligned.ts";
import {
  type Fields,
  invalid,
  readArray,
  readBoolean,
  readInteger,
  readObject,
  readString,
} from "./fields.ts";
import { MAX_ID, type Pieces } from "./pieces.ts";
import { Trie } from "./trie.ts";
import { classes, flagsOf, joinSurrogates, SPACE, WORD } from "./unicode.ts";

/** An added token as tokenizer.json has it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

function readAddedToken(value: unknown, where: string): AddedToken {
  const fields: Fields = readObject(value, where);
  const token: AddedToken = {
    id: readInteger(fields.id, `${where}.id`, MAX_ID),
    content: readString(fields, "content", where),
    single_word: readBoolean(fields, "single_word", where),
    lstrip: readBoolean(fields, "lstrip", where),
    rstrip: readBoolean(fields, "rstrip", where),
    normalized: readBoolean(fields, "normalized", where),
    special: readBoolean(fields, "special", where),
  };
  if (token.content === "") throw invalid(`${where}.content`, "is empty");
  return token;
}

/** Reads `added_tokens`, gives them their places among the pieces, and checks that the reference would agree. */
export function readAdded(value: unknown, { trie, tokens, size }: Pieces): AddedToken[] {
  const added: AddedToken[] = [];
  if (value === undefined || value === null) return added;
  const contents = new Set<string>();
  let next = size;
  readArray(value, "added_tokens").forEach((element, i) => {
    const where = `added_tokens[${i}]`;
    const token = readAddedToken(element, where);
    if (contents.has(token.content)) throw invalid(where, `${show(token.content)} is there twice`);
    contents.add(token.content);
    // The reference does not take the file's id: a piece of the vocabulary keeps its own, others are
    // numbered on from the vocabulary's size. Where that differs from the file, one of them is wrong.
    const known = trie.get(token.content);
    const expected = known >= 0 ? known : next++;
    if (token.id !== expected) {
      throw invalid(`${where}.id`, `${show(token.content)} has ${token.id}, expected ${expected}`);
    }
    if (known < 0 && tokens[token.id] !== undefined) {
      const other = show(tokens[token.id]);
      throw invalid(`${where}.id`, `${show(token.content)} and ${other} both have ${token.id}`);
    }
    while (tokens.length < token.id) tokens.push(undefined);
    tokens[token.id] = token.content;
    added.push(token);
  });
  return added;
}

/** A special token as `add_special_tokens` makes it from a string. */
export function specialToken(id: number, content: string): AddedToken {
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return { id, content, ...flags, special: true };
}

/** Takes a stretch of the text: a token, or what lies between tokens (`id` -1, never empty). */
export type Emit = (id: number, from: number, to: number) => void;

/** Finds a set of strings in code units. */
export class AddedMatcher {
  private readonly trie: Trie;
  private readonly tokens: readonly AddedToken[];
  private readonly begins = new Uint8Array(0x2000); // bit set of the units that a pattern begins with

  /** `patterns` are what to look for, one for each of `tokens`. */
  constructor(tokens: readonly AddedToken[], patterns: readonly string[]) {
    this.tokens = tokens;
    this.trie = new Trie(tokens.length);
    for (let i = 0; i < patterns.length; i++) {
      // Two tokens can normalize to one pattern: the first stays. (The reference takes either, by chance.)
      if (this.trie.get(patterns[i]) < 0) this.trie.set(patterns[i], i);
      const unit = patterns[i].charCodeAt(0);
      this.begins[unit >> 3] |= 1 << (unit & 7);
    }
  }

  /** Whether any pattern begins anywhere with one of these units: mostly not, and then all is quick. */
  occursIn(text: Aligned): boolean {
    const { begins } = this;
    const { units, length } = text;
    for (let i = 0; i < length; i++) if (begins[units[i] >> 3] & (1 << (units[i] & 7))) return true;
    return false;
  }

  /** Cuts `length` units at the tokens found and emits all stretches in order. */
  cut(units: Uint16Array, length: number, emit: Emit): void {
    const { trie, begins } = this;
    let done = 0; // what lies before has been emitted
    let at = 0;
    while (at < length) {
      const unit = units[at];
      if (!(begins[unit >> 3] & (1 << (unit & 7)))) {
        at++;
        continue;
      }
      const index = trie.longest(units, at, length, 0);
      if (index < 0) {
        at++;
        continue;
      }
      const end = trie.end;
      let start = at, stop = end;
      at = end; // the search goes on here, whatever becomes of the match
      const token = this.tokens[index];
      if (token.single_word && (wordBefore(units, start) || wordAfter(units, stop, length))) {
        continue;
      }
      const space = classes().bmp;
      if (token.lstrip) { while (start > done && space[units[start - 1]] & SPACE) start--; }
      if (token.rstrip) {
        // What an earlier match took is white space to its end: looking again would be quadratic.
        stop = Math.max(stop, done);
        while (stop < length && space[units[stop]] & SPACE) stop++;
      }
      if (done < start) emit(-1, done, start);
      emit(token.id, start, stop);
      done = stop;
    }
    if (done < length) emit(-1, done, length);
  }
}

function wordBefore(units: Uint16Array, at: number): boolean {
  if (at === 0) return false;
  const unit = units[at - 1];
  const wide = (unit & 0xfc00) === 0xdc00;
  return (flagsOf(classes(), wide ? joinSurrogates(units[at - 2], unit) : unit) & WORD) !== 0;
}

function wordAfter(units: Uint16Array, at: number, length: number): boolean {
  if (at === length) return false;
  const unit = units[at];
  const wide = (unit & 0xfc00) === 0xd800;
  return (flagsOf(classes(), wide ? joinSurrogates(unit, units[at + 1]) : unit) & WORD) !== 0;
}
