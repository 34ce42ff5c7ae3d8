/**
 * Voting, token by token: a label's share is the weight of those who said it among those who know its type.
 *
 * Who does not know a type has no vote on it: a lexicon of medicines does not speak against a disease. If the shares of
 * several types add up to more than 1 they are divided by their sum; what is missing to 1 is outside. A tie is decided for the
 * entity, because labelers are silent for not knowing much more often than for knowing better.
 *
 * Weak where: all labelers count alike, or as they are weighed by hand; that a sure one is outvoted by two that make the
 * same mistakes is what the sequence model is for.
 *
 * @module
 */
import { Crf } from "../../crf/crf.ts";
import { parseTags } from "../../crf/scheme.ts";
import { InputError } from "../../errors.ts";
import type { ChosenKernels } from "../../kernels/module.ts";
import { bestSpans, type Combined, type Combiner } from "./combiner.ts";
import { labelsOf, type Observed, type Voter } from "./observed.ts";

/** In the place of a share of nothing, of which there is no logarithm; and by how much outside loses a tie. */
const LEAST = 1e-6;

/** Weight of each labeler by its name, times the confidence of each of its spans; default 1. */
export type Weights = Readonly<Record<string, number>>;

/**
 * A vote in which each labeler counts by its weight; without `weights`, each counts as one, whatever it says of
 * its confidence. Throws {@link InputError} `input/option` for a weight of no labeler, or that is no positive number.
 */
export async function voteCombiner(
  voters: readonly Voter[],
  kernels: ChosenKernels,
  weights?: Weights,
): Promise<Combiner> {
  for (const [name, weight] of Object.entries(weights ?? {})) {
    if (voters.some((voter) => voter.name === name) && weight > 0 && weight < Infinity) continue;
    throw new InputError(
      "input/option",
      `the weight of ${name} is ${weight}; expected a positive number for one of ${
        voters.map((voter) => voter.name).join(", ")
      }.`,
    );
  }
  const labels = labelsOf(voters), tags = parseTags(labels);
  const crf = await Crf.create(kernels, tags, undefined, true);
  return {
    labels,
    combine(observed): Combined {
      const posteriors = sharesOf(observed, voters, labels, weights);
      const emissions = posteriors.map((share, i) =>
        Math.log(Math.max(share, LEAST)) - (i % labels.length === 0 ? LEAST : 0)
      );
      return { spans: bestSpans(observed, emissions, crf, tags), posteriors };
    },
  };
}

/** The share of each label at each token, `[tokens, labels]`. */
export function sharesOf(
  { starts, columns }: Observed,
  voters: readonly Voter[],
  labels: readonly string[],
  weights?: Weights,
): Float32Array {
  const n = labels.length, shares = new Float32Array(starts.length * n);
  const tags = parseTags(labels), said = new Float64Array(n);
  const knows = voters.map(({ types }) => tags.map(({ type }) => types.includes(type)));
  const electorate = new Float64Array(n);
  for (let t = 0; t < starts.length; t++) {
    said.fill(0);
    electorate.fill(0);
    columns.forEach((column, j) => {
      if (column === undefined) return;
      const weight = weights === undefined
        ? 1
        : (weights[voters[j]!.name] ?? 1) * column.confidence[t]!;
      said[column.labels[t]!]! += weight;
      for (let y = 1; y < n; y++) if (knows[j]![y]) electorate[y]! += weight;
    });
    const row = shares.subarray(t * n, (t + 1) * n);
    let total = 0;
    for (let y = 1; y < n; y++) {
      if (said[y]! > 0) total += row[y] = said[y]! / electorate[y]!;
    }
    if (total > 1) { for (let y = 1; y < n; y++) row[y]! /= total; }
    row[0] = Math.max(0, 1 - total);
  }
  return shares;
}
