/**
 * An expression as a program: steps in parallel arrays, each with the step that follows it.
 *
 * Characters that no set of the expression tells apart are one class. For each step and class a table says
 * whether the step may go on from such a character; for a set that is all there is to know, and of a choice
 * mostly but one way is left.
 *
 * Every step but a {@link SPLIT} has one step before it: where two ways come together, a SPLIT with one way
 * that fails is put. So between SPLITs every way is a line, and remembering which SPLITs have failed at which
 * place is enough to try nothing twice (`match.ts`).
 *
 * @module
 */

import { unsupported } from "../fields.ts";
import type { Node } from "./parse.ts";
import { END, type Ranges } from "./sets.ts";

/** No way on. */
export const FAIL = 0;
/** The expression matches. */
export const MATCH = 1;
/** A character of the set that is the step's. */
export const SET = 2;
/** As many of the set `value` as there are; what follows cannot fail, so none is ever given back. */
export const RUN = 3;
/** First what follows, then, if that fails, `value`. */
export const SPLIT = 4;
/** The steps from `value` on match here, which are bounded; they do not. */
export const AHEAD = 5;
export const NOT_AHEAD = 6;
/** Here is a character of the set `value`; there is none. */
export const NEXT = 7;
export const NOT_NEXT = 8;
/** Before this place is a character of the set `value`; there is none. */
export const BEHIND = 9;
export const NOT_BEHIND = 10;

/** The class of the first half of a pair: look the code point up. */
export const WIDE = 0;

/** The largest expressions in use have two hundred steps; time is at most their number times the text. */
const MAX_STEPS = 1000;

/** A compiled expression; arrays are by step. */
export class Program {
  readonly kinds: number[] = [FAIL, MATCH];
  readonly values: number[] = [0, 0];
  readonly next: number[] = [0, 0];
  /** For each SPLIT its number among them. */
  readonly marks: number[] = [0, 0];
  splits = 0;
  /** The first step. */
  readonly start: number;

  /** How many classes there are, {@link WIDE} and the end of the text, which is the last, included. */
  readonly width: number;
  /** Whether a step may go on from a character of a class: `step * width + class`. */
  readonly may: Uint8Array;
  /** Classes of the basic plane. */
  readonly classes: Uint8Array | Uint16Array;
  private readonly bounds: Int32Array; // where runs of one class begin
  private readonly boundClasses: Int32Array;

  private readonly sets: (Ranges | undefined)[] = [undefined, undefined]; // of steps that are sets
  private readonly where: string;

  constructor(node: Node, where: string) {
    this.where = where;
    this.start = this.emit(node, MATCH);
    const bounds = new Set<number>([0]);
    for (const ranges of this.sets) for (const bound of ranges ?? []) bounds.add(bound);
    bounds.delete(END);
    this.bounds = Int32Array.from(bounds).sort();
    this.boundClasses = new Int32Array(this.bounds.length).fill(1);
    const count = this.classify();
    this.width = count + 1;
    this.classes = count > 255 ? new Uint16Array(0x10000) : new Uint8Array(0x10000);
    this.bounds.forEach((bound, i) => {
      this.classes.fill(this.boundClasses[i], bound, this.bounds[i + 1] ?? 0x10000);
    });
    this.classes.fill(WIDE, 0xd800, 0xdc00);
    this.may = this.judge();
  }

  /** The class of a code point. */
  classOf(codePoint: number): number {
    const { bounds } = this;
    let low = 0, high = bounds.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (bounds[mid] <= codePoint) low = mid + 1;
      else high = mid;
    }
    return this.boundClasses[low - 1];
  }

  private step(kind: number, value: number, next: number, ranges?: Ranges): number {
    const n = this.kinds.length;
    if (n >= MAX_STEPS) {
      throw unsupported(
        this.where,
        `an expression of more than ${MAX_STEPS} steps`,
        "shorter ones",
      );
    }
    this.kinds.push(kind);
    this.values.push(value);
    this.next.push(next);
    this.sets.push(ranges);
    this.marks.push(kind === SPLIT ? this.splits++ : 0);
    return n;
  }

  /** Adds a set that is only asked. */
  private asked(ranges: Ranges): number {
    return this.step(SET, 0, FAIL, ranges);
  }

  /** Adds the steps of a part that `next` follows; returns the first of them. */
  private emit(node: Node, next: number): number {
    switch (node.kind) {
      case "set":
        return this.step(SET, 0, next, node.ranges);
      case "sequence":
        return node.parts.reduceRight((after, part) => this.emit(part, after), next);
      case "choice": {
        const join = this.joined(next);
        return node.options.map((option) => this.emit(option, join))
          .reduceRight((second, first) => this.step(SPLIT, second, first));
      }
      case "repeat":
        return this.repeat(node.body, node.min, node.max, node.lazy, next);
      case "ahead": {
        const { body, negative } = node;
        return body.kind === "set"
          ? this.step(negative ? NOT_NEXT : NEXT, this.asked(body.ranges), next)
          : this.step(negative ? NOT_AHEAD : AHEAD, this.emit(body, MATCH), next);
      }
      case "behind":
        return this.step(node.negative ? NOT_BEHIND : BEHIND, this.asked(node.ranges), next);
    }
  }

  private repeat(body: Node, min: number, max: number, lazy: boolean, next: number): number {
    let first: number;
    const split = (again: number, on: number): number =>
      lazy ? this.step(SPLIT, again, on) : this.step(SPLIT, on, again);
    if (max < Infinity) {
      first = max > min ? this.joined(next) : next;
      const on = first;
      for (let n = max; n > min; n--) first = split(this.emit(body, first), on);
    } else if (body.kind === "set" && !lazy && this.succeeds(next)) {
      first = this.step(RUN, this.asked(body.ranges), next);
    } else {
      first = split(FAIL, next);
      const again = this.emit(body, first);
      if (lazy) this.values[first] = again;
      else this.next[first] = again;
    }
    for (let n = min; n > 0; n--) first = this.emit(body, first);
    return first;
  }

  /** A step that several ways may lead to. */
  private joined(next: number): number {
    const kind = this.kinds[next];
    return kind === SPLIT || kind === MATCH ? next : this.step(SPLIT, FAIL, next);
  }

  /** Whether a step that is there already matches anywhere. */
  private succeeds(step: number): boolean {
    for (;; step = this.values[step]) {
      if (this.kinds[step] === MATCH || this.kinds[step] === RUN) return true;
      if (this.kinds[step] !== SPLIT) return false;
      if (this.kinds[this.next[step]] === MATCH) return true;
    }
  }

  /** Gives characters that some set tells apart different classes, from 1 on; returns how many, and one. */
  private classify(): number {
    let count = 2;
    for (const ranges of this.sets) {
      if (ranges === undefined) continue;
      const parted = new Map<number, number>(); // classes outside the set -> inside
      const outside = new Set<number>();
      const inside: number[] = [];
      for (let i = 0, r = 0; i < this.bounds.length; i++) {
        while (r < ranges.length && ranges[r] <= this.bounds[i]) r++;
        if (r & 1) inside.push(i);
        else outside.add(this.boundClasses[i]);
      }
      for (const i of inside) {
        const old = this.boundClasses[i];
        if (!outside.has(old)) continue; // all of it is inside
        if (!parted.has(old)) parted.set(old, count++);
        this.boundClasses[i] = parted.get(old)!;
      }
    }
    return count;
  }

  /** Makes {@link may}. Ways in a circle are gone over until nothing is new. */
  private judge(): Uint8Array {
    const { kinds, values, next, width, bounds, boundClasses } = this;
    const may = new Uint8Array(kinds.length * width);
    may.fill(1, MATCH * width, (MATCH + 1) * width);
    this.sets.forEach((ranges, step) => {
      for (let i = 0, r = 0; ranges !== undefined && i < bounds.length; i++) {
        while (r < ranges.length && ranges[r] <= bounds[i]) r++;
        if (r & 1) may[step * width + boundClasses[i]] = 1;
      }
    });
    for (let changed = true; changed;) {
      changed = false;
      for (let step = 2; step < kinds.length; step++) {
        if (kinds[step] === SET) continue;
        const other = kinds[step] === SPLIT || kinds[step] === RUN ? values[step] : FAIL;
        for (let c = 0; c < width; c++) {
          const here = may[next[step] * width + c] | may[other * width + c];
          if (here > may[step * width + c]) {
            may[step * width + c] = here;
            changed = true;
          }
        }
      }
    }
    return may;
  }
}
