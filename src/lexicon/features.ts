/**
 * Features of a text's tokens: what a model's lexicons say of each (model/lexicon.ts has their order).
 *
 * A token belongs to the term that its first character lies in. Numbers are bytes over 255, so that they are the same in
 * every engine.
 *
 * @module
 */
import { type Lexicons, listFeatures, rateColumns } from "../model/lexicon.ts";
import { type Match, Matcher } from "./matcher.ts";

/** Terms beside a model's own, of one of its lists. */
export interface MoreTerms {
  /** Index of the list. */
  readonly list: number;
  /** Two words a term. */
  readonly fingerprints: Int32Array;
  /** As of the list: rates of each term, or undefined. */
  readonly rates: Uint8Array | undefined;
  /** Length of the longest. */
  readonly longest: number;
}

/** Each token's place in a text. */
type Places = { readonly [Name in "starts" | "ends"]: ArrayLike<number> };

/** Finds the features of texts. */
export class FeatureFinder {
  /** Features of a token. */
  readonly count: number;
  readonly #matcher: Matcher;
  /** By source: rates, and where the list's features begin. */
  readonly #sources: readonly { readonly rates: Uint8Array | undefined; readonly at: number }[];
  readonly #columns: number;

  /** For a model's lexicons, and terms beside them, which count in the place of a model's own that read the same. */
  constructor(lexicons: Lexicons, more: readonly MoreTerms[] = []) {
    const { lists, inflected } = lexicons, offsets = [0];
    for (const list of lists) offsets.push(offsets.at(-1)! + listFeatures(lexicons, list));
    this.count = offsets.at(-1)!;
    this.#columns = rateColumns(lexicons);
    const sources = [...lists.map((list, i) => ({ ...list, list: i })), ...more];
    const longest = more.reduce((most, terms) => Math.max(most, terms.longest), lexicons.longest);
    this.#matcher = new Matcher(sources, { inflected, longest });
    this.#sources = sources.map(({ list, rates }) => ({ rates, at: offsets[list]! }));
  }

  /** Matches in a text, by where they begin. */
  match(text: string): Match[] {
    return this.#matcher.match(text);
  }

  /** As {@link Matcher.part}. */
  part(text: string, free: Map<number, number>, ended: boolean): ReturnType<Matcher["part"]> {
    return this.#matcher.part(text, free, ended);
  }

  /** `[tokens, count]`, of a text's tokens; `matches` in the place of all that are found. */
  features(
    text: string,
    places: Places,
    matches: readonly Match[] = this.match(text),
  ): Float32Array {
    const features = new Float32Array(places.starts.length * this.count);
    this.write(features, places, matches);
    return features;
  }

  /** Writes what matches say of tokens among their features. */
  write(features: Float32Array, { starts, ends }: Places, matches: readonly Match[]): void {
    const columns = this.#columns;
    let token = 0;
    for (const { source, term, start, end } of matches) {
      const { rates, at } = this.#sources[source]!;
      while (token < starts.length && starts[token]! < start) token++;
      let last = -1;
      for (let t = token; t < starts.length && starts[t]! < end; t++) {
        // A token without a place of its own (SentencePiece's `▁`) is part of nothing.
        if (starts[t] === ends[t]) continue;
        const row = t * this.count + at, part = last < 0 ? 0 : 1;
        if (rates === undefined) features[row + part] = 1;
        else {
          for (let c = 0; c < columns; c++) {
            features[row + part * columns + c] = rates[term * columns + c]! / 255;
          }
        }
        last = t;
      }
      if (rates !== undefined && last >= 0) features[last * this.count + at + 2 * columns] = 1;
    }
  }
}
