/**
 * Normalizers of SentencePiece-like tokenizers, beside those of `normalizers.ts`.
 *
 * `Precompiled`, `Prepend`, and `Replace` of repeated characters, which is what converters write for runs of
 * white space (` {2,}`). Everything else is compiled by `normalizers.ts`.
 *
 * Weak point: of regular expressions only one character, or `\s`, with `+` or `{n,}` after it is understood.
 * More would need an engine that agrees with the reference's.
 *
 * @module
 */

import type { Aligned } from "./aligned.ts";
import { compileCharsmap } from "./charsmap.ts";
import {
  invalid,
  MAX_DEPTH,
  readArray,
  readObject,
  readString,
  readType,
  show,
  unsupported,
} from "./config.ts";
import { compileNormalizer, type Normalizer, type Step } from "./normalizers.ts";
import { classes, SPACE } from "./unicode.ts";

const SUPPORTED = "Precompiled, Prepend, NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, " +
  "BertNormalizer, Replace (of a string or a repeated character), Sequence, null";

const ELSEWHERE = /^(BertNormalizer|NFC|NFD|NFKC|NFKD|Lowercase|Strip|StripAccents|Replace)$/;

/** Compiles the `normalizer` of a tokenizer.json whose model is BPE or Unigram. */
export function compileSubwordNormalizer(spec: unknown): Normalizer {
  const steps: Step[] = [];
  const stripsMarks = compile(spec, "normalizer", steps, 0);
  return { steps, stripsMarks, spec };
}

function compile(spec: unknown, where: string, steps: Step[], depth: number): boolean {
  if (spec === null || spec === undefined) return false;
  if (depth > MAX_DEPTH) throw invalid(where, `nested more than ${MAX_DEPTH} deep`);
  const fields = readObject(spec, where);
  const type = readType(fields, where);
  if (type === "Sequence") {
    let strips = false;
    readArray(fields.normalizers, `${where}.normalizers`).forEach((part, i) => {
      strips = compile(part, `${where}.normalizers[${i}]`, steps, depth + 1) || strips;
    });
    return strips;
  }
  if (type === "Precompiled") {
    // Some converters write a table that is not there as an empty or absent one.
    if (fields.precompiled_charsmap === null || fields.precompiled_charsmap === "") return false;
    const base64 = readString(fields, "precompiled_charsmap", where);
    steps.push(compileCharsmap(base64, `${where}.precompiled_charsmap`));
    return false;
  }
  if (type === "Prepend") {
    const text = readString(fields, "prepend", where);
    steps.push((source, target) => prepend(source, target, text));
    return false;
  }
  if (type === "Replace") {
    const pattern = readObject(fields.pattern, `${where}.pattern`);
    if (pattern.Regex !== undefined) {
      const regex = readString(pattern, "Regex", `${where}.pattern`);
      const content = readString(fields, "content", where);
      steps.push(compileRuns(regex, content, `${where}.pattern.Regex`));
      return false;
    }
  }
  if (!ELSEWHERE.test(type)) throw unsupported(where, `normalizer ${type}`, SUPPORTED);
  const { steps: more, stripsMarks } = compileNormalizer(spec);
  steps.push(...more);
  return stripsMarks;
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

/** `x+`, `x{n,}`, `\s+`, `\s{n,}`, where x is a character that means itself, or is escaped. */
function compileRuns(regex: string, content: string, where: string): Step {
  const parts = /^(\\s|\\[^A-Za-z0-9]|[^\\^$.|?*+()[\]{}])(?:\+|\{(\d{1,4}),\})$/.exec(regex);
  const least = parts === null ? 0 : Number(parts[2] ?? 1);
  if (parts === null || least === 0) {
    throw unsupported(where, `the pattern ${show(regex)}`, "one character or \\s, then + or {n,}");
  }
  const character = parts[1].charCodeAt(parts[1].length - 1);
  const blank = parts[1] === "\\s" ? SPACE : 0;
  return (source, target) => replaceRuns(source, target, character, blank, least, content);
}

/** Replaces each run of at least `least` units: of white space if `blank`, else of `character`. */
function replaceRuns(
  source: Aligned,
  target: Aligned,
  character: number,
  blank: number,
  least: number,
  content: string,
): boolean {
  const bmp = classes().bmp;
  const { units, starts, ends, length } = source;
  let copied = -1; // units of source that target has; -1: nothing found so far
  for (let i = 0; i < length; i++) {
    const from = i;
    while (i < length && (blank ? (bmp[units[i]] & blank) !== 0 : units[i] === character)) i++;
    if (i - from < least) continue;
    if (copied < 0) {
      copied = 0;
      target.length = 0;
      target.reserve(length);
    }
    target.append(source, copied, from);
    target.appendText(content, starts[from], ends[i - 1]);
    copied = i;
  }
  if (copied < 0) return false;
  target.append(source, copied, length);
  return true;
}
