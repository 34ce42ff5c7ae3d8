/**
 * The pieces of a vocabulary, read from a tokenizer.json, a vocab.txt, or arrays of code units.
 *
 * An object of sixteen thousand keys is most of what a tokenizer.json takes to be parsed, longer than a small model's weights take
 * to be loaded. So a package keeps its pieces as code units one behind the other, which go into the trie as they are.
 *
 * @module
 */

import { show } from "../errors.ts";
import { type Fields, invalid, isWellFormed, readInteger, readObject } from "./fields.ts";
import { Trie, type TrieTables } from "./trie.ts";
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
    if (!isWellFormed(piece)) throw lone(piece);
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

/** A vocabulary whose ids are 0, 1, 2, ... without its keys. */
export interface PackedPieces {
  /** UTF-16 code units of all pieces, one behind the other in the order of their ids; at most one 0 may follow. */
  readonly units: Uint16Array;
  /** How many of them each piece has. */
  readonly lengths: Uint16Array;
}

/** A piece longer than this has no place among {@link PackedPieces}. */
const MAX_LENGTH = 0xffff;

/** Packs a `vocab` that was read; undefined for one whose ids have holes. */
export function packPieces(vocab: Fields): PackedPieces | undefined {
  const pieces: string[] = [];
  for (const piece of Object.keys(vocab)) pieces[vocab[piece] as number] = piece;
  // Array.from sees the holes.
  const fits = Array.from(pieces, (piece) => piece !== undefined && piece.length <= MAX_LENGTH);
  if (fits.includes(false)) return undefined;
  const text = pieces.join(""), { length } = text;
  // What follows in a file begins at a multiple of four then.
  const units = new Uint16Array(length + (length + pieces.length) % 2);
  for (let i = 0; i < length; i++) units[i] = text.charCodeAt(i);
  return { units, lengths: Uint16Array.from(pieces, (piece) => piece.length) };
}

/** Code units that `String.fromCharCode` takes at once: engines bound their arguments. */
const FEW = 1 << 13;

/** Fills a trie with pieces whose numbers are their values; undefined where two are the same, or it has no room. */
export type FillTrie = (units: Uint16Array, lengths: Uint16Array) => TrieTables | undefined;

/** Reads what {@link packPieces} wrote. `fill` is another way to fill the trie, if there is one at hand. */
export function unpackPieces({ units, lengths }: PackedPieces, fill?: FillTrie): Pieces {
  const total = lengths.reduce((sum, length) => sum + length, 0), size = lengths.length;
  if (size > MAX_ID + 1 || units.length - total > 1 || units.length < total || units[total] > 0) {
    throw invalid("model.vocab", `${size} pieces of ${total} code units, of ${units.length}`);
  }
  let text = "";
  for (let at = 0; at < total; at += FEW) {
    const few = units.subarray(at, Math.min(total, at + FEW));
    text += String.fromCharCode.apply(undefined, few as unknown as number[]);
  }
  const tables = fill?.(units, lengths);
  const tokens = new Array<string | undefined>(size).fill(undefined);
  const trie = tables ? Trie.of(tables) : new Trie(size);
  for (let id = 0, at = 0; id < size; id++) {
    const end = at + lengths[id], piece = tokens[id] = text.slice(at, end);
    const earlier = tables ? -1 : trie.add(units, at, end, id);
    if (earlier >= 0) throw invalid("model.vocab", `${show(piece)} has the ids ${earlier}, ${id}`);
    // With no half a pair at its beginning, a piece is well-formed if all of them are.
    if ((units[at] & 0xfc00) === 0xdc00 && end > at) throw lone(piece);
    at = end;
  }
  if (!isWellFormed(text)) throw lone(tokens.find((piece) => !isWellFormed(piece!))!);
  return { trie, tokens, size };
}

function lone(piece: string): Error {
  return invalid("model.vocab", `${show(piece)} has a lone surrogate`);
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
