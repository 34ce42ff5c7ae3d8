/**
 * ByteLevel: cuts a text as GPT-2 does, and makes every byte of its UTF-8 a character.
 *
 * Each byte has the place of the whole character it is of. The regular expression of GPT-2 is a loop over
 * character kinds here: it needs `\p{L}` and `\p{N}` as the reference has them, in every engine.
 *
 * @module
 */

import type { Aligned } from "./aligned.ts";
import { type Cut, putSpace } from "./cuts.ts";
import { BLANK, kindAt, kinds, LETTER, NUMBER } from "./kinds.ts";
import { joinSurrogates } from "./unicode.ts";

/** Writes units as UTF-8, as many bytes as fit; returns how many. */
export function writeUtf8(units: Uint16Array, from: number, to: number, out: Uint8Array): number {
  let n = 0;
  for (let i = from; i < to; i++) {
    let c = units[i];
    if ((c & 0xfc00) === 0xd800 && i + 1 < to) {
      c = 0x10000 + ((c & 0x3ff) << 10) + (units[++i] & 0x3ff);
      out[n++] = 0xf0 | c >> 18;
      out[n++] = 0x80 | c >> 12 & 63;
      out[n++] = 0x80 | c >> 6 & 63;
      out[n++] = 0x80 | c & 63;
    } else if (c < 0x80) out[n++] = c;
    else if (c < 0x800) {
      out[n++] = 0xc0 | c >> 6;
      out[n++] = 0x80 | c & 63;
    } else {
      out[n++] = 0xe0 | c >> 12;
      out[n++] = 0x80 | c >> 6 & 63;
      out[n++] = 0x80 | c & 63;
    }
  }
  return n;
}

let bytesTable: Uint16Array | undefined;

/** The character that stands for each byte: itself if it can be seen, else one from U+0100 on (GPT-2). */
export function byteUnits(): Uint16Array {
  if (bytesTable) return bytesTable;
  const table = new Uint16Array(256);
  for (let byte = 0, next = 256; byte < 256; byte++) {
    const seen = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    table[byte] = seen ? byte : next++;
  }
  return bytesTable = table;
}

/**
 * The step of a ByteLevel.
 *
 * @param prefix whether a space is put before each stretch that does not begin with one
 * @param words whether to cut as GPT-2 does, too
 */
export function cutBytes(prefix: boolean, words: boolean): Cut {
  return (source, spans, target, out) => {
    const { units, starts } = source, { bounds } = spans;
    const space = byteUnits()[32];
    target.length = 0;
    target.reserve(3 * source.length + (spans.length >> 1));
    for (let s = 0; s < spans.length; s += 2) {
      const from = bounds[s], to = bounds[s + 1];
      let begin = target.length;
      // A space that is put before the text is part of the first word, if that may begin with one.
      const prefixed = prefix && units[from] !== 32;
      if (prefixed) putSpace(target, space, starts[from]);
      for (let i = from; i < to;) {
        // With a prefixed space that is a word by itself nothing is written.
        const end = words ? wordEnd(units, i, to, prefixed && begin < target.length) : to;
        writeBytes(source, i, end, target);
        i = end;
        out.push(begin, target.length);
        begin = target.length;
      }
    }
    return true;
  };
}

/** Appends the bytes of `from` to `to`, for which `target` has room. */
function writeBytes(source: Aligned, from: number, to: number, target: Aligned): void {
  const { units, starts, ends } = source;
  const { units: bytes, starts: first, ends: last } = target;
  const table = byteUnits();
  let n = target.length;
  for (let i = from; i < to; i++) {
    const before = n, at = i;
    let c = units[i];
    if (c < 0x80) bytes[n++] = table[c];
    else {
      if (c < 0x800) bytes[n++] = table[0xc0 | c >> 6];
      else {
        if ((c & 0xfc00) === 0xd800) {
          c = joinSurrogates(c, units[++i]);
          bytes[n++] = table[0xf0 | c >> 18];
          bytes[n++] = table[0x80 | c >> 12 & 63];
        } else bytes[n++] = table[0xe0 | c >> 12];
        bytes[n++] = table[0x80 | c >> 6 & 63];
      }
      bytes[n++] = table[0x80 | c & 63];
    }
    for (let k = before; k < n; k++) {
      first[k] = starts[at];
      last[k] = ends[at];
    }
  }
  target.length = n;
}

/**
 * Where the word ends that begins at `from`, by
 * `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
 * With `spaced` a space stands before `from` and the word begins with that; `from` itself means that it is
 * the space alone.
 */
function wordEnd(units: Uint16Array, from: number, to: number, spaced: boolean): number {
  const table = kinds();
  const CLASS = LETTER | NUMBER | BLANK;
  if (!spaced && units[from] === 39) {
    const a = units[from + 1], b = units[from + 2];
    // s, t, m, d
    if (from + 1 < to && (a === 115 || a === 116 || a === 109 || a === 100)) return from + 2;
    // re, ve, ll
    if (
      from + 2 < to && ((b === 101 && (a === 114 || a === 118)) || (a === 108 && b === 108))
    ) return from + 3;
  }
  let at = from;
  let kind = kindAt(table, units, at) & CLASS;
  if (!spaced && units[at] === 32 && at + 1 < to) {
    const next = kindAt(table, units, at + 1) & CLASS;
    if (next !== BLANK) {
      at++;
      kind = next;
    }
  }
  while (at < to && (kindAt(table, units, at) & CLASS) === kind) {
    at += (units[at] & 0xfc00) === 0xd800 ? 2 : 1;
  }
  if (kind !== BLANK || at === to) return at;
  // The last of several blanks before a word is left to it, or stands alone.
  return at - from > 1 || spaced ? at - 1 : at;
}

/** What a byte-level piece spells; bytes that are part of a character become U+FFFD. */
export function spellingOf(piece: string | undefined): string | undefined {
  if (piece === undefined) return undefined;
  const table = byteUnits();
  const bytes: number[] = [];
  for (let i = 0; i < piece.length; i++) {
    const byte = table.indexOf(piece.charCodeAt(i));
    if (byte < 0) return piece; // a special token
    bytes.push(byte);
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}
