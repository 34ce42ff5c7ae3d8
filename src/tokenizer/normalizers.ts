/**
 * Normalizers: what happens to a text before it is cut into words.
 *
 * A normalizer compiles to a list of steps over {@link Aligned} texts. Semantics, order and character classes
 * are those of Hugging Face tokenizers (`normalizers/bert.rs`, `unicode.rs`, `strip.rs`, `replace.rs`).
 *
 * Places differ from the reference's on purpose in two cases, where it leaves a part of a character outside
 * its token: a mark that is stripped belongs to the letter before it, and a letter composed of two belongs
 * to both. `text.slice(start, end)` then shows whole letters.
 *
 * Weak point: a step that changes lengths copies the rest of the text.
 *
 * @module
 */

import type { Aligned, Step } from "./aligned.ts";
import { compileBert, dropMarks, toLowerCase } from "./bert_normalizer.ts";
import { compileCharsmap, compileReplace } from "./components.ts";
import {
  invalid,
  MAX_DEPTH,
  readArray,
  readBoolean,
  readObject,
  readString,
  readType,
  unsupported,
} from "./fields.ts";
import { normalizeForm } from "./forms.ts";
import { classes, MARK, SPACE } from "./unicode.ts";

/** A compiled normalizer. */
export interface Normalizer {
  readonly steps: readonly Step[];
  /** Whether it deletes combining marks: harmless to Latin text, fatal to Brahmic scripts. */
  readonly stripsMarks: boolean;
}

const SUPPORTED =
  "BertNormalizer, NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, Precompiled, " +
  "Prepend, Replace, Sequence, null";

/** Compiles the `normalizer` of a tokenizer.json. */
export function compileNormalizer(spec: unknown): Normalizer {
  const steps: Step[] = [];
  const stripsMarks = compile(spec, "normalizer", steps, 0);
  return { steps, stripsMarks };
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
      steps.push((source, target) => normalizeForm(type, source, target));
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
    case "Precompiled": {
      // Some converters write a table that is not there as an empty or absent one.
      if (fields.precompiled_charsmap === null || fields.precompiled_charsmap === "") return false;
      const base64 = readString(fields, "precompiled_charsmap", where);
      steps.push(compileCharsmap(base64, `${where}.precompiled_charsmap`));
      return false;
    }
    case "Prepend": {
      const text = readString(fields, "prepend", where);
      steps.push((source, target) => prepend(source, target, text));
      return false;
    }
    case "Replace":
      steps.push(compileReplace(fields, where));
      return false;
  }
  throw unsupported(where, `normalizer ${type}`, SUPPORTED);
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

/** Puts text before what is there, if there is anything; it has an empty place. */
function prepend(source: Aligned, target: Aligned, text: string): boolean {
  if (source.length === 0 || text === "") return false;
  target.length = 0;
  target.reserve(source.length + text.length);
  target.appendText(text, source.starts[0], source.starts[0]);
  target.append(source, 0, source.length);
  return true;
}
