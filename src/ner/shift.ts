/**
 * More, or fewer, entities of a type: what the classifier's bias decides.
 *
 * An `x` added to the emissions of a type's labels multiplies their odds by e^x at every token: the entities that a model
 * was not quite sure of are found, and some that are none. A model is moved once, on validation data, and costs nothing
 * to run (moving the threshold, as Provost recommends: "Machine learning from imbalanced data sets 101", AAAI workshop 2000).
 *
 * @module
 */
import { parseTags, typesOf } from "../crf/scheme.ts";
import { InputError, show } from "../errors.ts";
import type { ModelBundle } from "../model/bundle.ts";

/**
 * The model with `shifts[type]` added to the emissions of all labels of a type. Throws {@link InputError}
 * `input/option` for a type that the model does not know and for a shift that is not a number.
 */
export function shiftTypes(
  model: ModelBundle,
  shifts: Readonly<Record<string, number>>,
): ModelBundle {
  const { weights } = model, { classifier } = weights;
  const tags = parseTags(weights.config.labels), types = typesOf(tags);
  const bias = classifier.bias.slice();
  for (const [type, shift] of Object.entries(shifts)) {
    if (!types.includes(type)) {
      throw new InputError(
        "input/option",
        `the model has no type ${show(type)}; it has ${types.join(", ")}.`,
      );
    }
    if (!Number.isFinite(shift)) {
      throw new InputError("input/option", `the shift of ${show(type)} is ${shift}, no number.`);
    }
    tags.forEach((tag, i) => {
      if (tag.type === type) bias[i] += shift;
    });
  }
  // A temperature was fitted to the scores of before.
  const { temperature: _, ...rest } = model;
  return { ...rest, weights: { ...weights, classifier: { ...classifier, bias } } };
}
