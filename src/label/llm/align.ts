/**
 * Where a quote stands in a text: exactly, or folded, or with a few edits.
 *
 * A language model quotes from memory: it mends spelling, drops a hyphen, writes another case. First the very characters
 * are looked for, then the folded ones, then the substring at the least edit distance (Sellers 1980), if the distance is small
 * for the quote's length and no other place is as near. What is found is cut at whole words. What is not found was
 * made up.
 *
 * Weak where: the distance takes time of text times quote, some 10 ms for a quote of 100 characters in a text of 10,000.
 *
 * @module
 */
import { type Folded, Folder, isWord } from "../folded.ts";

/** Share of a quote's characters that may differ. */
export const MAX_DISTANCE = 0.2;

/** A place, in UTF-16 code units. */
export interface Place {
  readonly start: number;
  readonly end: number;
}

/** Finds quotes in one text; the n-th request for the same quote gives its n-th mention, where there is one. */
export class Aligner {
  readonly #text: string;
  readonly #folded: Folded;
  readonly #maxDistance: number;
  readonly #taken: Place[] = [];

  /** `maxDistance` is the share of a quote's characters that may differ, 0 to 1. */
  constructor(text: string, maxDistance: number = MAX_DISTANCE) {
    this.#text = text;
    this.#folded = new Folder().fold(text);
    this.#maxDistance = maxDistance;
  }

  /** The place of a quote that overlaps none found before; undefined: the text does not say that. */
  find(quote: string): Place | undefined {
    const trimmed = quote.trim();
    if (trimmed === "") return undefined;
    const place = this.#exact(trimmed) ?? this.#folding(trimmed) ?? this.#nearly(trimmed);
    if (place !== undefined) this.#taken.push(place);
    return place;
  }

  #free({ start, end }: Place): boolean {
    return !this.#taken.some((taken) => taken.start < end && start < taken.end);
  }

  /** The first free place, one of whole words before others. */
  #first(places: readonly (Place & { readonly whole: boolean })[]): Place | undefined {
    const free = places.filter((place) => this.#free(place));
    const found = free.find(({ whole }) => whole) ?? free[0];
    return found && { start: found.start, end: found.end };
  }

  #exact(quote: string): Place | undefined {
    const places: (Place & { whole: boolean })[] = [], text = units(this.#text);
    for (let at = this.#text.indexOf(quote); at >= 0; at = this.#text.indexOf(quote, at + 1)) {
      const end = at + quote.length;
      places.push({ start: at, end, whole: isWhole(text, at, end, text.length) });
    }
    return this.#first(places);
  }

  #folding(quote: string): Place | undefined {
    const key = new Folder().key(quote), { units: text, starts, ends, length } = this.#folded;
    if (key === "") return undefined;
    const places: (Place & { whole: boolean })[] = [], wanted = units(key);
    for (let at = 0; at + wanted.length <= length; at++) {
      let k = 0;
      while (k < wanted.length && text[at + k] === wanted[k]) k++;
      if (k < wanted.length) continue;
      const last = at + k;
      places.push({
        start: starts[at]!,
        end: ends[last - 1]!,
        whole: isWhole(text, at, last, length),
      });
    }
    return this.#first(places);
  }

  #nearly(quote: string): Place | undefined {
    const { units: text, starts, ends, length } = this.#folded;
    const wanted = units(new Folder().key(quote));
    const limit = Math.floor(wanted.length * this.#maxDistance);
    if (limit === 0) return undefined;
    const near = nearest(text, length, wanted, limit).map(({ start, end }) => {
      // An edit at the edge leaves half a word: the rest of the word belongs to it.
      while (start > 0 && isWord(text, start - 1) && isWord(text, start)) start--;
      while (end < length && isWord(text, end - 1) && isWord(text, end)) end++;
      return { start: starts[start]!, end: ends[end - 1]! };
    }).filter((place) => this.#free(place));
    const distinct = new Map(near.map((place) => [`${place.start} ${place.end}`, place]));
    return distinct.size === 1 ? near[0] : undefined;
  }
}

function units(text: string): Uint16Array {
  return Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
}

function isWhole(text: Uint16Array, start: number, end: number, length: number): boolean {
  const joined = (at: number): boolean =>
    at > 0 && at < length && isWord(text, at - 1) && isWord(text, at);
  return !joined(start) && !joined(end);
}

/**
 * The substrings at the least edit distance from `wanted`, if that is at most `limit`. One column of Sellers' table a
 * character of the text; each cell carries where its best substring starts.
 */
function nearest(text: Uint16Array, length: number, wanted: Uint16Array, limit: number): Place[] {
  const rows = wanted.length + 1;
  const cost = Int32Array.from({ length: rows }, (_, i) => i), from = new Int32Array(rows);
  let best = limit, places: Place[] = [];
  for (let at = 0; at < length; at++) {
    // The diagonal's cell of the column before. A match may begin anywhere, free of cost.
    let diagonal = 0, diagonalFrom = at;
    from[0] = at + 1;
    for (let i = 1; i < rows; i++) {
      const change = diagonal + (text[at] === wanted[i - 1] ? 0 : 1);
      const skip = cost[i]! + 1, add = cost[i - 1]! + 1;
      const least = Math.min(change, skip, add);
      const start = least === change ? diagonalFrom : least === skip ? from[i]! : from[i - 1]!;
      diagonal = cost[i]!;
      diagonalFrom = from[i]!;
      cost[i] = least;
      from[i] = start;
    }
    const total = cost[rows - 1]!, start = from[rows - 1]!;
    if (total > best || start > at) continue;
    if (total < best) places = [];
    best = total;
    places.push({ start, end: at + 1 });
  }
  return places;
}
