/**
 * Cutting a text into words, step by step.
 *
 * A step takes a text and the stretches it has been cut into, and gives the stretches that remain, in the same
 * text or in a new one whose units still know where they come from ({@link Aligned}).
 *
 * The step that is here decides by the character alone: it is dropped (white space), stands alone
 * (punctuation), or continues a run of its kind. So it is a table from a character's class - space or not,
 * punctuation or not, `\w` or not, eight cases - to what is done with it, and several such steps in a row are
 * one table again: a character is dropped if any drops it, stands alone if any sets it apart, and continues a
 * run if all of them would. What BERT does is one pass over the text.
 *
 * @module
 */

import type { Aligned } from "./aligned.ts";
import { classes, flagsAbove, joinSurrogates, SURROGATE } from "./unicode.ts";

/** Stretches of a text, in order, none empty. */
export class Spans {
  /** Begin and end by turns; the first `length` count. */
  bounds: Int32Array = new Int32Array(256);
  length = 0;

  /** Appends a stretch. */
  push(from: number, to: number): void {
    const n = this.length;
    if (n === this.bounds.length) {
      const old = this.bounds;
      this.bounds = new Int32Array(2 * n);
      this.bounds.set(old);
    }
    this.bounds[n] = from;
    this.bounds[n + 1] = to;
    this.length = n + 2;
  }

  /** Gives memory back if there is much of it. */
  release(): void {
    this.length = 0;
    if (this.bounds.length > 0x10000) this.bounds = new Int32Array(256);
  }
}

/**
 * One step. Appends what remains of `spans` to `out`. True if `out` is about `target`, which then has the
 * text; false if it is about `source`, which is unchanged.
 */
export type Cut = (source: Aligned, spans: Spans, target: Aligned, out: Spans) => boolean;

/** Puts a unit that stands for a space before what begins at `at` in the caller's text; it has an empty place. */
export function putSpace(target: Aligned, unit: number, at: number): void {
  const n = target.length;
  target.reserve(n + 1);
  target.length = n + 1;
  target.units[n] = unit;
  target.starts[n] = target.ends[n] = at;
}

/** The character is dropped. */
export const DROPPED = 255;
/** The character is a word of its own. */
export const ALONE = 254;

/**
 * What to do with a character, by its flags SPACE, PUNCTUATION and WORD: eight elements, each {@link DROPPED},
 * {@link ALONE}, or the number of the kind whose runs are words.
 */
export type ClassTable = Uint8Array;

/** Lets a further step decide about the classes that have `flag`; the stronger decision stays. */
export function decide(table: ClassTable, flag: number, kind: number): void {
  for (let flags = 0; flags < 8; flags++) {
    if (flags & flag) table[flags] = Math.max(table[flags], kind);
  }
}

/** The step of a table. */
export function cutByClass(table: ClassTable): Cut {
  return ({ units }, { bounds, length }, _, out) => {
    const flagTable = classes(), bmp = flagTable.bmp;
    for (let s = 0; s < length; s += 2) {
      const to = bounds[s + 1];
      let begin = bounds[s];
      let kind: number = DROPPED; // of the run that is open; DROPPED: none is
      for (let i = begin; i < to;) {
        let flags = bmp[units[i]];
        let width = 1;
        if (flags & SURROGATE) {
          flags = flagsAbove(flagTable, joinSurrogates(units[i], units[i + 1]));
          width = 2;
        }
        const here = table[flags & 7];
        if (here !== kind || here === ALONE) {
          if (kind !== DROPPED) out.push(begin, i);
          begin = i;
          kind = here;
        }
        i += width;
      }
      if (kind !== DROPPED) out.push(begin, to);
    }
    return false;
  };
}
