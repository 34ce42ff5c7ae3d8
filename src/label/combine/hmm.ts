/**
 * A hidden Markov model over label sequences: what is true is a chain of labels, and each labeler shows it distorted by a
 * confusion matrix of its own. Nobody knows either; expectation maximization finds both (Lison, Barnes and Hubin,
 * skweak: Weak Supervision Made Easy for NLP, ACL 2021; Nguyen et al., ACL 2017).
 *
 *   P(y, x) = P(y_1) prod P(y_t | y_t-1) prod_t prod_j P(x_tj | y_t)
 *
 * In the exponent this is a linear chain with emissions e_t(y) = sum_j log P(x_tj | y), so the CRF's forward-backward
 * and Viterbi kernels compute it; emissions pass in float32, which bounds a posterior's accuracy to some 1e-5. A labeler that
 * abstains from a text has no factor there. One that does not know a type says "outside" of it, and the matrix learns that this
 * means nothing.
 *
 * EM begins where each labeler's confidence is the share of its spans that is right, and silence is no evidence; counts
 * made so stay in each round as a prior. With fewer than three labelers of a type the data alone do not say who is
 * right (two coins that agree at times can be explained by either), so what they are told to be believed matters: give
 * a noisy list a low confidence.
 *
 * Weak where: labelers are taken to err independently of each other. Two lists made from one source count twice.
 *
 * @module
 */
import { Crf } from "../../crf/crf.ts";
import { mayFollow, parseTags, type Tag } from "../../crf/scheme.ts";
import { InputError } from "../../errors.ts";
import type { ChosenKernels } from "../../kernels/module.ts";
import { bestSpans, type Combined, type Combiner } from "./combiner.ts";
import { labelsOf, type Observed, type Voter } from "./observed.ts";

/** Probabilities of a chain and of what each labeler shows of it. */
export interface HmmParameters {
  /** Of each label at a text's first token, `[labels]`. */
  readonly start: Float64Array;
  /** Of the next label after each, `[labels, labels]`. */
  readonly transitions: Float64Array;
  /** By labeler: of what it says where each label is true, `[labels, labels]`. */
  readonly confusions: readonly Float64Array[];
}

/** How a model is fitted. */
export interface HmmOptions {
  /** Most rounds of EM; default 10. */
  readonly rounds?: number | undefined;
  /** EM ends where a round gains less than this of the log-likelihood, as a share of it; default 1e-5. */
  readonly tolerance?: number | undefined;
  /**
   * How much the labelers' own confidence counts beside the data: 1 (default) is as much, 0.01 next to nothing. It is the
   * weight of the counts that would be if each were as right as it says.
   */
  readonly prior?: number | undefined;
}

/** A fitted model. */
export interface Hmm extends Combiner {
  /** What was found. */
  readonly parameters: HmmParameters;
  /** Log-likelihood of all texts before each round, and after the last. */
  readonly likelihoods: readonly number[];
}

/** A labeler that says it is never wrong is wrong now and then all the same. */
const MOST_SURE = 0.9;

/** Counts of what was never seen, for each label; and what of them is spread over all that a labeler may say. */
const FEW = 10, SPREAD = 0.1;

/** Expected counts. */
interface Counts {
  readonly start: Float64Array;
  readonly transitions: Float64Array;
  readonly confusions: readonly Float64Array[];
}

/**
 * Fits a model to texts. Throws {@link InputError}: `input/data` where no text has a token that any labeler looked at,
 * `input/option` for an option out of its range.
 */
export async function fitHmm(
  texts: readonly Observed[],
  voters: readonly Voter[],
  kernels: ChosenKernels,
  options: HmmOptions = {},
): Promise<Hmm> {
  const { rounds = 10, tolerance = 1e-5, prior = 1 } = options;
  if (
    !(Number.isInteger(rounds) && rounds >= 0 && tolerance >= 0 && prior > 0 && prior < Infinity)
  ) {
    throw new InputError(
      "input/option",
      `rounds ${rounds}, tolerance ${tolerance}, prior ${prior}: expected a whole number from 0, a number from 0, and one above 0.`,
    );
  }
  const labels = labelsOf(voters), tags = parseTags(labels);
  const used = texts.filter(({ starts, columns }) =>
    starts.length > 0 && columns.some((column) => column !== undefined)
  );
  if (used.length === 0) {
    throw new InputError(
      "input/data",
      "no labeler has looked at any text: there is nothing to fit.",
    );
  }
  const claimed = scaled(countClaims(used, leastCounts(voters, tags), tags.length), prior);
  let parameters = normalized(claimed, tags);
  const likelihoods: number[] = [];
  for (let round = 0;; round++) {
    const counts = copyOf(claimed), crf = await chainOf(parameters, tags, kernels);
    let likelihood = 0;
    for (const text of used) likelihood += count(text, parameters, crf, counts);
    const gain = likelihood - (likelihoods.at(-1) ?? -Infinity);
    likelihoods.push(likelihood);
    if (round === rounds || gain < tolerance * Math.abs(likelihood)) break;
    parameters = normalized(counts, tags);
  }
  return { ...await hmmCombiner(parameters, voters, kernels), parameters, likelihoods };
}

/** A combiner of parameters that were fitted before. */
export async function hmmCombiner(
  parameters: HmmParameters,
  voters: readonly Voter[],
  kernels: ChosenKernels,
): Promise<Combiner> {
  const labels = labelsOf(voters), tags = parseTags(labels), n = labels.length;
  const crf = await chainOf(parameters, tags, kernels);
  return {
    labels,
    combine(observed): Combined {
      const tokens = observed.starts.length;
      if (tokens === 0) return { spans: [], posteriors: new Float32Array(0) };
      const emissions = emissionsOf(observed, parameters, n);
      const { alpha, beta, logPartition } = crf.lattice(emissions);
      const posteriors = new Float32Array(tokens * n);
      for (let i = 0; i < posteriors.length; i++) {
        posteriors[i] = Math.exp(alpha[i]! + beta[i]! - logPartition);
      }
      return { spans: bestSpans(observed, emissions, crf, tags), posteriors };
    },
  };
}

/** log P(x_t | y) of each token and label, `[tokens, labels]`. */
function emissionsOf(
  { starts, columns }: Observed,
  { confusions }: HmmParameters,
  n: number,
): Float32Array {
  const emissions = new Float64Array(starts.length * n);
  columns.forEach((column, j) => {
    if (column === undefined) return;
    const log = confusions[j]!.map(Math.log);
    for (let t = 0; t < starts.length; t++) {
      for (let y = 0; y < n; y++) emissions[t * n + y]! += log[y * n + column.labels[t]!]!;
    }
  });
  return Float32Array.from(emissions);
}

/** The chain's CRF. Its steps that the scheme forbids have no probability, and no count either. */
function chainOf(
  { start, transitions }: HmmParameters,
  tags: readonly Tag[],
  kernels: ChosenKernels,
): Promise<Crf> {
  // What is forbidden is so by the scheme, whatever stands there.
  const log = (values: Float64Array): Float32Array =>
    Float32Array.from(values, (value) => value > 0 ? Math.log(value) : 0);
  const weights = {
    start: log(start),
    end: new Float32Array(tags.length),
    transitions: log(transitions),
  };
  return Crf.create(kernels, tags, weights, true);
}

/** What is believed of what was never seen: each labeler is right, or silent on what it does not know. */
function leastCounts(voters: readonly Voter[], tags: readonly Tag[]): Counts {
  const n = tags.length;
  return {
    start: new Float64Array(n).fill(SPREAD),
    transitions: new Float64Array(n * n).fill(SPREAD),
    confusions: voters.map(({ types }) => {
      const counts = new Float64Array(n * n);
      const sayable = tags.map(({ type }) => type === "" || types.includes(type));
      tags.forEach((_, y) =>
        tags.forEach((_, x) => {
          if (!sayable[x]) return;
          const expected = sayable[y] ? y : 0;
          counts[y * n + x] = FEW * (SPREAD / n + (x === expected ? 1 - SPREAD : 0));
        })
      );
      return counts;
    }),
  };
}

function scaled({ start, transitions, confusions }: Counts, factor: number): Counts {
  const times = (values: Float64Array): Float64Array => values.map((value) => value * factor);
  return {
    start: times(start),
    transitions: times(transitions),
    confusions: confusions.map(times),
  };
}

function copyOf({ start, transitions, confusions }: Counts): Counts {
  return {
    start: start.slice(),
    transitions: transitions.slice(),
    confusions: confusions.map((matrix) => matrix.slice()),
  };
}

/** Counts as the labelers' own confidence would have them: where EM begins, and what it is held to. */
function countClaims(texts: readonly Observed[], least: Counts, n: number): Counts {
  const counts = copyOf(least);
  for (const text of texts) {
    const claims = claimsOf(text, n);
    add(text, claims, counts, n);
    for (let t = 1; t < text.starts.length; t++) {
      for (let a = 0; a < n; a++) {
        for (let b = 0; b < n; b++) {
          counts.transitions[a * n + b]! += claims[(t - 1) * n + a]! * claims[t * n + b]!;
        }
      }
    }
  }
  return counts;
}

/**
 * What is believed of each token if labelers are as right as they say and silence means nothing, `[tokens, labels]`: it
 * is outside if all who say something are wrong; otherwise labels share by how many are behind them.
 */
function claimsOf({ starts, columns }: Observed, n: number): Float64Array {
  const claims = new Float64Array(starts.length * n), wrong = new Float64Array(n);
  for (let t = 0; t < starts.length; t++) {
    wrong.fill(1);
    for (const column of columns) {
      if (column === undefined || column.labels[t] === 0) continue;
      wrong[column.labels[t]!]! *= 1 - Math.min(column.confidence[t]!, MOST_SURE);
    }
    const outside = wrong.reduce((a, b) => a * b), total = wrong.reduce((sum, w) => sum + 1 - w, 0);
    claims[t * n] = outside;
    for (let y = 1; y < n; y++) {
      if (total > 0) claims[t * n + y] = (1 - outside) * (1 - wrong[y]!) / total;
    }
  }
  return claims;
}

/** Adds what a text's label distributions say of its beginning and of each labeler. */
function add(
  { starts, columns }: Observed,
  posteriors: ArrayLike<number>,
  counts: Counts,
  n: number,
): void {
  for (let y = 0; y < n; y++) counts.start[y]! += posteriors[y]!;
  columns.forEach((column, j) => {
    if (column === undefined) return;
    const matrix = counts.confusions[j]!;
    for (let t = 0; t < starts.length; t++) {
      for (let y = 0; y < n; y++) matrix[y * n + column.labels[t]!]! += posteriors[t * n + y]!;
    }
  });
}

/** The E step on one text: adds expected counts and returns its log-likelihood. */
function count(text: Observed, parameters: HmmParameters, crf: Crf, counts: Counts): number {
  const n = crf.size, emissions = emissionsOf(text, parameters, n);
  const { alpha, beta, logPartition } = crf.lattice(emissions);
  const posteriors = alpha.map((value, i) => Math.exp(value + beta[i]! - logPartition));
  add(text, posteriors, counts, n);
  const log = parameters.transitions.map(Math.log);
  for (let t = 1; t < text.starts.length; t++) {
    for (let b = 0; b < n; b++) {
      const into = emissions[t * n + b]! + beta[t * n + b]! - logPartition;
      for (let a = 0; a < n; a++) {
        counts.transitions[a * n + b]! += Math.exp(
          alpha[(t - 1) * n + a]! + log[a * n + b]! + into,
        );
      }
    }
  }
  return logPartition;
}

/** The M step: counts as probabilities, with nothing for what the scheme forbids. */
function normalized(counts: Counts, tags: readonly Tag[]): HmmParameters {
  const n = tags.length;
  const legal = (from: Tag | undefined): number[] =>
    tags.map((to) => mayFollow(from, to, tags) ? 1 : 0);
  const row = (values: Float64Array, allowed?: readonly number[]): Float64Array => {
    const kept = allowed === undefined ? values : values.map((value, i) => value * allowed[i]!);
    const sum = kept.reduce((a, b) => a + b, 0);
    return kept.map((value) => value / sum);
  };
  const rows = (matrix: Float64Array, allowed?: (y: number) => readonly number[]): Float64Array => {
    const out = new Float64Array(n * n);
    for (let y = 0; y < n; y++) out.set(row(matrix.slice(y * n, (y + 1) * n), allowed?.(y)), y * n);
    return out;
  };
  return {
    start: row(counts.start, legal(undefined)),
    transitions: rows(counts.transitions, (y) => legal(tags[y])),
    confusions: counts.confusions.map((matrix) => rows(matrix)),
  };
}
