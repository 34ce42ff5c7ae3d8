/**
 * A dictionary of the training texts' own entities, with how often each is one: a rated list (model/lexicon.ts).
 *
 * A text that teaches a model to trust the dictionary must not have put its own entities into it: everything would be
 * found there, and nothing of a new text is. So texts are dealt into {@link FOLDS}, and each is seen with the dictionary of
 * the others (cross-fitting). Texts of one group name the same things; in {@link GROUPED} of the draws it is groups that
 * are dealt out, so that a model also learns what a dictionary is worth for a drug of which there was no text.
 *
 * Weak: in inflected languages a term is also counted inside longer words, where it may mean something else.
 *
 * @module
 */
import { fingerprintsOf, termKey } from "../../lexicon/fingerprint.ts";
import { Matcher } from "../../lexicon/matcher.ts";
import { ratesOf } from "../../lexicon/rates.ts";
import type { LexiconList } from "../../model/lexicon.ts";
import { Random } from "../random.ts";
import type { LabelledText } from "../../corpus/text.ts";

/** Parts that texts are dealt into. */
export const FOLDS = 8;

/** Share of draws in which groups are dealt out, where texts have groups. */
export const GROUPED = 0.4;

/** Shortest entity that is a term, in UTF-16 code units. */
const SHORTEST = 2;

/** What a text says of terms: pairs of a term and a type, and terms that stand in it. */
interface Said {
  readonly entities: readonly (readonly [term: number, type: number])[];
  readonly found: readonly number[];
}

/** Learns dictionaries from texts. */
export class DictionaryMaker {
  readonly #types: readonly string[];
  readonly #terms: readonly string[];
  readonly #said: readonly Said[];
  /** Fold of each text, by texts and, where there are groups, by groups. */
  readonly #folds: readonly Int32Array[];

  /** `types` are the columns of rates. */
  constructor(
    texts: readonly LabelledText[],
    types: readonly string[],
    { inflected, seed }: { readonly inflected: boolean; readonly seed: number },
  ) {
    const surfaces = texts.flatMap(({ text, entities }) =>
      entities.filter(({ start, end }) => end - start >= SHORTEST)
        .map(({ start, end }) => text.slice(start, end))
    );
    const { terms, words, longest } = fingerprintsOf(surfaces);
    const index = new Map(terms.map((term, i) => [termKey(term)!, i]));
    const matcher = new Matcher([{ list: 0, fingerprints: words }], { inflected, longest });
    this.#types = types;
    this.#terms = terms;
    this.#said = texts.map(({ text, entities }) => ({
      entities: entities.flatMap(({ type, start, end }) => {
        const key = termKey(text.slice(start, end)), term = key && index.get(key);
        return term === undefined || term === "" ? [] : [[term, types.indexOf(type)] as const];
      }),
      found: matcher.match(text, { all: true }).map(({ term }) => term),
    }));
    const random = new Random(seed, "folds");
    const byText = Int32Array.from(texts, () => random.below(FOLDS));
    const groups = texts.map(({ group }, i) => group ?? `text ${i}`);
    const names = [...new Set(groups)].sort(), order = random.permutation(names.length);
    const foldOf = new Map(names.map((name, i) => [name, order[i]! % FOLDS]));
    this.#folds = texts.some(({ group }) => group !== undefined)
      ? [byText, Int32Array.from(groups, (name) => foldOf.get(name)!)]
      : [byText];
  }

  /** Ways in which texts are dealt out: by text, and by group where there are any. */
  get ways(): number {
    return this.#folds.length;
  }

  /** The fold of a text. */
  foldOf(way: number, text: number): number {
    return this.#folds[way]![text]!;
  }

  /** The dictionary of all texts, or of all but those of a fold. */
  make(
    without?: { readonly way: number; readonly fold: number },
  ): LexiconList & { longest: number } {
    const types = this.#types.length, terms = this.#terms.length;
    const entities = new Int32Array(terms * types), found = new Int32Array(terms);
    this.#said.forEach((said, text) => {
      if (without && this.foldOf(without.way, text) === without.fold) return;
      for (const [term, type] of said.entities) entities[term * types + type]!++;
      for (const term of said.found) found[term]!++;
    });
    const kept: string[] = [], rates: number[] = [];
    this.#terms.forEach((term, i) => {
      const counts = [...entities.subarray(i * types, (i + 1) * types)];
      const sum = counts.reduce((a, b) => a + b, 0), seen = Math.max(found[i]!, sum);
      if (sum === 0) return;
      kept.push(term);
      rates.push(...ratesOf(counts, seen));
    });
    const { words, longest } = fingerprintsOf(kept);
    return { type: undefined, fingerprints: words, rates: Uint8Array.from(rates), longest };
  }
}
