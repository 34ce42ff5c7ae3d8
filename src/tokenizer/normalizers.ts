/**
 * Normalizers: what happens to a text before it is cut into words.
 *
 * A normalizer compiles to a list of steps over {@link Aligned} texts. BertNormalizer is the one that
 * matters; it is four steps in a fixed order (clean, set CJK apart, strip accents, lower-case), of which
 * those that would find nothing to do cost one scan. Semantics, order and character classes are those of
 * Hugging Face tokenizers (`normalizers/bert.rs`, `unicode.rs`, `strip.rs`, `replace.rs`).
 *
 * Places differ from the reference's on purpose in two cases, where it leaves a part of a character outside
 * its token: a mark that is stripped belongs to the letter before it, and a letter composed of two belongs
 * to both. `text.slice(start, end)` then shows whole letters.
 *
 * Weak point: a step that changes lengths copies the rest of the text.
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
  unsupported,
} from "./config.ts";
import { type Form, normalizeForm } from "./forms.ts";
import {
  CJK,
  classes,
  CONTROL,
  flagsAbove,
  joinSurrogates,
  lowercase,
  MARK,
  NONSPACING,
  SPACE,
  SURROGATE,
} from "./unicode.ts";

/**
 * One step. True if the result is in `target`; false if it is in `source`, unchanged or changed in place.
 * Whichever it is, the other's content is lost.
 */
export type Step = (source: Aligned, target: Aligned) => boolean;

/** A compiled normalizer. */
export interface Normalizer {
  readonly steps: readonly Step[];
  /** Whether it deletes combining marks: harmless to Latin text, fatal to Brahmic scripts. */
  readonly stripsMarks: boolean;
  /** The configuration it was made from, checked. */
  readonly spec: unknown;
}

const SUPPORTED = "BertNormalizer, NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, " +
  "Replace (of a string), Sequence, null";

/** Compiles the `normalizer` of a tokenizer.json. */
export function compileNormalizer(spec: unknown): Normalizer {
  const steps: Step[] = [];
  const stripsMarks = compile(spec, "normalizer", steps, 0);
  return { steps, stripsMarks, spec };
}

function compile(spec: unknown, where: string, steps: Step[], depth: number): boolean {
  if (spec === null || spec === undefined) return false;
  if (depth > MAX_DEPTH) throw invalid(where, `nested more than ${MAX_DEPTH} deep`);
  const fields = readObject(spec, where);
  const type = readType(fields, where);
  switch (type) {
    case "Sequence": {
      let strips = false;
      readArray(fields.normalizers, `${where}.normalizers`).forEach((part, i) => {
        strips = compile(part, `${where}.normalizers[${i}]`, steps, depth + 1) || strips;
      });
      return strips;
    }
    case "BertNormalizer":
      return compileBert(fields, where, steps);
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      steps.push(formStep(type));
      return false;
    case "Lowercase":
      steps.push(toLowerCase);
      return false;
    case "Strip": {
      const left = readBoolean(fields, "strip_left", where);
      const right = readBoolean(fields, "strip_right", where);
      steps.push((source) => strip(source, left, right));
      return false;
    }
    case "StripAccents":
      steps.push((source) => dropMarks(source, MARK));
      return true;
    case "Replace":
      steps.push(compileReplace(fields, where));
      return false;
  }
  throw unsupported(where, `normalizer ${type}`, SUPPORTED);
}

function compileBert(fields: Fields, where: string, steps: Step[]): boolean {
  const clean = readBoolean(fields, "clean_text", where);
  const cjk = readBoolean(fields, "handle_chinese_chars", where);
  const lower = readBoolean(fields, "lowercase", where);
  const accents = fields.strip_accents;
  const strips = accents === null || accents === undefined
    ? lower
    : readBoolean(fields, "strip_accents", where);
  if (clean || cjk) steps.push((source, target) => cleanText(source, target, clean, cjk));
  if (strips) {
    steps.push(formStep("NFD"), (source) => dropMarks(source, NONSPACING));
  }
  if (lower) steps.push(toLowerCase);
  return strips;
}

function formStep(form: Form): Step {
  return (source, target) => normalizeForm(form, source, target);
}

/** Deletes control characters, makes white space of any kind a space, puts spaces around ideographs. */
function cleanText(source: Aligned, target: Aligned, clean: boolean, cjk: boolean): boolean {
  const table = classes();
  const bmp = table.bmp;
  const { units, starts, ends, length } = source;
  const drop = clean ? CONTROL : 0;
  const space = clean ? SPACE : 0;
  const apart = cjk ? CJK : 0;
  const special = drop | space | apart | SURROGATE;

  // In place while nothing moves, which for most texts is to the end.
  let i = 0;
  for (; i < length; i++) {
    let flags = bmp[units[i]] & special;
    if (flags === 0) continue;
    if (flags & SURROGATE) flags = flagsAbove(table, joinSurrogates(units[i], units[i + 1]));
    if (flags & drop || flags & apart) break;
    if (flags & SPACE & space) units[i] = 32;
    else if ((units[i] & 0xf800) === 0xd800) i++;
  }
  if (i === length) return false;

  target.length = 0;
  target.reserve(3 * length);
  target.append(source, 0, i);
  const out = target;
  let n = i;
  for (; i < length; i++) {
    const unit = units[i];
    let flags = bmp[unit];
    const width = flags & SURROGATE ? 2 : 1;
    if (width === 2) flags = flagsAbove(table, joinSurrogates(unit, units[i + 1]));
    if (flags & drop) {
      i += width - 1;
      continue;
    }
    const start = starts[i], end = ends[i];
    if (flags & apart) {
      out.units[n] = 32;
      out.starts[n] = start;
      out.ends[n++] = end;
    }
    out.units[n] = flags & space ? 32 : unit;
    out.starts[n] = start;
    out.ends[n++] = end;
    if (width === 2) {
      out.units[n] = units[++i];
      out.starts[n] = start;
      out.ends[n++] = end;
    }
    if (flags & apart) {
      out.units[n] = 32;
      out.starts[n] = start;
      out.ends[n++] = end;
    }
  }
  target.length = n;
  return true;
}

/** Deletes marks. The letter before takes their place in the text over. */
function dropMarks(source: Aligned, kind: number): boolean {
  const table = classes();
  const bmp = table.bmp;
  const { units, starts, ends, length } = source;
  let n = 0;
  for (let i = 0; i < length; i++) {
    const unit = units[i];
    let flags = bmp[unit];
    const wide = (flags & SURROGATE) !== 0;
    if (wide) flags = flagsAbove(table, joinSurrogates(unit, units[i + 1]));
    if (flags & kind) {
      if (wide) i++;
      if (n > 0) ends[n - 1] = Math.max(ends[n - 1], ends[i]);
      continue;
    }
    for (let k = wide ? 2 : 1; k > 0; k--, n++) {
      units[n] = units[i];
      starts[n] = starts[i];
      ends[n] = ends[i];
      if (k > 1) i++;
    }
  }
  source.length = n;
  return false;
}

/** Lower-cases each character by itself. Only U+0130 changes its length: it becomes i and a dot above. */
function toLowerCase(source: Aligned, target: Aligned): boolean {
  const { bmp, above } = lowercase();
  const { units, length } = source;
  let copied = -1;
  for (let i = 0; i < length; i++) {
    const unit = units[i];
    if (unit === 0x130) {
      if (copied < 0) {
        copied = 0;
        target.length = 0;
        target.reserve(length + 64);
      }
      target.append(source, copied, i);
      target.appendText("i\u0307", source.starts[i], source.ends[i]);
      copied = i + 1;
    } else if ((unit & 0xfc00) === 0xd800) {
      const small = above.get(joinSurrogates(unit, units[i + 1]));
      if (small !== undefined) {
        units[i] = 0xd800 + ((small - 0x10000) >> 10);
        units[i + 1] = 0xdc00 + (small & 0x3ff);
      }
      i++;
    } else units[i] = bmp[unit];
  }
  if (copied < 0) return false;
  target.append(source, copied, length);
  return true;
}

/** Deletes white space at the ends. */
function strip(source: Aligned, left: boolean, right: boolean): boolean {
  const bmp = classes().bmp;
  const { units, starts, ends } = source;
  let from = 0, to = source.length;
  while (right && to > from && bmp[units[to - 1]] & SPACE) to--;
  while (left && from < to && bmp[units[from]] & SPACE) from++;
  if (from > 0) {
    units.copyWithin(0, from, to);
    starts.copyWithin(0, from, to);
    ends.copyWithin(0, from, to);
  }
  source.length = to - from;
  return false;
}

function compileReplace(fields: Fields, where: string): Step {
  const pattern = readObject(fields.pattern, `${where}.pattern`);
  if (pattern.String === undefined) {
    throw unsupported(`${where}.pattern`, "a pattern that is not a String", SUPPORTED);
  }
  const old = readString(pattern, "String", `${where}.pattern`);
  const content = readString(fields, "content", where);
  if (old === "") throw invalid(`${where}.pattern`, "an empty pattern matches everywhere");
  return (source, target) => replaceAll(source, target, old, content);
}

/** Replaces every occurrence, left to right; what is put in has the place of what is taken out. */
function replaceAll(source: Aligned, target: Aligned, old: string, content: string): boolean {
  const text = source.text();
  let at = text.indexOf(old);
  if (at < 0) return false;
  let copied = 0;
  target.length = 0;
  for (; at >= 0; at = text.indexOf(old, copied)) {
    target.append(source, copied, at);
    target.appendText(content, source.starts[at], source.ends[at + old.length - 1]);
    copied = at + old.length;
  }
  target.append(source, copied, source.length);
  return true;
}
