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
import { ratesOf } from "./rates.ts";

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

/** Times that a caller's term counts as seen: trusted, and no more than what a corpus has often. */
const SEEN = 8;

/** Whether a model's lexicons have a place for terms of a type. */
export function knowsType({ types, lists }: Lexicons, type: string): boolean {
  return lists.some((list) => list.type === undefined ? types.includes(type) : list.type === type);
}

/**
 * A caller's terms of a type as terms of a model's own lists: of each plain list of the type, and of each rated one as if
 * it had been seen {@link SEEN} times, each time as an entity of the type. Empty where the lists know nothing of the type.
 */
export function termsBeside(
  lexicons: Lexicons,
  type: string,
  { fingerprints, longest }: Pick<MoreTerms, "fingerprints" | "longest">,
): MoreTerms[] {
  const column = lexicons.types.indexOf(type);
  const row = ratesOf(lexicons.types.map((_, i) => i === column ? SEEN : 0), SEEN);
  const rates = new Uint8Array(fingerprints.length / 2 * row.length)
    .map((_, i) => row[i % row.length]!);
  return lexicons.lists.flatMap((own, list): MoreTerms[] => {
    if (own.type === type) return [{ list, fingerprints, rates: undefined, longest }];
    return own.type === undefined && column >= 0 ? [{ list, fingerprints, rates, longest }] : [];
  });
}

/** Each token's place in a text. */
type Places = { readonly [Name in "starts" | "ends"]: ArrayLike<number> };

/** Finds the features of texts. */
export class FeatureFinder {
  /** Features of a token. */
  readonly count: number;
  /** The model's own. */
  readonly lexicons: Lexicons;
  readonly #matcher: Matcher;
  readonly #longest: number;
  /** By source: rates, and where the list's features begin. */
  readonly #sources: readonly { readonly rates: Uint8Array | undefined; readonly at: number }[];
  readonly #columns: number;

  /**
   * For a model's lexicons, and terms beside them, which count in the place of a model's own that read the same. What
   * `first` has been made of comes before, and is shared.
   */
  constructor(lexicons: Lexicons, more: readonly MoreTerms[] = [], first?: FeatureFinder) {
    const { lists, inflected } = lexicons, offsets = [0];
    for (const list of lists) offsets.push(offsets.at(-1)! + listFeatures(lexicons, list));
    this.lexicons = lexicons;
    this.count = offsets.at(-1)!;
    this.#columns = rateColumns(lexicons);
    const own = first ? [] : lists.map((list, i) => ({ ...list, list: i }));
    const sources = [...own, ...more], before = first ? first.#longest : lexicons.longest;
    this.#longest = more.reduce((most, { longest }) => Math.max(most, longest), before);
    const rules = { inflected, longest: this.#longest };
    this.#matcher = new Matcher(sources, rules, first && first.#matcher);
    this.#sources = [
      ...(first ? first.#sources : []),
      ...sources.map(({ list, rates }) => ({ rates, at: offsets[list]! })),
    ];
  }

  /** A finder that knows terms beside all that this one knows. */
  with(more: readonly MoreTerms[]): FeatureFinder {
    return more.length === 0 ? this : new FeatureFinder(this.lexicons, more, this);
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
