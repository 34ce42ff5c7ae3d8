/**
 * Finding a compiled expression in a text, in time that is at most the text times the expression.
 *
 * It is what Oniguruma does: of the ways to match, the first in the order of the expression, found by going
 * back to the last choice when a way fails. That alone can take exponential time, and finding one match after
 * another quadratic. But whether a step fails at a place depends on nothing else; so once a text has cost more
 * than it usually does, it is written down where which choice has failed, and none is tried a second time, in
 * this search or in a later one of the same stretch. A match is found at most once, since the next search
 * begins where it ends. Looking ahead is bounded, so it may find again what it found.
 *
 * @module
 */

import { TokenizerError } from "../../errors.ts";
import { joinSurrogates } from "../unicode.ts";
import { type Node, parseRegex } from "./parse.ts";
import {
  AHEAD,
  BEHIND,
  MATCH,
  NEXT,
  NOT_AHEAD,
  NOT_BEHIND,
  NOT_NEXT,
  Program,
  RUN,
  SET,
  SPLIT,
  WIDE,
} from "./program.ts";

/** Steps for a unit of the text, and for a stretch, after which failures are written down. */
const FREE_STEPS = 32;

/** Bytes for them. The expressions of current models need it for no text, or for one of twenty million units. */
const MAX_MEMORY = 1 << 26;

const NONE: Uint16Array = new Uint16Array(0);

/** A regular expression over UTF-16 code units whose surrogates are in pairs. */
export class Regex {
  /** Where the last match that {@link find} found begins and ends. */
  start = 0;
  end = 0;
  private readonly program: Program;

  // The stretch that is searched.
  private units: Uint16Array = NONE;
  private from = 0;
  private to = 0;
  private steps = 0;
  private failed: Uint8Array | undefined; // a bit for each place and SPLIT
  private lastEnd = -1;

  // Choices to go back to: a SPLIT and a place. A SPLIT below 0, ~split: both of its ways have been tried.
  private choices = new Int32Array(64);
  private places = new Int32Array(64);

  /** @throws {TokenizerError} `tokenizer/unsupported` */
  constructor(pattern: string | Node, where: string) {
    const node = typeof pattern === "string" ? parseRegex(pattern, where) : pattern;
    this.program = new Program(node, where);
  }

  /** Begins with a stretch, which is a text to itself: nothing outside it is seen. */
  enter(units: Uint16Array, from: number, to: number): void {
    this.units = units;
    this.from = this.end = from;
    this.to = to;
    this.steps = FREE_STEPS * (to - from + 2);
    this.lastEnd = -1;
    this.failed = undefined;
  }

  /** Finds the next match in the stretch; none is empty right after another. */
  find(): boolean {
    const { to } = this, { start, may, width } = this.program;
    for (let at = this.end; at <= to; at += this.isPair(at) ? 2 : 1) {
      if (may[start * width + this.classAt(at)] === 0) continue;
      const end = this.run(start, at, 0);
      if (end < 0 || (end === at && at === this.lastEnd)) continue;
      this.start = at;
      this.end = this.lastEnd = end;
      return true;
    }
    if (this.choices.length > 0x10000) {
      this.choices = new Int32Array(64);
      this.places = new Int32Array(64);
    }
    this.failed = undefined;
    this.units = NONE; // it may be large
    return false;
  }

  /** Whether a pair begins at a place. */
  private isPair(at: number): boolean {
    return at + 1 < this.to && (this.units[at] & 0xfc00) === 0xd800;
  }

  /** The class of the character at a place. */
  private classAt(at: number): number {
    const { program } = this;
    if (at >= this.to) return program.width - 1;
    const found = program.classes[this.units[at]];
    if (found !== WIDE) return found;
    return program.classOf(joinSurrogates(this.units[at], this.units[at + 1]));
  }

  /** Where the first way to match from `step` on ends that begins at `at`; -1 if there is none. */
  private run(step: number, at: number, base: number): number {
    const { kinds, values, next, marks, splits, may, width } = this.program;
    let top = base, here = this.classAt(at);
    for (;;) {
      let good = true;
      this.steps--;
      switch (kinds[step]) {
        case MATCH:
          return at;
        case SET:
          good = may[step * width + here] === 1;
          if (!good) break;
          at += this.isPair(at) ? 2 : 1;
          here = this.classAt(at);
          break;
        case RUN:
          for (const set = values[step] * width; may[set + here] === 1;) {
            at += this.isPair(at) ? 2 : 1;
            here = this.classAt(at);
          }
          break;
        case SPLIT:
          if (this.steps >= 0) {
            // Mostly there is but one way. (If there is none, either fails in a step.)
            if (may[values[step] * width + here] === 0) break;
            if (may[next[step] * width + here] === 0) {
              step = values[step];
              continue;
            }
          } else {
            this.failed ??= this.makeFailed();
            const mark = (at - this.from) * splits + marks[step];
            good = (this.failed[mark >>> 3] & (1 << (mark & 7))) === 0;
            if (!good) break;
          }
          if (top === this.choices.length) this.grow();
          this.choices[top] = step;
          this.places[top++] = at;
          break;
        case AHEAD:
        case NOT_AHEAD:
          good = (this.run(values[step], at, top) >= 0) === (kinds[step] === AHEAD);
          break;
        case NEXT:
        case NOT_NEXT:
          good = (may[values[step] * width + here] === 1) === (kinds[step] === NEXT);
          break;
        case BEHIND:
        case NOT_BEHIND:
          good = (may[values[step] * width + this.classBefore(at)] === 1) ===
            (kinds[step] === BEHIND);
          break;
        default:
          good = false;
      }
      if (good) {
        step = next[step];
        continue;
      }
      // Back to the last choice that has a way left.
      for (;;) {
        if (top === base) return -1;
        step = this.choices[--top];
        at = this.places[top];
        if (step >= 0) {
          this.choices[top++] = ~step;
          step = values[step];
          here = this.classAt(at);
          break;
        }
        if (this.failed) {
          const mark = (at - this.from) * splits + marks[~step];
          this.failed[mark >>> 3] |= 1 << (mark & 7);
        }
      }
    }
  }

  /** The class of the character before a place; that of the text's end if there is none. */
  private classBefore(at: number): number {
    if (at === this.from) return this.program.width - 1;
    const wide = at - 1 > this.from && (this.units[at - 1] & 0xfc00) === 0xdc00;
    return this.classAt(wide ? at - 2 : at - 1);
  }

  private makeFailed(): Uint8Array {
    const size = Math.ceil((this.to - this.from + 1) * this.program.splits / 8);
    if (size <= MAX_MEMORY) return new Uint8Array(size);
    throw new TokenizerError(
      "tokenizer/growth",
      `a stretch of ${
        this.to - this.from
      } code units is too long for the file's regular expressions`,
    );
  }

  private grow(): void {
    const { choices, places } = this;
    this.choices = new Int32Array(2 * choices.length);
    this.choices.set(choices);
    this.places = new Int32Array(2 * places.length);
    this.places.set(places);
  }
}
