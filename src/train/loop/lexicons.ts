/**
 * Lexicons in training: the features of each text, with a dictionary that does not know the text (data/dictionary.ts).
 *
 * Of the matches in a text that is learnt from some are dropped, so that a model does not come to need them.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import type { Tag } from "../../crf/scheme.ts";
import { FeatureFinder } from "../../lexicon/features.ts";
import { fingerprintsOf } from "../../lexicon/fingerprint.ts";
import {
  checkLexicons,
  featureCount,
  type LexiconList,
  type Lexicons,
} from "../../model/lexicon.ts";
import type { Encoding } from "../../tokenizer/types.ts";
import { DictionaryMaker, FOLDS, GROUPED } from "../data/dictionary.ts";
import type { LabelledText } from "../../corpus/text.ts";
import type { Random } from "../random.ts";

/** Share of matches that are dropped. */
const DROPPED = 0.15;

/** Shortest term of a list, in UTF-16 code units. */
const SHORTEST = 3;

/** What lexicons a model is to have. */
export interface LexiconOptions {
  /** Lists of terms, each of one type. */
  readonly lists?: readonly { readonly type: string; readonly terms: readonly string[] }[];
  /** Also make a dictionary of the training texts' own entities. Default false. */
  readonly dictionary?: boolean;
  /** Whether a term may end inside a word, as in languages that add endings to names. Default false. */
  readonly inflected?: boolean;
}

/** The features of texts in training. */
export class TrainingLexicons {
  /** What the model will carry. */
  readonly lexicons: Lexicons;
  /** Features of a token. */
  readonly count: number;
  readonly #whole: FeatureFinder;
  readonly #dictionary: DictionaryMaker | undefined;
  /** By way and fold: the finder of texts of that fold. */
  readonly #finders: readonly (readonly FeatureFinder[])[];

  private constructor(
    lexicons: Lexicons,
    dictionary?: DictionaryMaker,
    finders: readonly (readonly FeatureFinder[])[] = [],
  ) {
    this.lexicons = lexicons;
    this.count = featureCount(checkLexicons(lexicons, featureCount(lexicons)));
    this.#dictionary = dictionary;
    this.#whole = new FeatureFinder(lexicons);
    this.#finders = finders;
  }

  /** Those that a model has, as they are. Its dictionary takes the texts for new, and knows too much of those it was made of. */
  static kept(lexicons: Lexicons): TrainingLexicons {
    return new TrainingLexicons(lexicons);
  }

  /** New ones. Throws {@link InputError} `input/option` for nothing to match, a ModelError `model/lexicon` for too much. */
  static make(
    options: LexiconOptions,
    texts: readonly LabelledText[],
    tags: readonly Tag[],
    seed: number,
  ): TrainingLexicons {
    const { lists = [], dictionary = false, inflected = false } = options;
    if (lists.length === 0 && !dictionary) {
      throw new InputError("input/option", "lexicons need a list of terms, or a dictionary.");
    }
    const types = [
      ...new Set(tags.flatMap(({ role, type }) => role === "outside" ? [] : [type])),
    ];
    const plain = lists.map(({ type, terms }) => {
      const { words, longest } = fingerprintsOf(terms.filter(({ length }) => length >= SHORTEST));
      return { type, fingerprints: words, rates: undefined, longest };
    });
    const maker = dictionary ? new DictionaryMaker(texts, types, { inflected, seed }) : undefined;
    const lexiconsOf = (own: (LexiconList & { longest: number })[]): Lexicons => {
      const all = [...own, ...plain];
      const longest = all.reduce((most, list) => Math.max(most, list.longest), 1);
      const made = all.map(({ type, fingerprints, rates }) => ({ type, fingerprints, rates }));
      return { types, inflected, longest, lists: made };
    };
    const finders = Array.from(
      { length: maker?.ways ?? 0 },
      (_, way) =>
        Array.from(
          { length: FOLDS },
          (_, fold) => new FeatureFinder(lexiconsOf([maker!.make({ way, fold })])),
        ),
    );
    return new TrainingLexicons(lexiconsOf(maker ? [maker.make()] : []), maker, finders);
  }

  /** Features of a text's tokens as the finished model will have them. */
  features(text: string, encoding: Encoding): Float32Array {
    return this.#whole.features(text, encoding);
  }

  /** Those of a text that is learnt from; `index` is its number among the training texts, if it is one of them. */
  training(
    text: string,
    encoding: Encoding,
    index: number | undefined,
    random: Random,
  ): Float32Array {
    const way = this.#finders.length > 1 && random.uniform() < GROUPED ? 1 : 0;
    const finder = index === undefined || this.#dictionary === undefined
      ? this.#whole
      : this.#finders[way]![this.#dictionary.foldOf(way, index)]!;
    const kept = finder.match(text).filter(() => random.uniform() >= DROPPED);
    return finder.features(text, encoding, kept);
  }
}
