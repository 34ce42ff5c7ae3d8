/**
 * Pre-tokenizers that look at more than one character, or change the text while they cut it: ByteLevel and
 * Metaspace, and those of `pretokenizers.ts` beside them in a Sequence.
 *
 * A pre-tokenizer compiles to a list of steps; each takes a text and the stretches it has been cut into, and
 * gives the stretches that remain, in the same text or in a new one whose units still know where they come
 * from ({@link Aligned}). ByteLevel makes every byte of the text's UTF-8 a unit, with the place of the whole
 * character; what is put before a word (`add_prefix_space`, `prepend_scheme`) has an empty place.
 *
 * The regular expression of GPT-2 is a loop over character kinds here: it needs `\p{L}` and `\p{N}` as the
 * reference has them, in every engine.
 *
 * Weak point: `Split` with an expression of the file's own is refused, so tokenizers of the cl100k kind are.
 *
 * @module
 */

import type { Aligned } from "./aligned.ts";
import {
  type Fields,
  invalid,
  MAX_DEPTH,
  readArray,
  readBoolean,
  readObject,
  readString,
  readType,
  show,
  unsupported,
} from "./config.ts";
import { ALONE, compilePreTokenizer, DROPPED } from "./pretokenizers.ts";
import { BLANK, kindAt, kinds, LETTER, NUMBER } from "./subword_classes.ts";
import { classes, flagsAbove, joinSurrogates, SURROGATE } from "./unicode.ts";

/** Stretches of a text: begin and end by turns, in order, none empty. */
export type Spans = number[];

/**
 * One step. Appends what remains of `spans` to `out`. True if `out` is about `target`, which then has the
 * text; false if it is about `source`, which is unchanged.
 */
export type CutStep = (source: Aligned, spans: Spans, target: Aligned, out: Spans) => boolean;

/** A compiled pre-tokenizer. */
export interface Cuts {
  readonly steps: readonly CutStep[];
  /** Units of the final text that stand for white space. */
  readonly blanks: ReadonlySet<number>;
  /** Whether the final text is of bytes. */
  readonly byteLevel: boolean;
}

const SUPPORTED = "ByteLevel, Metaspace, WhitespaceSplit, Whitespace, BertPreTokenizer, " +
  "Punctuation (Isolated), Sequence, null";

/** Compiles the `pre_tokenizer` of a tokenizer.json whose model is BPE or Unigram. */
export function compileCuts(spec: unknown): Cuts {
  const steps: CutStep[] = [];
  const cuts = { steps, blanks: new Set([32, 0x2581]), byteLevel: false };
  compile(spec, "pre_tokenizer", cuts, 0);
  return cuts;
}

interface Building {
  steps: CutStep[];
  blanks: Set<number>;
  byteLevel: boolean;
}

function compile(spec: unknown, where: string, cuts: Building, depth: number): void {
  if (spec === null || spec === undefined) return;
  if (depth > MAX_DEPTH) throw invalid(where, `nested more than ${MAX_DEPTH} deep`);
  const fields = readObject(spec, where);
  const type = readType(fields, where);
  if (type === "Sequence") {
    readArray(fields.pretokenizers, `${where}.pretokenizers`).forEach((part, i) => {
      compile(part, `${where}.pretokenizers[${i}]`, cuts, depth + 1);
    });
    return;
  }
  if (cuts.byteLevel) {
    throw unsupported(where, `${type} after ByteLevel`, "ByteLevel last in a Sequence");
  }
  switch (type) {
    case "ByteLevel": {
      const prefix = readBoolean(fields, "add_prefix_space", where);
      const words = fields.use_regex === undefined || readBoolean(fields, "use_regex", where);
      cuts.steps.push((source, spans, target, out) =>
        cutBytes(source, spans, target, out, prefix, words)
      );
      cuts.byteLevel = true;
      cuts.blanks = new Set([byteUnits()[32]]);
      return;
    }
    case "Metaspace":
      compileMetaspace(fields, where, cuts);
      return;
    case "WhitespaceSplit":
    case "Whitespace":
    case "BertPreTokenizer":
    case "Punctuation": {
      const table = compilePreTokenizer(spec).kinds;
      cuts.steps.push((source, spans, _, out) => cutByClass(source, spans, out, table));
      return;
    }
  }
  throw unsupported(where, `pre-tokenizer ${type}`, SUPPORTED);
}

function compileMetaspace(fields: Fields, where: string, cuts: Building): void {
  const replacement = readString(fields, "replacement", where);
  if (replacement.length !== 1) {
    throw unsupported(`${where}.replacement`, show(replacement), "a character of one code unit");
  }
  // Older files say `add_prefix_space`; of the newer field, Hugging Face's default is "always".
  const scheme = fields.prepend_scheme ?? (fields.add_prefix_space === false ? "never" : "always");
  if (scheme !== "always" && scheme !== "never" && scheme !== "first") {
    throw invalid(
      `${where}.prepend_scheme`,
      `expected always, never or first, got ${show(scheme)}`,
    );
  }
  const split = fields.split === undefined || readBoolean(fields, "split", where);
  const unit = replacement.charCodeAt(0);
  cuts.blanks.add(unit);
  cuts.steps.push((source, spans, target, out) =>
    cutMetaspace(source, spans, target, out, unit, scheme, split)
  );
}

/** As the table of `pretokenizers.ts` says: drops characters, sets some apart, joins others. */
function cutByClass(source: Aligned, spans: Spans, out: Spans, kinds: Uint8Array): boolean {
  const table = classes();
  const { units } = source;
  for (let s = 0; s < spans.length; s += 2) {
    const to = spans[s + 1];
    let begin = spans[s];
    let kind: number = DROPPED; // of the run that is open; DROPPED: none is
    for (let i = begin; i < to;) {
      let flags = table.bmp[units[i]];
      let width = 1;
      if (flags & SURROGATE) {
        flags = flagsAbove(table, joinSurrogates(units[i], units[i + 1]));
        width = 2;
      }
      const here = kinds[flags & 7];
      if (here !== kind || here === ALONE) {
        if (kind !== DROPPED) out.push(begin, i);
        begin = i;
        kind = here;
      }
      i += width;
    }
    if (kind !== DROPPED) out.push(begin, to);
  }
  return false;
}

/** Writes spaces as `unit`, puts one before each stretch, and cuts before each. */
function cutMetaspace(
  source: Aligned,
  spans: Spans,
  target: Aligned,
  out: Spans,
  unit: number,
  scheme: "always" | "never" | "first",
  split: boolean,
): boolean {
  target.length = 0;
  target.reserve(source.length + (spans.length >> 1));
  for (let s = 0; s < spans.length; s += 2) {
    const from = spans[s], to = spans[s + 1];
    let begin = target.length;
    const first = source.units[from], start = source.starts[from];
    if (
      first !== 32 && first !== unit &&
      (scheme === "always" || (scheme === "first" && start === 0))
    ) push(target, unit, start, start);
    let at = target.length;
    target.append(source, from, to);
    const { units } = target;
    for (; at < target.length; at++) {
      if (units[at] === 32) units[at] = unit;
      if (split && units[at] === unit && at > begin) {
        out.push(begin, at);
        begin = at;
      }
    }
    out.push(begin, target.length);
  }
  return true;
}

function push(target: Aligned, unit: number, start: number, end: number): void {
  const at = target.length++;
  target.reserve(at + 1);
  target.units[at] = unit;
  target.starts[at] = start;
  target.ends[at] = end;
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

/** Cuts as GPT-2 does, and makes every byte of the UTF-8 a unit. */
function cutBytes(
  source: Aligned,
  spans: Spans,
  target: Aligned,
  out: Spans,
  prefix: boolean,
  words: boolean,
): boolean {
  const { units, starts, ends } = source;
  const table = byteUnits();
  target.length = 0;
  target.reserve(3 * source.length + (spans.length >> 1));
  for (let s = 0; s < spans.length; s += 2) {
    const from = spans[s], to = spans[s + 1];
    let begin = target.length;
    // A space that is put before the text is part of the first word, if that may begin with one.
    const prefixed = prefix && units[from] !== 32;
    if (prefixed) push(target, table[32], starts[from], starts[from]);
    for (let i = from; i < to;) {
      const end = words ? wordEnd(units, i, to, prefixed && i === from) : to;
      if (end === i) { // the prefixed space is a word by itself
        out.push(begin, target.length);
        begin = target.length;
        const rest = wordEnd(units, i, to, false);
        writeBytes(i, rest);
        i = rest;
      } else {
        writeBytes(i, end);
        i = end;
      }
      out.push(begin, target.length);
      begin = target.length;
    }
  }
  return true;

  function writeBytes(from: number, to: number): void {
    let n = target.length;
    const { units: bytes, starts: first, ends: last } = target;
    const put = (byte: number, at: number): void => {
      bytes[n] = table[byte];
      first[n] = starts[at];
      last[n++] = ends[at];
    };
    for (let i = from; i < to; i++) {
      let c = units[i];
      if (c < 0x80) {
        put(c, i);
        continue;
      }
      if (c < 0x800) put(0xc0 | c >> 6, i);
      else {
        if ((c & 0xfc00) === 0xd800) {
          c = joinSurrogates(c, units[i + 1]);
          put(0xf0 | c >> 18, i);
          put(0x80 | c >> 12 & 63, i++);
        } else put(0xe0 | c >> 12, i);
        put(0x80 | c >> 6 & 63, i);
      }
      put(0x80 | c & 63, i);
    }
    target.length = n;
  }
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
