/**
 * Pre-tokenizers: where a normalized text is cut into words.
 *
 * Every one that BERT tokenizers use decides by the character alone: it is dropped (white space), stands
 * alone (punctuation), or continues a run of its kind. So a pre-tokenizer is a table from a character's
 * class - space or not, punctuation or not, `\w` or not, eight cases - to what is done with it, and a
 * Sequence of them is one such table again: a character is dropped if any drops it, stands alone if any
 * sets it apart, and continues a run if all of them would. The text is cut in one pass.
 *
 * Weak point: whatever looks at more than one character (Split by a regular expression, ByteLevel,
 * Metaspace) does not fit this shape and is refused by name.
 *
 * @module
 */

import {
  invalid,
  MAX_DEPTH,
  readArray,
  readObject,
  readString,
  readType,
  unsupported,
} from "./config.ts";
import { PUNCTUATION, SPACE, WORD } from "./unicode.ts";

/** The character is dropped. */
export const DROPPED = 255;
/** The character is a word of its own. */
export const ALONE = 254;

/** What to do with a character, by its flags among {@link SPACE}, {@link PUNCTUATION} and {@link WORD}. */
export interface PreTokenizer {
  /** Eight elements: {@link DROPPED}, {@link ALONE}, or the number of the kind whose runs are words. */
  readonly kinds: Uint8Array;
  /** The configuration it was made from, checked. */
  readonly spec: unknown;
}

const SUPPORTED = "BertPreTokenizer, Whitespace, WhitespaceSplit, Punctuation (Isolated), " +
  "Sequence, null";

/** Compiles the `pre_tokenizer` of a tokenizer.json. Null: the whole text is one word. */
export function compilePreTokenizer(spec: unknown): PreTokenizer {
  const kinds = new Uint8Array(8);
  compile(spec, "pre_tokenizer", kinds, 0);
  return { kinds, spec };
}

function compile(spec: unknown, where: string, kinds: Uint8Array, depth: number): void {
  if (spec === null || spec === undefined) return;
  if (depth > MAX_DEPTH) throw invalid(where, `nested more than ${MAX_DEPTH} deep`);
  const fields = readObject(spec, where);
  const type = readType(fields, where);
  switch (type) {
    case "Sequence":
      readArray(fields.pretokenizers, `${where}.pretokenizers`).forEach((part, i) => {
        compile(part, `${where}.pretokenizers[${i}]`, kinds, depth + 1);
      });
      return;
    case "BertPreTokenizer":
      add(kinds, SPACE, DROPPED);
      add(kinds, PUNCTUATION, ALONE);
      return;
    case "WhitespaceSplit":
      add(kinds, SPACE, DROPPED);
      return;
    case "Punctuation": {
      const behavior = fields.behavior === undefined
        ? "Isolated"
        : readString(fields, "behavior", where);
      if (behavior !== "Isolated") {
        throw unsupported(`${where}.behavior`, behavior, "Isolated");
      }
      add(kinds, PUNCTUATION, ALONE);
      return;
    }
    case "Whitespace":
      // `\w+|[^\w\s]+`: runs of word characters and runs of others.
      add(kinds, SPACE, DROPPED);
      add(kinds, WORD, 1);
      return;
  }
  throw unsupported(where, `pre-tokenizer ${type}`, SUPPORTED);
}

/** Lets a further pre-tokenizer decide about the classes that have `flag`; the stronger decision stays. */
function add(kinds: Uint8Array, flag: number, kind: number): void {
  for (let flags = 0; flags < 8; flags++) {
    if (flags & flag) kinds[flags] = Math.max(kinds[flags], kind);
  }
}
