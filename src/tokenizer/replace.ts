/**
 * Replace: what is put in has the place of what is taken out.
 *
 * Of strings; and of repeated characters, which is what converters write for runs of white space (` {2,}`).
 *
 * Weak point: of regular expressions only one character, or `\s`, with `+` or `{n,}` after it is understood.
 * More would need an engine that agrees with the reference's.
 *
 * @module
 */

import { show } from "../errors.ts";
import type { Aligned, Step } from "./aligned.ts";
import { type Fields, invalid, readObject, readString, unsupported } from "./fields.ts";
import { classes, SPACE } from "./unicode.ts";

/** Compiles a Replace. */
export function compileReplace(fields: Fields, where: string): Step {
  const pattern = readObject(fields.pattern, `${where}.pattern`);
  const content = readString(fields, "content", where);
  if (pattern.Regex !== undefined) {
    const regex = readString(pattern, "Regex", `${where}.pattern`);
    return compileRuns(regex, content, `${where}.pattern.Regex`);
  }
  const old = readString(pattern, "String", `${where}.pattern`);
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
