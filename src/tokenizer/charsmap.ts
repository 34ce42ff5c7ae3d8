/**
 * SentencePiece's compiled normalization, `Precompiled` in a tokenizer.json: a table of strings to replace.
 *
 * The table is a double-array trie (the Darts-clone of SentencePiece) over UTF-8 bytes, and after it the
 * replacements, each ended by a NUL. Hugging Face does not apply it as SentencePiece does: it takes the text
 * grapheme by grapheme, looks a grapheme of less than six bytes up as a whole, takes the *shortest* key that
 * it begins with and drops the rest of the grapheme; other graphemes go character by character. Models were
 * checked against that, so it is followed to the letter. What comes out has the place of all that went in,
 * also where the reference's places slip (after a character that is deleted at the beginning of a text).
 *
 * Graphemes are not left to `Intl.Segmenter`, which changes with the engine. Those of less than six bytes
 * can only be CR LF, or a character with what extends it and what is prepended to it; tables have those as
 * the reference shows them (`kinds.ts`).
 *
 * Weak point: longer graphemes (Hangul syllables of jamo, emoji joined by ZWJ) are not put together, since
 * they go by characters anyway; a rule for a lone vowel jamo with a mark upon it would see the difference.
 *
 * @module
 */

import type { Aligned, Step } from "./aligned.ts";
import { writeUtf8 } from "./byte_level.ts";
import { invalid } from "./fields.ts";
import { BREAKS, EXTENDS, kindAt, kinds, PREPENDS } from "./kinds.ts";
import type { CharTable } from "./unicode.ts";

/** Graphemes of this many UTF-8 bytes or more are not looked up as a whole. */
const LONG_GRAPHEME = 6;

/** Compiles `precompiled_charsmap`, base64. @throws {TokenizerError} `tokenizer/invalid` */
export function compileCharsmap(base64: string, where: string): Step {
  const map = new Charsmap(decodeBase64(base64, where), where);
  const table = kinds();
  return (source, target) => map.normalize(source, target, table);
}

class Charsmap {
  private readonly array: Uint32Array;
  private readonly blob: Uint8Array;
  private readonly texts = new Map<number, string>();
  /** For each character of the basic plane alone: 0 not looked up yet, -1 no rule, else the rule + 1. */
  private readonly known = new Int32Array(0x10000);
  private readonly bytes = new Uint8Array(LONG_GRAPHEME);

  constructor(data: Uint8Array, where: string) {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const size = data.length >= 4 ? view.getUint32(0, true) : 0;
    if (size === 0 || size % 4 !== 0 || size > data.length - 4) {
      throw invalid(where, `is ${data.length} bytes and announces a table of ${size}`);
    }
    this.array = new Uint32Array(size / 4);
    for (let i = 0; i < this.array.length; i++) this.array[i] = view.getUint32(4 + 4 * i, true);
    this.blob = data.subarray(4 + size);
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(this.blob);
    } catch {
      throw invalid(where, "has replacements that are not UTF-8");
    }
  }

  normalize(source: Aligned, target: Aligned, table: CharTable): boolean {
    const { units, starts, ends, length } = source;
    const { known } = this;
    let copied = -1; // units of source that target has; -1: nothing differs so far
    const replace = (from: number, to: number, rule: number): void => {
      if (copied < 0) {
        copied = 0;
        target.length = 0;
        target.reserve(length);
      }
      target.append(source, copied, from);
      target.appendText(this.text(rule), starts[from], ends[to - 1]);
      copied = to;
    };
    const single = (from: number, to: number): void => {
      const unit = units[from];
      let rule = to - from === 1 ? known[unit] : 0;
      if (rule === 0) {
        rule = this.find(units, from, to) + 1 || -1;
        if (to - from === 1) known[unit] = rule;
      }
      if (rule > 0) replace(from, to, rule - 1);
    };
    for (let i = 0; i < length;) {
      const end = graphemeEnd(units, i, length, table);
      const first = i + widthAt(units, i);
      if (end > first && byteLength(units, i, end) < LONG_GRAPHEME) {
        const rule = this.find(units, i, end);
        if (rule >= 0) {
          replace(i, end, rule);
          i = end;
          continue;
        }
      }
      for (let next = first; i < end; i = next, next = i + widthAt(units, i)) single(i, next);
    }
    if (copied < 0) return false;
    target.append(source, copied, length);
    return true;
  }

  /** The rule of the shortest key that the units begin with; -1 if there is none. */
  private find(units: Uint16Array, from: number, to: number): number {
    const { array, bytes } = this;
    const n = writeUtf8(units, from, to, bytes);
    let unit = array[0];
    let at = offsetOf(unit);
    for (let i = 0; i < n; i++) {
      const byte = bytes[i];
      if (byte === 0) break;
      at ^= byte;
      if (at >= array.length) break; // a damaged table; the reference would crash
      unit = array[at];
      if ((unit & 0x800000ff) !== byte) break;
      at ^= offsetOf(unit);
      if ((unit >>> 8) & 1) {
        const value = at < array.length ? array[at] & 0x7fffffff : -1;
        return value <= this.blob.length ? value : -1;
      }
    }
    return -1;
  }

  private text(rule: number): string {
    let text = this.texts.get(rule);
    if (text === undefined) {
      const end = this.blob.indexOf(0, rule);
      // `ignoreBOM`: a U+FEFF in a rule is a character.
      text = new TextDecoder("utf-8", { ignoreBOM: true })
        .decode(this.blob.subarray(rule, end < 0 ? this.blob.length : end));
      this.texts.set(rule, text);
    }
    return text;
  }
}

/** Where a node's children are, relative to it: 21 bits, or shifted left by 8 if bit 9 says so. */
function offsetOf(unit: number): number {
  return ((unit >>> 10) << ((unit & 0x200) >>> 6)) >>> 0;
}

function graphemeEnd(units: Uint16Array, from: number, length: number, table: CharTable): number {
  let at = from + widthAt(units, from);
  if (at === length) return at;
  if (units[from] === 13 && units[at] === 10) return at + 1;
  let kind = kindAt(table, units, from);
  let next = kindAt(table, units, at);
  if (kind & BREAKS) return at;
  while (kind & PREPENDS && !(next & (BREAKS | EXTENDS))) {
    kind = next;
    at += widthAt(units, at);
    if (at >= length) return length;
    next = kindAt(table, units, at);
  }
  while (next & EXTENDS) {
    at += widthAt(units, at);
    if (at >= length) return length;
    next = kindAt(table, units, at);
  }
  return at;
}

function widthAt(units: Uint16Array, at: number): number {
  return (units[at] & 0xfc00) === 0xd800 ? 2 : 1;
}

/** Length in UTF-8; surrogates are in pairs, each half counting two. */
function byteLength(units: Uint16Array, from: number, to: number): number {
  let n = 0;
  for (let i = from; i < to && n < LONG_GRAPHEME; i++) {
    const unit = units[i];
    n += unit < 0x80 ? 1 : unit < 0x800 || (unit & 0xf800) === 0xd800 ? 2 : 3;
  }
  return n;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function decodeBase64(text: string, where: string): Uint8Array {
  let length = text.length;
  while (length > 0 && text.charCodeAt(length - 1) === 61) length--;
  const out = new Uint8Array(length * 3 >> 2);
  let bits = 0, buffer = 0, n = 0;
  for (let i = 0; i < length; i++) {
    const digit = DIGITS.indexOf(text[i]);
    if (digit < 0) throw invalid(where, `is not base64 at character ${i}`);
    buffer = buffer << 6 | digit;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out[n++] = buffer >> bits & 255;
      buffer &= 255; // what is left is less than a byte
    }
  }
  return out;
}
