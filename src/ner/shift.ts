/**
 * More, or fewer, entities of a type: what the classifier's bias decides.
 *
 * An `x` added to the emissions of a type's labels multiplies their odds by e^x at every token: the entities that a model
 * was not quite sure of are found, and some that are none. A model is moved once, on validation data, and costs nothing
 * to run (moving the threshold, as Provost recommends: "Machine learning from imbalanced data sets 101", AAAI workshop 2000).
 *
 * A model with a dictionary of its training's entities (a rated list, model/lexicon.ts) may be moved only where that knows
 * nothing: of a token within one of its terms, the shares of the types and of none are 1 together, so a row of the
 * features' window that takes `x` from each takes it back there.
 *
 * @module
 */
import { parseTags, typesOf } from "../crf/scheme.ts";
import { InputError, show } from "../errors.ts";
import type { ModelBundle } from "../model/bundle.ts";
import { listFeatures, rateColumns } from "../model/lexicon.ts";
import type { FeatureWeights } from "../model/weights.ts";

/** The labels of each shifted type, with the type's shift; throws as {@link shiftTypes}. */
function shiftsOf(
  labels: readonly string[],
  shifts: Readonly<Record<string, number>>,
): { readonly label: number; readonly shift: number }[] {
  const tags = parseTags(labels), types = typesOf(tags);
  return Object.entries(shifts).flatMap(([type, shift]) => {
    if (!types.includes(type)) {
      throw new InputError(
        "input/option",
        `the model has no type ${show(type)}; it has ${types.join(", ")}.`,
      );
    }
    if (!Number.isFinite(shift)) {
      throw new InputError("input/option", `the shift of ${show(type)} is ${shift}, no number.`);
    }
    return tags.flatMap((tag, label) => tag.type === type ? [{ label, shift }] : []);
  });
}

/** The features that are 1 together at a token within a term of a rated list: the first such list's, by begin and inside. */
function sharesOf({ lexicons }: ModelBundle): number[] {
  const rated = lexicons?.lists.findIndex(({ type }) => type === undefined) ?? -1;
  if (lexicons === undefined || rated < 0) {
    throw new InputError(
      "input/option",
      "the model has no dictionary of its own (train --dictionary) that could know a word; shift it at all words.",
    );
  }
  const from = lexicons.lists.slice(0, rated)
    .reduce((sum, list) => sum + listFeatures(lexicons, list), 0);
  // Behind the shares is a count, which is no share.
  const columns = rateColumns(lexicons), shares = columns - 1;
  return Array.from(
    { length: 2 * shares },
    (_, i) => from + Math.floor(i / shares) * columns + i % shares,
  );
}

/**
 * The model with `shifts[type]` added to the emissions of all labels of a type; with `unknown`, not at tokens within terms
 * of its own dictionary. Throws {@link InputError} `input/option` for a type that the model does not know, for a shift that is
 * not a number, and for `unknown` of a model without a dictionary.
 */
export function shiftTypes(
  model: ModelBundle,
  shifts: Readonly<Record<string, number>>,
  { unknown = false }: { readonly unknown?: boolean } = {},
): ModelBundle {
  const { weights } = model, { classifier, features } = weights, { labels } = weights.config;
  const bias = classifier.bias.slice(), moved = shiftsOf(labels, shifts);
  for (const { label, shift } of moved) bias[label] += shift;
  let known: { readonly features: FeatureWeights } | undefined;
  if (unknown) {
    const shares = sharesOf(model), { window } = features!, data = window.data.slice();
    // The window's middle third is of the token itself.
    for (const feature of shares) {
      const row = window.rows / 3 + feature;
      for (const { label, shift } of moved) data[row * labels.length + label] -= shift;
    }
    known = { features: { ...features!, window: { ...window, data } } };
  }
  // A temperature was fitted to the scores of before.
  const { temperature: _, ...rest } = model;
  return { ...rest, weights: { ...weights, classifier: { ...classifier, bias }, ...known } };
}
