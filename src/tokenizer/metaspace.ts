/**
 * Metaspace: spaces are written as a letter, one is put before the text, and a word begins with it.
 *
 * @module
 */

import { show } from "../errors.ts";
import type { Aligned } from "./aligned.ts";
import { type Cut, putSpace, type Spans } from "./cuts.ts";
import { type Fields, invalid, readBoolean, readString, unsupported } from "./fields.ts";

/** Where a space is put: before each stretch, before the one that begins the text, or nowhere. */
type Scheme = "always" | "first" | "never";

/** Compiles a Metaspace; `unit` is what stands for a space. */
export function compileMetaspace(fields: Fields, where: string): { unit: number; cut: Cut } {
  const replacement = readString(fields, "replacement", where);
  if (replacement.length !== 1) {
    throw unsupported(`${where}.replacement`, show(replacement), "a character of one code unit");
  }
  // Older files say `add_prefix_space` alone; the newer field's default is "always".
  const never = fields.add_prefix_space === false;
  const scheme = fields.prepend_scheme ?? (never ? "never" : "always");
  if (scheme !== "never" && (never || (scheme !== "always" && scheme !== "first"))) {
    const expected = never ? "never, as add_prefix_space is false" : "always, never or first";
    throw invalid(`${where}.prepend_scheme`, `expected ${expected}, got ${show(scheme)}`);
  }
  const split = fields.split === undefined || readBoolean(fields, "split", where);
  const unit = replacement.charCodeAt(0);
  return {
    unit,
    cut: (source, spans, target, out) => {
      cut(source, spans, target, out, unit, scheme, split);
      return true;
    },
  };
}

/** Writes spaces as `unit`, puts one before each stretch, and cuts before each. */
function cut(
  source: Aligned,
  { bounds, length }: Spans,
  target: Aligned,
  out: Spans,
  unit: number,
  scheme: Scheme,
  split: boolean,
): void {
  target.length = 0;
  target.reserve(source.length + (length >> 1));
  for (let s = 0; s < length; s += 2) {
    const from = bounds[s], to = bounds[s + 1];
    let begin = target.length;
    const first = source.units[from], start = source.starts[from];
    if (
      first !== 32 && first !== unit &&
      (scheme === "always" || (scheme === "first" && start === 0))
    ) putSpace(target, unit, start);
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
}
