/**
 * The pieces of a vocabulary, read from a tokenizer.json or a vocab.txt.
 *
 * @module
 */

import { show } from "../errors.ts";
import { type Fields, invalid, isWellFormed, readInteger, readObject } from "./fields.ts";
import { Trie } from "./trie.ts";
import { classes, SPACE } from "./unicode.ts";

/** Ids are at most this. The largest vocabularies in use have a million pieces; arrays are sized by it. */
export const MAX_ID = (1 << 21) - 1;

/** Pieces in the order they are set. */
export interface Pieces {
  readonly trie: Trie;
  /** By id; undefined where an id has none. Added tokens join them when they are read. */
  readonly tokens: (string | undefined)[];
  /** Different pieces, as the reference counts them when it numbers added tokens. */
  readonly size: number;
}

/** Reads a `vocab` that is an object: ids by piece. */
export function readPieces(model: Fields): Pieces {
  const vocab = readObject(model.vocab, "model.vocab");
  // Keys and lookups: `Object.values` or `entries` of an object of this size take four times as long.
  const pieces = Object.keys(vocab);
  const ids = new Int32Array(pieces.length);
  let size = 0;
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i], id = vocab[piece];
    if (typeof id !== "number" || !(id >= 0 && id <= MAX_ID && Number.isInteger(id))) {
      readInteger(id, `model.vocab[${show(piece)}]`, MAX_ID);
    }
    if (!isWellFormed(piece)) throw invalid("model.vocab", `${show(piece)} has a lone surrogate`);
    ids[i] = id as number;
    if (ids[i] >= size) size = ids[i] + 1;
  }
  const tokens = new Array<string | undefined>(size).fill(undefined);
  const trie = new Trie(pieces.length);
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i], id = ids[i];
    if (tokens[id] !== undefined) {
      throw invalid("model.vocab", `${show(tokens[id])} and ${show(piece)} both have id ${id}`);
    }
    tokens[id] = piece;
    trie.set(piece, id);
  }
  return { trie, tokens, size: pieces.length };
}

/** Writes what {@link readPieces} reads; keys are in the order of the ids. */
export function describePieces({ trie, tokens }: Pieces): Fields {
  return Object.fromEntries(
    tokens.flatMap((token, id) =>
      token !== undefined && trie.get(token) === id ? [[token, id]] : []
    ),
  );
}

/** Reads a vocab.txt: see `tokenizerFromVocab`. */
export function readLines(text: string): Pieces {
  if (text === "") throw invalid("vocab.txt", "is empty");
  const lines = text.split("\n");
  if (lines[lines.length - 1] === "") lines.pop(); // the end of the last line, not a line
  if (lines.length > MAX_ID + 1) {
    throw invalid("vocab.txt", `has ${lines.length} lines; the limit is ${MAX_ID + 1}`);
  }
  if (!isWellFormed(text)) throw invalid("vocab.txt", "has a lone surrogate");
  const tokens = new Array<string | undefined>(lines.length).fill(undefined);
  const trie = new Trie(lines.length);
  const space = classes().bmp;
  let size = 0;
  for (let id = 0; id < lines.length; id++) {
    const line = lines[id];
    let end = line.length;
    while (end > 0 && space[line.charCodeAt(end - 1)] & SPACE) end--;
    const piece = end === line.length ? line : line.slice(0, end);
    const earlier = trie.set(piece, id);
    if (earlier >= 0) tokens[earlier] = undefined;
    else size++;
    tokens[id] = piece;
  }
  return { trie, tokens, size };
}

/** Ids of `<0x00>` to `<0xFF>`, -1 where there is none: what a character is spelt in that has no piece. */
export function byteTokens(trie: Trie): Int32Array {
  return Int32Array.from(
    { length: 256 },
    (_, byte) => trie.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
  );
}
