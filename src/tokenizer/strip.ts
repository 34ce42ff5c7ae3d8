/**
 * Normalizers of a text's ends: Strip and Prepend (tokenizers, `normalizers/strip.rs`, `prepend.rs`).
 *
 * @module
 */
import type { Aligned, Step } from "./aligned.ts";
import { type Fields, readBoolean, readString } from "./fields.ts";
import { classes, SPACE } from "./unicode.ts";

/** Compiles a Strip, which deletes white space at the ends. */
export function compileStrip(fields: Fields, where: string): Step {
  const left = readBoolean(fields, "strip_left", where);
  const right = readBoolean(fields, "strip_right", where);
  return (source) => strip(source, left, right);
}

/** Compiles a Prepend, which puts text before what is there, if there is anything; it has an empty place. */
export function compilePrepend(fields: Fields, where: string): Step {
  const text = readString(fields, "prepend", where);
  return (source, target) => prepend(source, target, text);
}

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

function prepend(source: Aligned, target: Aligned, text: string): boolean {
  if (source.length === 0 || text === "") return false;
  target.length = 0;
  target.reserve(source.length + text.length);
  target.appendText(text, source.starts[0], source.starts[0]);
  target.append(source, 0, source.length);
  return true;
}
