/**
 * Precision, recall and F1 from counts: of each type, and averaged in three ways.
 *
 * The operations and their order are those of Python's seqeval (and so of scikit-learn), for one reason: a paper's figure
 * must come out here to its last digit. Averages run over the types seen in gold *or* prediction; a type that exists
 * only in predictions has F1 0 and lowers the macro average, but weighs nothing in the weighted one.
 *
 * Where nothing can be divided the score is 0, or 1 for who asks for it. In one place seqeval has no number: without a
 * single type its macro average is NaN, and here it is that same 0 or 1.
 *
 * @module
 */
import { byCodePoint, sum } from "./order.ts";

/** How often a type was right, predicted and there. */
export interface Counts {
  /** Spans that are in both. */
  readonly correct: number;
  /** Predicted spans. */
  readonly predicted: number;
  /** Gold spans. */
  readonly support: number;
}

/** Scores of one type, or of all together. */
export interface Score extends Counts {
  /** Share of the predicted spans that are correct, 0 to 1. */
  readonly precision: number;
  /** Share of the gold spans that were found, 0 to 1. */
  readonly recall: number;
  /** Harmonic mean of precision and recall; of `macro` and `weighted`, the mean of the types' F1. */
  readonly f1: number;
}

/** How scores are computed. */
export interface ScoreOptions {
  /** Precision where nothing was predicted, and recall where there was nothing to find; default 0. */
  readonly zeroDivision?: 0 | 1 | undefined;
}

/** Scores of each type and their averages. */
export interface TypeScores {
  /** Types by name, in the order of code points. */
  readonly types: Readonly<Record<string, Score>>;
  /** All spans thrown together. */
  readonly micro: Score;
  /** Plain mean over the types; its counts are sums. */
  readonly macro: Score;
  /** Mean over the types, each weighted by its gold spans; its counts are sums. */
  readonly weighted: Score;
}

/** A prototype-free record, so that a type called `__proto__` is only a name. */
function emptyRecord<T>(): Record<string, T> {
  return Object.create(null);
}

/** Scores from the counts of each type. */
export function scoresOf(
  counts: ReadonlyMap<string, Counts>,
  { zeroDivision = 0 }: ScoreOptions = {},
): TypeScores {
  const divide = (a: number, b: number): number => b === 0 ? zeroDivision : a / b;
  const score = ({ correct, predicted, support }: Counts): Score => {
    const precision = divide(correct, predicted), recall = divide(correct, support);
    const both = precision + recall;
    // Nothing is undefined here any more: two zeros have a mean, and it is 0.
    const f1 = both === 0 ? 0 : 2 * precision * recall / both;
    return { precision, recall, f1, support, predicted, correct };
  };
  // A list beside the record, which has names like "10" in an order of its own.
  const names = [...counts.keys()].sort(byCodePoint);
  const scores = names.map((name) => score(counts.get(name)!));
  const types = emptyRecord<Score>();
  names.forEach((name, i) => types[name] = scores[i]);
  const total = (field: keyof Counts): number => sum(scores.map((one) => one[field]));
  const all = {
    support: total("support"),
    predicted: total("predicted"),
    correct: total("correct"),
  };
  const mean = (field: "precision" | "recall" | "f1"): number =>
    divide(sum(scores.map((one) => one[field])), scores.length);
  const weighted = (field: "precision" | "recall" | "f1"): number => {
    if (all.support > 0) {
      return sum(scores.map((one) => one[field] * one.support)) / all.support;
    }
    // Without gold spans no type weighs anything. What was predicted then is wrong, whatever 0 / 0 may be.
    return field !== "recall" && all.predicted > 0 ? 0 : zeroDivision;
  };
  return {
    types,
    micro: score(all),
    macro: { precision: mean("precision"), recall: mean("recall"), f1: mean("f1"), ...all },
    weighted: {
      precision: weighted("precision"),
      recall: weighted("recall"),
      f1: weighted("f1"),
      ...all,
    },
  };
}
