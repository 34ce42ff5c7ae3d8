/**
 * Split: cutting where something matches - an expression, a string, a class of characters.
 *
 * What becomes of a match is the behavior: a piece of its own (Isolated), dropped (Removed), one piece with
 * the matches beside it (Contiguous), or part of the piece before or after it. Inverted, what lies between
 * matches is what matches.
 *
 * @module
 */

import { show } from "../errors.ts";
import type { Cut, Spans } from "./cuts.ts";
import { type Fields, invalid, readObject, readString } from "./fields.ts";
import { Regex } from "./regex/match.ts";

/** What becomes of a match. */
export type Behavior =
  | "Isolated"
  | "Removed"
  | "Contiguous"
  | "MergedWithPrevious"
  | "MergedWithNext";

const BEHAVIORS = "Isolated, Removed, Contiguous, MergedWithPrevious, MergedWithNext";

/** Reads the `behavior` of a component. */
export function readBehavior(fields: Fields, where: string): Behavior {
  const behavior = readString(fields, "behavior", where);
  if (BEHAVIORS.split(", ").includes(behavior)) return behavior as Behavior;
  throw invalid(`${where}.behavior`, `expected one of ${BEHAVIORS}, got ${show(behavior)}`);
}

/** Reads a `pattern`: a string that means itself, or an expression. */
export function readPattern(fields: Fields, where: string): Regex {
  const pattern = readObject(fields.pattern, `${where}.pattern`);
  if (pattern.Regex !== undefined) {
    const regex = readString(pattern, "Regex", `${where}.pattern`);
    return new Regex(regex, `${where}.pattern.Regex`);
  }
  const text = readString(pattern, "String", `${where}.pattern`);
  return new Regex(text.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&"), `${where}.pattern.String`);
}

/** The step that cuts where `regex` finds something. */
export function cutMatches(regex: Regex, behavior: Behavior, invert = false): Cut {
  return ({ units }, { bounds, length }, _, out) => {
    const pieces = new Pieces(behavior, out);
    for (let s = 0; s < length; s += 2) {
      const from = bounds[s], to = bounds[s + 1];
      let done = from;
      regex.enter(units, from, to);
      while (regex.find()) {
        const { start, end } = regex;
        if (done < start) pieces.add(done, start, invert);
        pieces.add(start, end, !invert);
        done = end;
      }
      if (done < to) pieces.add(done, to, invert);
      pieces.done();
    }
    return false;
  };
}

/** Puts matches and what lies between them together to pieces. */
class Pieces {
  private readonly behavior: Behavior;
  private readonly out: Spans;
  private from = -1; // a piece that may go on; -1: there is none
  private to = -1;
  private matched = false; // whether the last one was a match

  constructor(behavior: Behavior, out: Spans) {
    this.behavior = behavior;
    this.out = out;
  }

  /** Takes the next stretch, which may be empty. */
  add(from: number, to: number, matches: boolean): void {
    if (this.from >= 0 && this.joins(matches)) this.to = to;
    else {
      this.put();
      if (!matches || this.behavior !== "Removed") {
        this.from = from;
        this.to = to;
      }
    }
    this.matched = matches;
  }

  /** Ends with the last stretch. */
  done(): void {
    this.put();
    this.matched = false;
  }

  private joins(matches: boolean): boolean {
    switch (this.behavior) {
      case "Contiguous":
        return matches === this.matched;
      case "MergedWithPrevious":
        return matches && !this.matched;
      case "MergedWithNext":
        return !matches && this.matched;
    }
    return false;
  }

  private put(): void {
    if (this.from >= 0 && this.from < this.to) this.out.push(this.from, this.to);
    this.from = -1;
  }
}
