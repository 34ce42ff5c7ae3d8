/**
 * Replace: what is put in has the place of what is taken out.
 *
 * @module
 */

import type { Aligned, Step } from "./aligned.ts";
import { type Fields, invalid, readObject, readString } from "./fields.ts";
import type { Regex } from "./regex/match.ts";
import { readPattern } from "./split.ts";

/** Compiles a Replace. */
export function compileReplace(fields: Fields, where: string): Step {
  const content = readString(fields, "content", where);
  if (readObject(fields.pattern, `${where}.pattern`).String === "") {
    throw invalid(`${where}.pattern`, "an empty pattern matches everywhere");
  }
  const regex = readPattern(fields, where);
  return (source, target) => replaceAll(source, target, regex, content);
}

/** Replaces every match, left to right; what replaces nothing has an empty place, before what comes next. */
function replaceAll(source: Aligned, target: Aligned, regex: Regex, content: string): boolean {
  const { units, starts, ends, length } = source;
  if (length === 0) return false;
  let copied = -1; // units of source that target has; -1: nothing found so far
  regex.enter(units, 0, length);
  while (regex.find()) {
    const { start, end } = regex;
    if (copied < 0) {
      copied = 0;
      target.length = 0;
      target.reserve(length);
    }
    target.append(source, copied, start);
    const first = start < length ? starts[start] : ends[length - 1];
    target.appendText(content, first, end > start ? ends[end - 1] : first);
    copied = end;
  }
  if (copied < 0) return false;
  target.append(source, copied, length);
  return true;
}
