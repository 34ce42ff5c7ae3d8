/**
 * Lexicons that a model carries: lists of terms, which tell it of a token that it begins, or lies in, a known name.
 *
 * A term is kept as a fingerprint of 64 bits and never as text, so that a model may be handed on that was made with
 * lists that may not. (A fingerprint hides a name from nobody who has a list of names to try.) There are two kinds of
 * lists. A plain one is of names of one type. A rated one is a dictionary that training made of its own data: it says of
 * each term how often it was an entity of each type there, how often none, and how often it occurred at all.
 *
 * What a list says of a token are numbers, its *features*, one after the other by list:
 *
 * | list  | features of a token                                                                                |
 * | ----- | -------------------------------------------------------------------------------------------------- |
 * | rated | of the term that begins here: a share for each type, the share of none, a logarithmic count; the same of the term that goes on here; 1 where a term ends |
 * | plain | 1 where a term begins, 1 where one goes on                                                         |
 *
 * @module
 */
import { ModelError, show } from "../errors.ts";
import { type ModelConfig, sameLabels } from "./config.ts";
import type { FeatureWeights } from "./weights.ts";

/** Words of a fingerprint. */
export const FINGERPRINT_WORDS = 2;

/** Bounds of what a model may carry. */
export const MAX_LISTS = 32, MAX_TERMS = 1 << 20, MAX_TERM_LENGTH = 128, MAX_TYPES = 256;

/** One list of terms. */
export interface LexiconList {
  /** What its terms are; undefined: its terms are rated. */
  readonly type: string | undefined;
  /** `[terms, 2]`, one fingerprint a row, none twice. */
  readonly fingerprints: Int32Array;
  /** `[terms, types + 2]`: shares by type, the share of none, the count; each a byte that stands for byte / 255. */
  readonly rates: Uint8Array | undefined;
}

/** The lists of a model, and how they are matched. */
export interface Lexicons {
  /** Types by the columns of rates. */
  readonly types: readonly string[];
  /** Whether a term may end inside a word, as it must in languages that add endings to names. */
  readonly inflected: boolean;
  /** Length of the longest term, normalized, in UTF-16 code units. */
  readonly longest: number;
  /** In the order of their features. */
  readonly lists: readonly LexiconList[];
}

/** Rates of a rated list's term. */
export function rateColumns({ types }: Pick<Lexicons, "types">): number {
  return types.length + 2;
}

/** Features of a token that a list has. */
export function listFeatures(lexicons: Pick<Lexicons, "types">, list: LexiconList): number {
  return list.type === undefined ? 2 * rateColumns(lexicons) + 1 : 2;
}

/** Features of a token. */
export function featureCount(lexicons: Lexicons): number {
  return lexicons.lists.reduce((sum, list) => sum + listFeatures(lexicons, list), 0);
}

function equalArrays(
  a: ArrayLike<unknown> | undefined,
  b: ArrayLike<unknown> | undefined,
): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether the features of lexicons mean the same, whatever their terms: the same types and kinds of lists, in order. */
export function sameFeatures(a: Lexicons, b: Lexicons): boolean {
  const kinds = ({ lists }: Lexicons) => lists.map(({ type }) => type);
  return equalArrays(a.types, b.types) && equalArrays(kinds(a), kinds(b));
}

/** Whether lexicons have the same terms in the same order, so that they say the same of any text. */
export function sameLexicons(a: Lexicons, b: Lexicons): boolean {
  return sameFeatures(a, b) && a.inflected === b.inflected && a.longest === b.longest &&
    a.lists.every(({ fingerprints, rates }, i) =>
      equalArrays(fingerprints, b.lists[i]!.fingerprints) && equalArrays(rates, b.lists[i]!.rates)
    );
}

/** Throws a {@link ModelError} (`model/lexicon`) for lexicons that cannot be, or have not this many features. */
export function checkLexicons(lexicons: Lexicons, features: number): Lexicons {
  const fail = (what: string): never => {
    throw new ModelError("model/lexicon", `The model's lexicons: ${what}.`);
  };
  const { types, inflected, longest, lists } = lexicons;
  const named = types.every((type) => typeof type === "string" && type !== "");
  if (!named || types.length > MAX_TYPES || new Set(types).size < types.length) {
    fail(`the types are ${show(types)}; expected at most ${MAX_TYPES} distinct names`);
  }
  if (typeof inflected !== "boolean") {
    fail(`inflected is ${show(inflected)}; expected true or false`);
  }
  if (!Number.isInteger(longest) || longest < 1 || longest > MAX_TERM_LENGTH) {
    fail(`the longest term has ${show(longest)} code units; expected 1 to ${MAX_TERM_LENGTH}`);
  }
  if (lists.length < 1 || lists.length > MAX_LISTS) {
    fail(`there are ${lists.length} lists; expected 1 to ${MAX_LISTS}`);
  }
  let all = 0;
  lists.forEach(({ type, fingerprints, rates }, i) => {
    const terms = fingerprints.length / FINGERPRINT_WORDS;
    all += terms;
    if (type !== undefined && (typeof type !== "string" || type === "")) {
      fail(`list ${i} is of the type ${show(type)}; expected a name`);
    }
    const rated = type === undefined ? terms * rateColumns(lexicons) : undefined;
    if (!Number.isInteger(terms) || rates?.length !== rated) {
      fail(
        `list ${i} has ${terms} terms and ${rates?.length ?? "no"} rates; expected ${
          rated ?? "none"
        }`,
      );
    }
  });
  if (all > MAX_TERMS) fail(`there are ${all} terms; expected at most ${MAX_TERMS}`);
  const own = featureCount(lexicons);
  if (own !== features) fail(`they have ${own} features of a token, the encoder takes ${features}`);
  return lexicons;
}

/**
 * What a model's lexicon features add for labels that are perhaps not its own: of what they add to emissions, which was
 * learnt for each label by itself, nothing is left for others.
 */
export function featuresFor(
  { input, window }: FeatureWeights,
  labels: readonly string[],
  config: ModelConfig,
): FeatureWeights {
  if (sameLabels(labels, config.labels)) return { input, window };
  const { rows } = window, columns = labels.length;
  return { input, window: { type: "f32", rows, columns, data: new Float32Array(rows * columns) } };
}
