/**
 * Ways to combine labelers, with the kernels that the runtime has.
 *
 * @module
 */
import { chooseKernels, type ChosenKernels } from "../kernels/module.ts";
import type { Combiner } from "../label/combine/combiner.ts";
import {
  fitHmm as fit,
  type Hmm,
  hmmCombiner as combiner,
  type HmmOptions,
  type HmmParameters,
} from "../label/combine/hmm.ts";
import type { Observed, Voter } from "../label/combine/observed.ts";
import { voteCombiner as vote, type Weights } from "../label/combine/vote.ts";
import { defaultKernels } from "./ner.ts";

/** Compiled kernel modules as `Ner.load` takes them; default: this package's own. */
export type Kernels = readonly WebAssembly.Module[];

async function chosen(kernels?: Kernels): Promise<ChosenKernels> {
  return await chooseKernels(kernels ?? await defaultKernels());
}

/**
 * A vote, token by token, among those who know a type; a tie is for the entity. With `weights`, each labeler counts by
 * its weight (default 1) times the confidence of its span.
 *
 * @throws {InputError} `input/option` for a weight of no labeler, or that is no positive number
 */
export async function voteCombiner(
  voters: readonly Voter[],
  weights?: Weights,
  kernels?: Kernels,
): Promise<Combiner> {
  return await vote(voters, await chosen(kernels), weights);
}

/**
 * Fits a hidden Markov model with a confusion matrix for each labeler to texts without gold labels, by EM.
 *
 * @throws {InputError} `input/data` where no labeler has looked at any text, `input/option` for an option out of its range
 */
export async function fitHmm(
  texts: readonly Observed[],
  voters: readonly Voter[],
  options: HmmOptions = {},
  kernels?: Kernels,
): Promise<Hmm> {
  return await fit(texts, voters, await chosen(kernels), options);
}

/** A combiner by parameters that {@link fitHmm} found. */
export async function hmmCombiner(
  parameters: HmmParameters,
  voters: readonly Voter[],
  kernels?: Kernels,
): Promise<Combiner> {
  return await combiner(parameters, voters, await chosen(kernels));
}
