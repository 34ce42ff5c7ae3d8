/**
 * Unicode normalization forms over an {@link Aligned} text: NFC, NFD, NFKC, NFKD (UAX #15).
 *
 * The engine's `String.prototype.normalize` does the work, but only where there is any, and only on
 * characters that the reference library knows. A text is cut into chunks: a character and those after it
 * that may combine with it. Nothing crosses a chunk's border, so most chunks are seen at a glance to be
 * normal already, and the others are normalized one by one, which is also what keeps the positions exact:
 * what comes out of a chunk is made of that chunk.
 *
 * The reference library's normalization is Unicode 9.0; engines have later ones, each its own. By the
 * stability policy (https://www.unicode.org/policies/stability_policy.html) they agree on every string of
 * characters that are in 9.0. So characters of later versions are never shown to the engine: the tables do
 * not know them, hence they are borders and stay as they are. The result is the same in every engine.
 *
 * Weak points: within a chunk that changes, positions are those of the changed part as a whole. A run of a
 * million combining marks is one chunk; engines sort marks by insertion, which is quadratic, so a long chunk
 * is sorted here first.
 *
 * @module
 */

import type { Aligned } from "./aligned.ts";
import {
  CHANGES_C,
  CHANGES_D,
  CHANGES_K,
  type CharTable,
  CLASS_SHIFT,
  FIRST,
  FIRST_TO_JOINS,
  flagsAbove,
  flagsOf,
  formClasses,
  HALF,
  JOINS,
  joinSurrogates,
} from "./unicode.ts";

/** A Unicode normalization form. */
export type Form = "NFC" | "NFD" | "NFKC" | "NFKD";

const CHANGES: Record<Form, number> = {
  NFC: CHANGES_C,
  NFD: CHANGES_D,
  NFKC: CHANGES_K,
  NFKD: CHANGES_D | CHANGES_K,
};

/** Chunks longer than this are sorted by us. Text has chunks of two to five units. */
const LONG_CHUNK = 64;

/**
 * Normalizes `source`. True if `target` now holds the result; false if the text was normal already and
 * `target` is untouched.
 */
export function normalizeForm(form: Form, source: Aligned, target: Aligned): boolean {
  const table = formClasses();
  const bmp = table.bmp;
  const changes = CHANGES[form];
  const composes = form === "NFC" || form === "NFKC" ? JOINS : 0;
  const { units, length } = source;
  let copied = -1; // units of source that target has; -1: target is not begun, nothing differs so far

  // Each character is held against the one before it. Without branches, since in Bangla text every second
  // character joins, and a processor that guesses wrongly each time takes three times as long.
  for (let i = 0, before = 0; i < length; i++) {
    let flags = bmp[units[i]];
    let risk = risksOf(before, flags, changes | HALF, composes);
    before = flags;
    if (risk === 0) continue;
    const at = i;
    if (flags & HALF) {
      // Beyond the basic plane: look again. The low half was not looked at yet.
      flags = flagsAbove(table, joinSurrogates(units[i], units[i + 1]));
      risk = risksOf(i > 0 ? flagsBefore(table, units, i) : 0, flags, changes, composes);
      before = flags;
      i++;
      if (risk === 0) continue;
    }

    // The chunk around it: back to a character that does not join, on to the next such.
    let from = at, to = i + 1;
    for (let f = flags; f & JOINS && from > 0;) {
      f = flagsBefore(table, units, from);
      from -= isLow(units[from - 1]) ? 2 : 1;
    }
    while (to < length) {
      const wide = (units[to] & 0xfc00) === 0xd800;
      const next = wide
        ? flagsAbove(table, joinSurrogates(units[to], units[to + 1]))
        : bmp[units[to]];
      if (!(next & JOINS)) break;
      to += wide ? 2 : 1;
    }
    i = to - 1; // what follows joins nothing, so it does not matter what `before` is
    from = knownStart(table, units, from);
    const old = source.text(from, to);
    const normal = normalizeChunk(form, table, old);
    if (normal === old) continue;
    if (copied < 0) {
      copied = 0;
      target.length = 0;
      target.reserve(length + (length >> 2));
    }
    // What is alike at both ends keeps its own places.
    const head = alikeAtStart(old, normal);
    const tail = alikeAtEnd(old, normal, head);
    target.append(source, copied, from + head);
    target.appendText(
      normal.slice(head, normal.length - tail),
      source.starts[Math.min(from + head, to - 1)],
      source.ends[Math.max(to - tail - 1, from)],
    );
    copied = to - tail;
  }
  if (copied < 0) return false;
  target.append(source, copied, length);
  return true;
}

/**
 * Not 0 if a character may not be in normal form where it stands: it changes alone, or joins one before it
 * that may compose or give way, or is of a lower combining class than the one before it.
 */
function risksOf(before: number, flags: number, changes: number, composes: number): number {
  const order = flags >> CLASS_SHIFT;
  return (flags & changes) |
    ((before >> FIRST_TO_JOINS) & flags & composes) |
    (((order - (before >> CLASS_SHIFT)) >> 31) & order);
}

/** Flags of the character that ends before `at`, which is above 0. */
function flagsBefore(table: CharTable, units: Uint16Array, at: number): number {
  const unit = units[at - 1];
  return isLow(unit) ? flagsAbove(table, joinSurrogates(units[at - 2], unit)) : table.bmp[unit];
}

function isLow(unit: number): boolean {
  return (unit & 0xfc00) === 0xdc00;
}

/** Skips a chunk's first character if the reference library's Unicode does not know that it composes. */
function knownStart(table: CharTable, units: Uint16Array, chunk: number): number {
  const wide = (units[chunk] & 0xfc00) === 0xd800;
  const flags = wide
    ? flagsAbove(table, joinSurrogates(units[chunk], units[chunk + 1]))
    : table.bmp[units[chunk]];
  if (flags & (JOINS | FIRST | CHANGES_C | CHANGES_D | CHANGES_K)) return chunk;
  return chunk + (wide ? 2 : 1);
}

function normalizeChunk(form: Form, table: CharTable, chunk: string): string {
  return (chunk.length > LONG_CHUNK ? sortMarks(form, table, chunk) : chunk).normalize(form);
}

/**
 * Decomposes a long chunk character by character and puts its marks in canonical order, in linear time:
 * runs of marks are distributed over the combining classes, of which there are 54, in their order.
 */
function sortMarks(form: Form, table: CharTable, chunk: string): string {
  const compatible = form === "NFKC" || form === "NFKD";
  const decomposed = compatible ? "NFKD" : "NFD";
  const changes = CHANGES[decomposed];
  const parts: string[] = [];
  const run: string[] = []; // marks since the last character of class 0
  const orders: number[] = [];
  const flush = (): void => {
    if (run.length < 2) parts.push(...run);
    else {
      const buckets = new Map<number, string[]>();
      for (let i = 0; i < run.length; i++) {
        const bucket = buckets.get(orders[i]);
        if (bucket) bucket.push(run[i]);
        else buckets.set(orders[i], [run[i]]);
      }
      for (const order of [...buckets.keys()].sort((a, b) => a - b)) {
        parts.push(buckets.get(order)!.join(""));
      }
    }
    run.length = orders.length = 0;
  };
  for (const character of chunk) {
    const codePoint = character.codePointAt(0)!;
    const changed = flagsOf(table, codePoint) & changes;
    for (const c of changed ? character.normalize(decomposed) : character) {
      const order = flagsOf(table, c.codePointAt(0)!) >> CLASS_SHIFT;
      if (order === 0) {
        flush();
        parts.push(c);
      } else {
        run.push(c);
        orders.push(order);
      }
    }
  }
  flush();
  return parts.join("");
}

/** Units at the start of both strings that are equal; never half a pair. */
function alikeAtStart(a: string, b: string): number {
  const n = Math.min(a.length, b.length);
  let k = 0;
  while (k < n && a.charCodeAt(k) === b.charCodeAt(k)) k++;
  return k > 0 && (a.charCodeAt(k - 1) & 0xfc00) === 0xd800 ? k - 1 : k;
}

/** Units at the end of both strings that are equal, beyond the `head` that was counted at the start. */
function alikeAtEnd(a: string, b: string, head: number): number {
  const n = Math.min(a.length, b.length) - head;
  let k = 0;
  while (k < n && a.charCodeAt(a.length - 1 - k) === b.charCodeAt(b.length - 1 - k)) k++;
  return k > 0 && (a.charCodeAt(a.length - k) & 0xfc00) === 0xdc00 ? k - 1 : k;
}
