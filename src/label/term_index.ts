/**
 * A set of terms in which the longest that begins at a place is found: a trie that is not stored.
 *
 * All terms stand sorted in one array of code units. A node of the trie is a range of that array, the terms that share
 * a beginning; to follow an edge is to narrow the range by a binary search. A million terms of 25 characters take 60 MB
 * so, a third of what nodes with pointers would, and one allocation each for units, places and types.
 *
 * Weak where: the first steps of each walk search wide ranges, some 20 probes each; from the third or fourth character on there
 * is little left to search.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import { Folder } from "./folded.ts";

/** A name of something. */
export interface Term {
  /** As it is written. */
  readonly text: string;
  /** Entity type. */
  readonly type: string;
}

/** A term given in capitals of at most so many letters is an acronym, which matches only in capitals: ALL is not all. */
export const MAX_ACRONYM = 5;

const ACRONYM = 1 << 15;

/** Whether a term is an acronym. */
function isAcronym(text: string): boolean {
  return text.length <= MAX_ACRONYM && text === text.toUpperCase() && text !== text.toLowerCase();
}

/** Looks at a term that begins where it was asked and ends, exclusive, at `end`: whether it may be taken. */
export type Accept = (end: number, acronym: boolean) => boolean;

/** Terms, folded and sorted. */
export class TermIndex {
  /** The types of the terms. */
  readonly types: readonly string[];
  /** How many distinct terms there are. */
  readonly size: number;
  /** Terms that were given again under another type; the first type counts. */
  readonly ambiguous: number;
  readonly #units: Uint16Array;
  /** Where each term begins in the units, and one more. */
  readonly #places: Uint32Array;
  readonly #kinds: Uint16Array;

  private constructor(
    keys: readonly string[],
    kinds: Uint16Array,
    types: readonly string[],
    ambiguous: number,
  ) {
    const total = keys.reduce((sum, key) => sum + key.length, 0);
    const units = new Uint16Array(total), places = new Uint32Array(keys.length + 1);
    let at = 0;
    keys.forEach((key, i) => {
      for (let k = 0; k < key.length; k++) units[at++] = key.charCodeAt(k);
      places[i + 1] = at;
    });
    this.types = types;
    this.size = keys.length;
    this.ambiguous = ambiguous;
    this.#units = units;
    this.#places = places;
    this.#kinds = kinds;
  }

  /** Bytes that the terms take. */
  get memoryBytes(): number {
    return this.#units.byteLength + this.#places.byteLength + this.#kinds.byteLength;
  }

  /**
   * Folds and sorts terms. Those of fewer than `minLength` code units when folded are left out. Throws {@link InputError}
   * `input/data` if none is left, or there are more than 32,767 types.
   */
  static async from(
    terms: Iterable<Term> | AsyncIterable<Term>,
    minLength = 2,
  ): Promise<TermIndex> {
    const folder = new Folder(), columns = new Map<string, number>();
    const kindOf = new Map<string, number>();
    let ambiguous = 0;
    for await (const { text, type } of terms) {
      const key = folder.key(text);
      if (key.length < minLength) continue;
      let column = columns.get(type);
      if (column === undefined) columns.set(type, column = columns.size);
      const kind = column | (isAcronym(text.trim()) ? ACRONYM : 0), known = kindOf.get(key);
      if (known === undefined) kindOf.set(key, kind);
      else if ((known & ~ACRONYM) !== column) ambiguous++;
      // Also written small: then it is a word like others.
      else kindOf.set(key, known & kind);
    }
    if (kindOf.size === 0 || columns.size >= ACRONYM) {
      throw new InputError(
        "input/data",
        kindOf.size === 0
          ? "the lists hold no term: nothing could be found by them."
          : `the terms are of ${columns.size} types; expected fewer than ${ACRONYM}.`,
      );
    }
    const keys = [...kindOf.keys()].sort();
    const kinds = Uint16Array.from(keys, (key) => kindOf.get(key)!);
    return new TermIndex(keys, kinds, [...columns.keys()], ambiguous);
  }

  /**
   * The longest term that begins at `from` and that `accept` takes: its type and where it ends, exclusive; undefined:
   * there is none.
   */
  longest(
    units: Uint16Array,
    from: number,
    length: number,
    accept: Accept,
  ): { type: string; end: number } | undefined {
    const places = this.#places;
    let low = 0, high = this.size, found = -1, end = 0;
    for (let at = from; at < length; at++) {
      const depth = at - from, unit = units[at]!;
      // A term that ends here stands before those that go on.
      if (places[low + 1]! - places[low]! === depth) low++;
      low = this.#search(low, high, depth, unit);
      high = this.#search(low, high, depth, unit + 1);
      if (low === high) break;
      if (places[low + 1]! - places[low]! !== depth + 1) continue;
      if (!accept(at + 1, (this.#kinds[low]! & ACRONYM) !== 0)) continue;
      found = low;
      end = at + 1;
    }
    return found < 0 ? undefined : { type: this.types[this.#kinds[found]! & ~ACRONYM]!, end };
  }

  /** The first term of a range, all of which are longer than `depth`, whose unit there is at least `unit`. */
  #search(low: number, high: number, depth: number, unit: number): number {
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#units[this.#places[middle]! + depth]! < unit) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
