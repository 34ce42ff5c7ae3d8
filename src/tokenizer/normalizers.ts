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

import type { Step } from "./aligned.ts";
import { compileBert, dropMarks, toLowerCase } from "./bert_normalizer.ts";
import {
  compileCharsmap,
  compileCompatible,
  compilePrepend,
  compileReplace,
  compileStrip,
} from "./components.ts";
import {
  invalid,
  MAX_DEPTH,
  readArray,
  readObject,
  readString,
  readType,
  unsupported,
} from "./fields.ts";
import { normalizeForm } from "./forms.ts";
import { MARK } from "./unicode.ts";

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
      steps.push((source, target) => normalizeForm(type, source, target));
      return false;
    case "NFKC":
    case "NFKD":
      steps.push(compileCompatible(type, where));
      return false;
    case "Lowercase":
      steps.push(toLowerCase);
      return false;
    case "Strip":
      steps.push(compileStrip(fields, where));
      return false;
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
    case "Prepend":
      steps.push(compilePrepend(fields, where));
      return false;
    case "Replace":
      steps.push(compileReplace(fields, where));
      return false;
  }
  throw unsupported(where, `normalizer ${type}`, SUPPORTED);
}
