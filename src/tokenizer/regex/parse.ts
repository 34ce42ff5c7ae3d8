/**
 * Reading a regular expression as Oniguruma does, which is what Hugging Face tokenizers run them with.
 *
 * Read are: characters and their escapes, sets with everything that they may hold (ranges, `\s`, `\p{...}`,
 * sets within sets, `&&`), groups, choices, repetitions (greedy, lazy, and possessive ones of a single
 * character), `(?i:...)`, looking ahead a bounded way and behind by one character, `^ $ \A \z \Z \b \B`.
 * Whatever else Oniguruma knows is refused by name, and so is what would make time unbounded or is read in
 * more than one way: `\1`, atomic groups, repetitions of what can be empty, `{n}?`.
 *
 * Case is folded as Oniguruma folds it, which is more than upper and lower: `(?i:s)` is also U+017F. Only
 * ASCII letters and characters without case are let in there, and no `ss`, `st`, `ff`, `fi`, `fl`, each of
 * which would also match one character.
 *
 * @module
 */

import { show } from "../../errors.ts";
import { characters } from "../categories.ts";
import { MAX_DEPTH, unsupported } from "../fields.ts";
import { complement, END, intersection, type Ranges, union } from "./sets.ts";

/** A part of an expression. */
export type Node =
  | { readonly kind: "set"; readonly ranges: Ranges }
  | { readonly kind: "sequence"; readonly parts: readonly Node[] }
  | { readonly kind: "choice"; readonly options: readonly Node[] }
  | {
    readonly kind: "repeat";
    readonly body: Node;
    readonly min: number;
    readonly max: number;
    readonly lazy: boolean;
  }
  | { readonly kind: "ahead"; readonly body: Node; readonly negative: boolean }
  | { readonly kind: "behind"; readonly ranges: Ranges; readonly negative: boolean };

/** The longest expressions in use have some hundreds. */
const MAX_LENGTH = 10_000;
/** More copies of a part than this are not made. */
const MAX_COUNT = 1000;

const SUPPORTED =
  "characters, sets, groups, choices, repetitions, (?i:...), bounded looking ahead, ^ $ \\A \\z \\Z \\b \\B";

/** Reads an expression. @throws {TokenizerError} `tokenizer/unsupported` */
export function parseRegex(pattern: string, where: string): Node {
  return new Parser(pattern, where).whole();
}

/** How many characters a part matches: least and most. */
export function lengthOf(node: Node): [least: number, most: number] {
  switch (node.kind) {
    case "set":
      return [1, 1];
    case "sequence":
      return node.parts.map(lengthOf).reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
    case "choice":
      return node.options.map(lengthOf)
        .reduce(([a, b], [c, d]) => [Math.min(a, c), Math.max(b, d)], [Infinity, 0]);
    case "repeat": {
      const [least, most] = lengthOf(node.body);
      return [least * node.min, most === 0 ? 0 : most * node.max];
    }
  }
  return [0, 0];
}

const single = (codePoint: number): Ranges => [codePoint, codePoint + 1];

const CONTROLS: Readonly<Record<string, number>> = {
  n: 10,
  r: 13,
  t: 9,
  f: 12,
  v: 11,
  a: 7,
  e: 27,
};

/** Looking at the one character after or before a place. */
const ahead = (ranges: Ranges, negative: boolean): Node => ({
  kind: "ahead",
  body: { kind: "set", ranges },
  negative,
});
const behind = (ranges: Ranges, negative: boolean): Node => ({ kind: "behind", ranges, negative });
const sequence = (...parts: Node[]): Node => ({ kind: "sequence", parts });
const choice = (...options: Node[]): Node => ({ kind: "choice", options });

const ANY: Ranges = [0, END], LINE_FEED = single(10);
const TEXT_START = behind(ANY, true), TEXT_END = ahead(ANY, true);

/** Places between characters, by what is beside them. */
function edge(name: string): Node | undefined {
  switch (name) {
    case "\\A":
      return TEXT_START;
    case "\\z":
      return TEXT_END;
    case "\\Z": // before a line feed that ends the text, too
      return choice(TEXT_END, {
        kind: "ahead",
        body: sequence({ kind: "set", ranges: LINE_FEED }, TEXT_END),
        negative: false,
      });
    case "^": // not after a line feed that ends the text
      return choice(TEXT_START, sequence(behind(LINE_FEED, false), ahead(ANY, false)));
    case "$":
      return choice(TEXT_END, ahead(LINE_FEED, false));
    case "\\b":
    case "\\B": {
      const word = characters("\\w")!, inner = name === "\\B";
      return choice(
        sequence(behind(word, false), ahead(word, !inner)),
        sequence(behind(word, true), ahead(word, inner)),
      );
    }
  }
  return undefined;
}

/** Classes with no case, or with both cases of all that they have. */
const CASELESS = /^\\[sSdD]$|^\\[pP]\{\^?[NPSZ][a-z]?\}$/;

/** Letters of which two without case are also one character; Oniguruma puts neighbours together across groups. */
const LIGATURES: readonly string[] = ["ss", "st", "ff", "fi", "fl"];
const LIGATURE_LETTERS = ["f", "i", "l", "s", "t"].map((letter) =>
  [letter, foldedLetter(letter)] as const
);

/** Which of these letters without case a part begins (`at` 0) or ends (-1) with. */
function letterOf(node: Node, at: 0 | -1): string {
  switch (node.kind) {
    case "sequence": {
      const part = node.parts.at(at);
      return part === undefined ? "" : letterOf(part, at);
    }
    case "repeat":
      return letterOf(node.body, at);
    case "set": {
      const key = node.ranges.join();
      return LIGATURE_LETTERS.find(([, ranges]) => ranges.join() === key)?.[0] ?? "";
    }
  }
  return "";
}

/** An ASCII letter in both cases, and what else Oniguruma takes for it. */
function foldedLetter(letter: string): Ranges {
  const other = { k: 0x212a, s: 0x17f }[letter.toLowerCase()]; // Kelvin sign, long s
  const both = union(
    single(letter.toLowerCase().charCodeAt(0)),
    single(letter.toUpperCase().charCodeAt(0)),
  );
  return other === undefined ? both : union(both, single(other));
}

class Parser {
  private readonly pattern: string;
  private readonly where: string;
  private at = 0;
  private depth = 0;
  private fold = false;

  constructor(pattern: string, where: string) {
    this.pattern = pattern;
    this.where = where;
  }

  whole(): Node {
    if (this.pattern.length > MAX_LENGTH) {
      throw this.refused(`an expression of more than ${MAX_LENGTH} characters`);
    }
    // Anywhere else it would hold for part of a choice, and for which part is a peculiarity.
    if (this.take("(?i)")) this.fold = true;
    const node = this.choice();
    if (this.at < this.pattern.length) throw this.refused("a ) without a (");
    return node;
  }

  private refused(what: string): Error {
    return unsupported(this.where, `${what} in ${show(this.pattern)}`, SUPPORTED);
  }

  private take(text: string): boolean {
    if (!this.pattern.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  private choice(): Node {
    if (this.depth > MAX_DEPTH) throw this.refused(`nesting more than ${MAX_DEPTH} deep`);
    const options = [this.sequence()];
    while (this.take("|")) options.push(this.sequence());
    return options.length === 1 ? options[0] : choice(...options);
  }

  private sequence(): Node {
    const parts: Node[] = [];
    while (this.at < this.pattern.length && !/[|)]/.test(this.pattern[this.at])) {
      parts.push(this.repeated(this.atom()));
      if (parts.length < 2) continue;
      const pair = letterOf(parts[parts.length - 2], -1) + letterOf(parts[parts.length - 1], 0);
      if (LIGATURES.includes(pair)) throw this.refused(`${show(pair)} without case`);
    }
    return parts.length === 1 ? parts[0] : sequence(...parts);
  }

  private repeated(body: Node): Node {
    const rest = this.pattern.slice(this.at, this.at + 12);
    const found = /^(?:([*+?])([?+]?)|\{(?:(\d{1,4})|(\d{0,4}),(\d{0,4}))\}(\??))/.exec(rest);
    if (found === null) {
      if (rest[0] === "{") throw this.refused("a { that is no repetition");
      return body;
    }
    this.at += found[0].length;
    const [all, sign, suffix, exactly, least, most, after] = found;
    if (/[*+?{]/.test(this.pattern[this.at] ?? "")) {
      throw this.refused(`${show(all + this.pattern[this.at])}, a repetition of a repetition`);
    }
    if (exactly !== undefined && after === "?") throw this.refused(show(all));
    if (least === "" && most === "") throw this.refused(show(all));
    const min = sign ? Number(sign === "+") : Number(exactly ?? least);
    const max = sign ? (sign === "?" ? 1 : Infinity) : Number(exactly ?? (most || Infinity));
    if (min > max || min > MAX_COUNT || (max > MAX_COUNT && max < Infinity)) {
      throw this.refused(`${show(all)}; a count is at most ${MAX_COUNT}`);
    }
    // Without end it would never end; with one, Oniguruma goes about it in ways of its own.
    if (lengthOf(body)[0] === 0) throw this.refused(`${show(all)} after what can be empty`);
    const repeat: Node = { kind: "repeat", body, min, max, lazy: suffix === "?" || after === "?" };
    if (suffix !== "+") return repeat;
    // It takes all it can: after it nothing of its kind comes.
    if (body.kind !== "set") throw this.refused(`${show(all)} after more than one character`);
    const none = ahead(body.ranges, true);
    return max === 1 ? choice(body, none) : sequence(repeat, none);
  }

  private atom(): Node {
    if (this.take("(")) return this.group();
    if (this.take("[")) return { kind: "set", ranges: this.set() };
    if (this.take(".")) return { kind: "set", ranges: complement(LINE_FEED) };
    if (/[*+?{]/.test(this.pattern[this.at])) {
      throw this.refused(`${this.pattern[this.at]} after nothing`);
    }
    for (const length of [1, 2]) {
      const found = edge(this.pattern.slice(this.at, this.at + length));
      if (found === undefined) continue;
      this.at += length;
      return found;
    }
    return { kind: "set", ranges: this.characterClass() ?? this.folded(this.character()) };
  }

  /** What stands after a `(`. */
  private group(): Node {
    const outer = this.fold, from = this.at - 1;
    let wrap = (body: Node): Node => body;
    if (this.take("?i:")) this.fold = true;
    else if (this.take("?-i:")) this.fold = false;
    else if (this.take("?=") || this.take("?!")) {
      const negative = this.pattern[this.at - 1] === "!";
      wrap = (body) => {
        if (lengthOf(body)[1] === Infinity) throw this.refused("looking ahead without a bound");
        return { kind: "ahead", body, negative };
      };
    } else if (this.take("?<=") || this.take("?<!")) {
      const negative = this.pattern[this.at - 1] === "!";
      wrap = (body) => {
        if (body.kind !== "set") throw this.refused("looking behind by other than one character");
        return behind(body.ranges, negative);
      };
    } else if (!this.take("?:") && this.pattern[this.at] === "?") {
      throw this.refused(`a group ${show(this.pattern.slice(from, from + 4))}`);
    }
    this.depth++;
    const body = this.choice();
    this.depth--;
    this.fold = outer;
    if (!this.take(")")) throw this.refused("a ( without a )");
    return wrap(body);
  }

  /** What stands after a `[`, its `]` included. */
  private set(): Ranges {
    if (++this.depth > MAX_DEPTH) throw this.refused(`nesting more than ${MAX_DEPTH} deep`);
    const negative = this.take("^"), from = this.at;
    let all: Ranges | undefined; // what stands before an &&
    let ranges: Ranges = [];
    const meet = (): Ranges => all === undefined ? ranges : intersection(all, ranges);
    if (this.pattern[from] === "]") throw this.refused("a ] first in a set");
    while (!this.take("]")) {
      if (this.at >= this.pattern.length) throw this.refused("a [ without a ]");
      if (this.take("&&")) {
        all = meet();
        ranges = [];
        continue;
      }
      if (this.take("[")) {
        if (this.pattern[this.at] === ":") throw this.refused("[:");
        ranges = union(ranges, this.set());
        continue;
      }
      const start = this.at;
      const named = this.characterClass();
      if (named !== undefined) {
        ranges = union(ranges, named);
        continue;
      }
      const dash = this.pattern[start] === "-";
      const first = this.character();
      let last = first;
      if (this.pattern[this.at] === "-" && this.pattern[this.at + 1] !== "]") {
        this.at++;
        if (this.pattern[this.at] === "[" || this.characterClass() !== undefined) {
          throw this.refused("a range to a set");
        }
        last = this.character();
        if (last < first) throw this.refused(show(this.pattern.slice(start, this.at)));
      }
      // A - that is neither first nor last nor escaped is read now so, now so.
      if (dash && (last > first || (start !== from && this.pattern[this.at] !== "]"))) {
        throw this.refused("a - in the middle of a set");
      }
      if (!this.fold) ranges = union(ranges, [first, last + 1]);
      else if (last > first && last > 0x7f) {
        throw this.refused(`${show(this.pattern.slice(start, this.at))} without case`);
      } else for (let c = first; c <= last; c++) ranges = union(ranges, this.folded(c));
    }
    this.depth--;
    return negative ? complement(meet()) : meet();
  }

  /** `\s`, `\p{L}` and the like; undefined if something else stands here. */
  private characterClass(): Ranges | undefined {
    const found = /^\\(?:([sSdDwW])|([pP])\{(\^?)([A-Za-z_ -]{1,40})\})/
      .exec(this.pattern.slice(this.at, this.at + 48));
    if (found === null) return undefined;
    const [all, letter, property, not, name] = found;
    const ranges = characters(letter ? `\\${letter.toLowerCase()}` : name);
    if (ranges === undefined) throw this.refused(all);
    if (this.fold && !CASELESS.test(all)) throw this.refused(`${all} without case`);
    this.at += all.length;
    const negative = (letter ?? property) < "a" !== (not === "^");
    return negative ? complement(ranges) : ranges;
  }

  /** A character, as it is or escaped. */
  private character(): number {
    if (this.at >= this.pattern.length) throw this.refused("no end");
    if (!this.take("\\")) {
      const codePoint = this.pattern.codePointAt(this.at)!;
      this.at += codePoint > 0xffff ? 2 : 1;
      return codePoint;
    }
    const rest = this.pattern.slice(this.at, this.at + 12);
    // \x80 and above would be a byte of the UTF-8.
    const hex = /^(?:x\{([0-9A-Fa-f]{1,6})\}|x([0-7][0-9A-Fa-f])|u([0-9A-Fa-f]{4}))/.exec(rest);
    if (hex !== null) {
      const codePoint = parseInt(hex[1] ?? hex[2] ?? hex[3], 16);
      if (codePoint >= END || (codePoint & ~0x7ff) === 0xd800) throw this.refused(`\\${hex[0]}`);
      this.at += hex[0].length;
      return codePoint;
    }
    const control = CONTROLS[rest[0]];
    if (control === undefined && !/^[!-/:-@[-`{-~ ]/.test(rest)) {
      throw this.refused(`\\${rest[0] ?? ""}`);
    }
    this.at++;
    return control ?? rest.charCodeAt(0);
  }

  /** The characters that a character stands for: where case is folded, both and others. */
  private folded(codePoint: number): Ranges {
    if (!this.fold) return single(codePoint);
    const character = String.fromCodePoint(codePoint);
    if (/^[a-z]$/i.test(character)) return foldedLetter(character);
    const cased = ["L", "M", "Nl", "So"].some((name) =>
      intersection(characters(name)!, single(codePoint)).length > 0
    );
    if (cased) throw this.refused(`${show(character)} without case`);
    return single(codePoint);
  }
}
