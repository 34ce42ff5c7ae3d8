/**
 * BertNormalizer: clean, set ideographs apart, strip accents, lower-case, in that order; each alone as well.
 *
 * Of the four steps those that would find nothing to do cost one scan.
 *
 * @module
 */

import type { Aligned, Step } from "./aligned.ts";
import { type Fields, readBoolean } from "./fields.ts";
import { normalizeForm } from "./forms.ts";
import {
  CJK,
  classes,
  CONTROL,
  flagsAbove,
  joinSurrogates,
  lowercase,
  NONSPACING,
  SPACE,
  SURROGATE,
} from "./unicode.ts";

/** Compiles a BertNormalizer. True if it strips accents. */
export function compileBert(fields: Fields, where: string, steps: Step[]): boolean {
  const clean = readBoolean(fields, "clean_text", where);
  const cjk = readBoolean(fields, "handle_chinese_chars", where);
  const lower = readBoolean(fields, "lowercase", where);
  const accents = fields.strip_accents;
  const strips = accents === null || accents === undefined
    ? lower
    : readBoolean(fields, "strip_accents", where);
  if (clean || cjk) steps.push((source, target) => cleanText(source, target, clean, cjk));
  if (strips) {
    steps.push(
      (source, target) => normalizeForm("NFD", source, target),
      (source) => dropMarks(source, NONSPACING),
    );
  }
  if (lower) steps.push(toLowerCase);
  return strips;
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
export function dropMarks(source: Aligned, kind: number): boolean {
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
export function toLowerCase(source: Aligned, target: Aligned): boolean {
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
    } else units[i] = unit + bmp[unit];
  }
  if (copied < 0) return false;
  target.append(source, copied, length);
  return true;
}
