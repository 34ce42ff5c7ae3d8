/**
 * Terms of several lists in a text, in one pass: leftmost longest matches that begin where a word begins.
 *
 * From the beginning of each word the text is hashed unit by unit, as far as the longest term goes, and each beginning
 * is looked up in one table over all lists, and in another over lists that came later. A list's matches do not overlap; different lists' may. The time is that of
 * the text times the longest term's length, a constant of the model, whatever the text.
 *
 * @module
 */
import { ModelError } from "../errors.ts";
import { finish, FIRST, SECOND, stepFirst, stepSecond } from "./fingerprint.ts";
import { BLANK, fold, type Folded, HALF, IN_WORD } from "./folded.ts";

/** Terms to be found. */
export interface TermSource {
  /** Which list they belong to. */
  readonly list: number;
  /** Two words a term. */
  readonly fingerprints: Int32Array;
}

/** How terms are found. */
export interface MatchRules {
  /**
   * Whether a term may end inside a word: anywhere (true), nowhere, or where one of these endings is left of the word.
   */
  readonly inflected: boolean | ReadonlySet<string>;
  /** Length of the longest term. */
  readonly longest: number;
}

/** A term in a text. */
export interface Match {
  /** Its list. */
  readonly list: number;
  /** Which source it is of, and which of its terms. */
  readonly source: number;
  readonly term: number;
  /** UTF-16 code units of the caller's text. */
  readonly start: number;
  readonly end: number;
}

/** Shortest term that one of a set of endings may follow: less is more often chance than grammar. */
const MIN_STEM = 3;

/** Where a list's longest term from the beginning of a word ends. */
interface Best {
  end: number;
  source: number;
  term: number;
}

/**
 * Longest way to a free slot, times the sources, which may all have the same terms. Fingerprints are as good as random: in a
 * table that is half empty, a million of them leave no way of 256 but once in 10^15 tables (a run of k slots has the
 * probability (sqrt(e) / 2)^k). A file that was made to have longer ones would take half an
 * hour to be loaded.
 */
const LONGEST_WAY = 256;

/** Terms of some sources by fingerprint. */
class Table {
  /** Open addressing by the first word: both words of a fingerprint, its source (from 1; 0: nothing) and its term. */
  readonly slots: Int32Array;
  readonly #mask: number;

  /**
   * `before`: how many sources are in other tables, which are counted first. Throws {@link ModelError} `model/lexicon` for
   * fingerprints that no terms have.
   */
  constructor(sources: readonly TermSource[], before: number) {
    const terms = sources.reduce((sum, { fingerprints }) => sum + fingerprints.length / 2, 0);
    let size = 16;
    while (size < 2 * terms) size *= 2;
    this.slots = new Int32Array(4 * size);
    this.#mask = size - 1;
    const longest = LONGEST_WAY * sources.length;
    sources.forEach(({ fingerprints }, i) => {
      for (let term = 0; term < fingerprints.length / 2; term++) {
        const a = fingerprints[2 * term]!, b = fingerprints[2 * term + 1]!;
        let slot = a & this.#mask;
        for (let way = 0; this.slots[4 * slot + 2] !== 0; slot = (slot + 1) & this.#mask) {
          if (++way <= longest) continue;
          throw new ModelError(
            "model/lexicon",
            `The fingerprints of ${
              fingerprints.length / 2
            } terms are too much alike to be those of different terms.`,
          );
        }
        this.slots.set([a, b, before + i + 1, term], 4 * slot);
      }
    });
  }

  /** The next slot from one on that has a term with this fingerprint; -1: there is none. */
  next(a: number, b: number, from: number): number {
    const { slots } = this, mask = this.#mask;
    for (let slot = from & mask; slots[4 * slot + 2] !== 0; slot = (slot + 1) & mask) {
      if (slots[4 * slot] === a && slots[4 * slot + 1] === b) return slot;
    }
    return -1;
  }
}

/** Finds the terms of sources; where two sources of a list have one, the later one's counts. */
export class Matcher {
  readonly #rules: MatchRules;
  readonly #sources: readonly TermSource[];
  readonly #tables: readonly Table[];
  /** How far beyond the beginning of a word decides about what begins there. */
  readonly #reach: number;

  /** With the sources of `first`, if it is given, before these; its table is shared and not made again. */
  constructor(sources: readonly TermSource[], rules: MatchRules, first?: Matcher) {
    const before = first ? first.#sources : [];
    this.#rules = rules;
    this.#sources = [...before, ...sources];
    this.#tables = [...(first ? first.#tables : []), new Table(sources, before.length)];
    this.#reach = rules.longest + longestOf(rules.inflected);
  }

  /** All matches, by where they begin; with `all` every term that begins at a word, also within others. */
  match(text: string, { all = false }: { readonly all?: boolean } = {}): Match[] {
    return this.#look(text, new Map(), true, all).matches;
  }

  /**
   * The matches of a text that goes on: those that begin before `until`, which is where a word begins and the next part
   * of the text has to. `free` is where, in this part, each list's next match may begin.
   */
  part(
    text: string,
    free: Map<number, number>,
    ended: boolean,
  ): { readonly matches: readonly Match[]; readonly until: number } {
    return this.#look(text, free, ended, false);
  }

  #look(
    text: string,
    free: Map<number, number>,
    ended: boolean,
    all: boolean,
  ): { matches: Match[]; until: number } {
    const { inflected, longest } = this.#rules, folded = fold(text);
    const { length, units, kinds, starts, ends } = folded;
    const matches: Match[] = [];
    for (let i = 0; i < length; i++) {
      if (!(kinds[i]! & IN_WORD) || i > 0 && kinds[i - 1]! & IN_WORD) continue;
      // What stands behind decides whether a term ends there.
      if (!ended && i + this.#reach >= length) return { matches, until: starts[i]! };
      const best: (Best | undefined)[] = [], last = Math.min(length, i + longest);
      const keep = (list: number, { end, source, term }: Best): void => {
        matches.push({ list, source, term, start: starts[i]!, end: ends[end - 1]! });
      };
      for (let j = i, a = FIRST, b = SECOND; j < last; j++) {
        a = stepFirst(a, units[j]!);
        b = stepSecond(b, units[j]!);
        if (kinds[j]! & (HALF | BLANK)) continue;
        const inside = j + 1 < length && (kinds[j]! & kinds[j + 1]! & IN_WORD) !== 0;
        if (inside && inflected === false) continue;
        const first = finish(a), second = finish(b);
        for (const table of this.#tables) {
          for (
            let slot = table.next(first, second, first);
            slot >= 0;
            slot = table.next(first, second, slot + 1)
          ) {
            if (inside && inflected !== true && !mayEnd(folded, i, j + 1, inflected)) break;
            const source = table.slots[4 * slot + 2]! - 1, { list } = this.#sources[source]!;
            const found = { end: j + 1, source, term: table.slots[4 * slot + 3]! };
            if (all) keep(list, found);
            else if (starts[i]! >= (free.get(list) ?? 0)) best[list] = found;
          }
        }
      }
      best.forEach((found, list) => {
        if (found === undefined) return;
        keep(list, found);
        free.set(list, ends[found.end - 1]!);
      });
    }
    return { matches, until: text.length };
  }
}

/** Code units of a word's end, and one more that shows that it is one. */
function longestOf(inflected: MatchRules["inflected"]): number {
  if (typeof inflected === "boolean") return 0;
  return 1 + Math.max(0, ...Array.from(inflected, ({ length }) => length));
}

/** Whether what is left of a word behind a term is one of some endings. */
function mayEnd(
  { units, kinds, length }: Folded,
  start: number,
  end: number,
  endings: MatchRules["inflected"],
): boolean {
  if (typeof endings === "boolean" || end - start < MIN_STEM) return false;
  const most = Math.min(length, end + longestOf(endings));
  let last = end;
  while (last < most && kinds[last]! & IN_WORD) last++;
  return endings.has(String.fromCharCode(...units.subarray(end, last)));
}
