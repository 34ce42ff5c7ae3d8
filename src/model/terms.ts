/**
 * Terms that a caller knows, beside any model: lists of them, and what follows where one stands in a text.
 *
 * Other than lexicons (`lexicon.ts`), which are inputs that a model has learnt to read, these need no training: they
 * say something about the model's answer. Of a model that has lexicons they may come beside these. As there, a term is kept as a fingerprint, so that lists can be packed
 * with a model and handed on.
 *
 * @module
 */
import { ModelError, show } from "../errors.ts";
import { FINGERPRINT_WORDS, MAX_LISTS, MAX_TERM_LENGTH, MAX_TERMS } from "./lexicon.ts";

/** Largest weight, either way: e^40 outweighs any emission that a trained model gives. */
export const MAX_WEIGHT = 40;

/** What follows from a term in a text. */
export type TermRule =
  /** It counts as a term of the model's own lexicons of the type, as much as the model has learnt to trust these. */
  | { readonly kind: "learnt"; readonly type: string }
  /** The odds that its tokens belong to an entity of the type are multiplied by e^weight, each. */
  | { readonly kind: "weight"; readonly type: string; readonly weight: number }
  /** It is an entity of the type, whatever the model says. */
  | { readonly kind: "always"; readonly type: string }
  /** An entity that reads so is none. */
  | { readonly kind: "never" };

/** Terms from which the same follows. */
export interface TermList {
  /** What follows. */
  readonly rule: TermRule;
  /** `[terms, 2]`, one fingerprint a row. */
  readonly fingerprints: Int32Array;
}

/** All lists; of a term that two lists of a kind and type have, the later one counts. */
export interface TermLists {
  /** Length of the longest term, normalized, in UTF-16 code units. */
  readonly longest: number;
  /** The lists. */
  readonly lists: readonly TermList[];
}

/** Throws a {@link ModelError} (`model/lexicon`) for lists that cannot be. */
export function checkTerms(terms: TermLists): TermLists {
  const fail = (what: string): never => {
    throw new ModelError("model/lexicon", `The model's terms: ${what}.`);
  };
  const { longest, lists } = terms;
  if (!Number.isInteger(longest) || longest < 1 || longest > MAX_TERM_LENGTH) {
    fail(`the longest has ${show(longest)} code units; expected 1 to ${MAX_TERM_LENGTH}`);
  }
  if (lists.length < 1 || lists.length > MAX_LISTS) {
    fail(`there are ${lists.length} lists; expected 1 to ${MAX_LISTS}`);
  }
  let all = 0;
  lists.forEach(({ rule, fingerprints }, i) => {
    const count = fingerprints.length / FINGERPRINT_WORDS;
    all += count;
    if (!Number.isInteger(count)) fail(`list ${i} has half a fingerprint`);
    if (rule.kind !== "never" && (typeof rule.type !== "string" || rule.type === "")) {
      fail(`list ${i} is of the type ${show(rule.type)}; expected a name`);
    }
    if (rule.kind === "weight" && !(Math.abs(rule.weight) <= MAX_WEIGHT)) {
      fail(
        `list ${i} has the weight ${
          show(rule.weight)
        }; expected a number from -${MAX_WEIGHT} to ${MAX_WEIGHT}`,
      );
    }
  });
  if (all > MAX_TERMS) fail(`there are ${all} terms; expected at most ${MAX_TERMS}`);
  return terms;
}
