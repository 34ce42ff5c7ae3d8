/**
 * The CRF layer: best label path, and how probable each span of it is.
 *
 * Runs on the kernels of kernels/crf.ts in a small memory of its own, block by block, so that any backend
 * can feed it and a text of any length fits. Long sequences can be done in pieces, a block each (the generators); only
 * one at a time, since what passes from block to block stays in that memory. A model without a CRF is one whose transitions are all zero:
 * the best path is then each token's best label, still under the tag scheme's constraints, and a span's
 * score the product of softmax probabilities.
 *
 * A temperature T divides the score of every path, emissions and transitions alike, before it becomes a probability. That
 * is temperature scaling (Guo et al., ICML 2017) of the distribution over paths: their order stays, and with it the best
 * path, whatever T is. (To divide emissions alone would be to ask another model, whose best path may be another.)
 *
 * @module
 */
import { InputError, ModelError } from "../errors.ts";
import {
  CRF_END_ROW,
  CRF_SCRATCH_ROWS,
  CRF_STATE_ROWS,
  CRF_TRANSITION_ROWS,
} from "../kernels/contract.ts";
import type { Kernels } from "../kernels/exports.ts";
import { Arena } from "../kernels/memory.ts";
import { type ChosenKernels, instantiateKernels } from "../kernels/module.ts";
import type { CrfWeights } from "../model/weights.ts";
import { nBestPaths } from "./n_best.ts";
import { mayEnd, mayFollow, type Tag, type TokenSpan } from "./scheme.ts";

/** Steps that pass through the kernels at a time. */
const BLOCK = 256;

/** Forward and backward log scores of a sequence, float64 `[tokens, labels]` each. */
export interface Lattice {
  readonly alpha: Float64Array;
  readonly beta: Float64Array;
  /** Log of the summed weight of all paths. */
  readonly logPartition: number;
}

/** A label path and its score (unnormalized, log). */
export interface Path {
  readonly labels: Int32Array;
  readonly score: number;
}

/** A path and its probability among all paths. */
export interface LikelyPath extends Path {
  readonly probability: number;
}

/** Addresses of the kernels' blocks. */
interface Blocks {
  readonly arena: Arena;
  readonly crf: number;
  /** The parameters over the temperature; the same block where that is 1. */
  readonly tempered: number;
  readonly emissions: number;
  readonly rows: number;
  readonly state: number;
  readonly scratch: number;
  readonly back: number;
}

function place(labels: number, parameterBytes: number, temperature: number): Blocks {
  const arena = new Arena(), row = labels * Float64Array.BYTES_PER_ELEMENT;
  const crf = arena.take(parameterBytes);
  return {
    arena,
    crf,
    tempered: temperature === 1 ? crf : arena.take(parameterBytes),
    emissions: arena.take(BLOCK * labels * Float32Array.BYTES_PER_ELEMENT),
    rows: arena.take((BLOCK + 1) * row),
    state: arena.take(CRF_STATE_ROWS * row),
    scratch: arena.take(CRF_SCRATCH_ROWS * row),
    back: arena.take(BLOCK * labels * Uint16Array.BYTES_PER_ELEMENT),
  };
}

/** Carries out work that is done in pieces, all at once. */
export function atOnce<T>(work: Generator<void, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** A linear-chain CRF over a label set. */
export class Crf {
  /** Number of labels. */
  readonly size: number;
  /** Bytes of memory that the CRF takes, whatever the text. */
  readonly memoryBytes: number;
  /** What path scores are divided by before they become probabilities. */
  readonly temperature: number;
  readonly #kernels: Kernels;
  readonly #blocks: Blocks;
  readonly #memory: WebAssembly.Memory;
  /** start[L], end[L], transitions[L, L], with forbidden steps at minus infinity. */
  readonly #parameters: Float64Array;
  /** The same over the temperature. */
  readonly #tempered: Float64Array;

  private constructor(
    kernels: Kernels,
    blocks: Blocks,
    memory: WebAssembly.Memory,
    size: number,
    temperature: number,
  ) {
    this.#kernels = kernels;
    this.#blocks = blocks;
    this.#memory = memory;
    this.size = size;
    this.memoryBytes = memory.buffer.byteLength;
    this.temperature = temperature;
    const parameters = (address: number): Float64Array =>
      new Float64Array(memory.buffer, address, (CRF_TRANSITION_ROWS + size) * size);
    this.#parameters = parameters(blocks.crf);
    this.#tempered = parameters(blocks.tempered);
  }

  /**
   * Makes a CRF for labels taken apart by `parseTags`. Without `weights` every step costs nothing; if
   * `constrained`, steps that the tag scheme does not know are forbidden. Probabilities are those at `temperature`.
   * Throws {@link ModelError} (`model/weights`) when the weights do not fit the labels or are not finite.
   */
  static async create(
    chosen: ChosenKernels,
    tags: readonly Tag[],
    weights: CrfWeights | undefined,
    constrained: boolean,
    temperature: number = 1,
  ): Promise<Crf> {
    const size = tags.length;
    if (weights) checkWeights(weights, size);
    const blocks = place(size, chosen.sizes.crf_bytes(size), temperature);
    const memory = blocks.arena.memory({ shared: chosen.shared });
    const kernels = await instantiateKernels(chosen.module, memory);
    const crf = new Crf(kernels, blocks, memory, size, temperature), p = crf.#parameters;
    tags.forEach((to, j) => {
      const allowed = (from?: Tag): boolean => !constrained || mayFollow(from, to, tags);
      p[j] = allowed() ? weights?.start[j] ?? 0 : -Infinity;
      p[CRF_END_ROW * size + j] = !constrained || mayEnd(to, tags)
        ? weights?.end[j] ?? 0
        : -Infinity;
      tags.forEach((from, i) => {
        const at = i * size + j;
        p[CRF_TRANSITION_ROWS * size + at] = allowed(from)
          ? weights?.transitions[at] ?? 0
          : -Infinity;
      });
    });
    kernels.crf_prepare(blocks.crf, size);
    if (temperature !== 1) {
      p.forEach((value, i) => crf.#tempered[i] = value / temperature);
      kernels.crf_prepare(blocks.tempered, size);
    }
    return crf;
  }

  /** Number of steps of `emissions`; throws {@link InputError} unless they are whole, finite rows. */
  #steps(emissions: Float32Array): number {
    const steps = emissions.length / this.size;
    if (!Number.isInteger(steps)) {
      throw new InputError(
        "input/emissions",
        `${emissions.length} emissions do not divide into rows of ${this.size} labels.`,
      );
    }
    for (let i = 0; i < emissions.length; i++) {
      if (!Number.isFinite(emissions[i])) {
        throw new InputError(
          "input/emissions",
          `the emission of token ${Math.floor(i / this.size)} for label ${i % this.size} is ` +
            `${emissions[i]}: the model's weights are too large for float32 or damaged.`,
        );
      }
    }
    return steps;
  }

  /** Copies steps `from .. from + count` into the kernels' block. */
  #feed(emissions: Float32Array, from: number, count: number): void {
    const { buffer } = this.#memory, n = this.size;
    new Float32Array(buffer, this.#blocks.emissions, count * n)
      .set(emissions.subarray(from * n, (from + count) * n));
  }

  /** Best path through `emissions`, float32 `[tokens, labels]`. Of equal paths, the lower labels win. */
  decode(emissions: Float32Array): Path {
    return atOnce(this.decoding(emissions));
  }

  /** {@link decode} in pieces. */
  *decoding(emissions: Float32Array): Generator<void, Path> {
    const steps = this.#steps(emissions), n = this.size, labels = new Int32Array(steps);
    if (steps === 0) return { labels, score: 0 };
    const { crf, emissions: block, state, back } = this.#blocks;
    const previous = new Uint16Array(steps * n);
    for (let from = 0; from < steps; from += BLOCK) {
      const count = Math.min(BLOCK, steps - from);
      this.#feed(emissions, from, count);
      this.#kernels.crf_viterbi(block, count, n, crf, state, back, from === 0 ? 1 : 0);
      previous.set(new Uint16Array(this.#memory.buffer, back, count * n), from * n);
      if (from + count < steps) yield;
    }
    const scores = new Float64Array(this.#memory.buffer, state, n);
    let best = 0, score = -Infinity;
    for (let j = 0; j < n; j++) {
      const total = scores[j] + this.#parameters[CRF_END_ROW * n + j];
      if (total > score) best = j, score = total;
    }
    for (let t = steps - 1; t >= 0; t--) {
      labels[t] = best;
      best = previous[t * n + best];
    }
    return { labels, score };
  }

  /** Forward-backward over `emissions`, float32 `[tokens, labels]`, at least one token. */
  lattice(emissions: Float32Array): Lattice {
    return atOnce(this.summing(emissions));
  }

  /** What is summed of emissions: they themselves, or over the temperature, rounded once to float32. */
  #warm(emissions: Float32Array): Float32Array {
    const { temperature } = this;
    return temperature === 1 ? emissions : emissions.map((value) => value / temperature);
  }

  /** {@link lattice} in pieces. */
  *summing(given: Float32Array): Generator<void, Lattice> {
    const steps = this.#steps(given), n = this.size, kernels = this.#kernels;
    const emissions = this.#warm(given);
    if (steps === 0) {
      throw new InputError("input/emissions", "a lattice needs at least one token.");
    }
    const { tempered: crf, emissions: block, rows, state, scratch } = this.#blocks;
    const { buffer } = this.#memory;
    const alpha = new Float64Array(steps * n), beta = new Float64Array(steps * n);
    const rowViews = new Float64Array(buffer, rows, (BLOCK + 1) * n);
    for (let from = 0; from < steps; from += BLOCK) {
      const count = Math.min(BLOCK, steps - from);
      this.#feed(emissions, from, count);
      kernels.crf_forward(block, count, n, crf, rows, scratch, from === 0 ? 1 : 0);
      alpha.set(rowViews.subarray(n, (count + 1) * n), from * n);
      rowViews.copyWithin(0, count * n, (count + 1) * n);
      if (from + count < steps) yield;
    }
    const logPartition = kernels.crf_partition(rows, n, crf);
    for (let to = steps; to > 0;) {
      const count = Math.min(BLOCK, to), from = to - count;
      this.#feed(emissions, from, count);
      kernels.crf_backward(block, count, n, crf, rows, state, scratch, to === steps ? 1 : 0);
      beta.set(rowViews.subarray(0, count * n), from * n);
      to = from;
      if (to > 0) yield;
    }
    return { alpha, beta, logPartition };
  }

  /** A path's score over the temperature, of emissions that are over it already. */
  #temperedScore({ labels, score }: Path, emissions: Float32Array): number {
    if (this.temperature === 1) return score;
    const n = this.size, p = this.#tempered, steps = labels.length;
    let sum = p[labels[0]] + emissions[labels[0]];
    for (let t = 1; t < steps; t++) {
      sum += p[(CRF_TRANSITION_ROWS + labels[t - 1]) * n + labels[t]] +
        emissions[t * n + labels[t]];
    }
    return sum + p[CRF_END_ROW * n + labels[steps - 1]];
  }

  /** The `k` best paths, 255 at most, and how probable each is: `n_best.ts`. None through no steps. */
  *readings(
    emissions: Float32Array,
    k: number,
  ): Generator<
    void,
    { readonly paths: readonly LikelyPath[]; readonly lattice: Lattice | undefined }
  > {
    if (this.#steps(emissions) === 0) return { paths: [], lattice: undefined };
    const n = this.size, p = this.#parameters;
    const chain = {
      start: p.subarray(0, n),
      end: p.subarray(CRF_END_ROW * n, (CRF_END_ROW + 1) * n),
      transitions: p.subarray(CRF_TRANSITION_ROWS * n),
    };
    const found = yield* nBestPaths(chain, emissions, k);
    const lattice = yield* this.summing(emissions);
    const warm = this.#warm(emissions);
    const paths = found.map((path): LikelyPath => {
      // No logarithm of a probability is above 0, but rounding is.
      const log = Math.min(0, this.#temperedScore(path, warm) - lattice.logPartition);
      return { ...path, probability: this.#kernels.crf_exp(log) };
    });
    return { paths, lattice };
  }

  /** Probability of each label at each step, whatever the others are: float32 `[tokens, labels]`. */
  *marginals(emissions: Float32Array): Generator<void, Float32Array> {
    const out = new Float32Array(emissions.length);
    if (emissions.length === 0) return out;
    const { alpha, beta, logPartition } = yield* this.summing(emissions);
    for (let i = 0; i < out.length; i++) {
      // No logarithm of a probability is above 0, but rounding is.
      out[i] = this.#kernels.crf_exp(Math.min(0, alpha[i] + beta[i] - logPartition));
      if (i % (BLOCK * this.size) === 0) yield;
    }
    return out;
  }

  /**
   * Probability that the text has exactly this span: these labels at these tokens, whatever comes before,
   * and no continuation after it (`inside` is the label that would continue it, -1 for none).
   */
  spanProbability(
    emissions: Float32Array,
    labels: Int32Array,
    { first, last }: Pick<TokenSpan, "first" | "last">,
    inside: number,
    { alpha, beta, logPartition }: Lattice,
  ): number {
    const n = this.size, transitions = this.#tempered.subarray(CRF_TRANSITION_ROWS * n);
    const end = (last + 2) * n, own = this.#warm(emissions.subarray(first * n, end));
    const emission = (t: number, label: number): number => own[(t - first) * n + label];
    let label = labels[first], score = alpha[first * n + label] - logPartition;
    for (let t = first + 1; t <= last; t++) {
      score += transitions[label * n + labels[t]] + emission(t, labels[t]);
      label = labels[t];
    }
    // No logarithm of a probability is above 0, but rounding is: of scores of 1e30 it leaves nothing else.
    const exp = (log: number): number => this.#kernels.crf_exp(Math.min(0, log));
    let probability = exp(score + beta[last * n + label]);
    const next = (last + 1) * n + inside;
    if (inside >= 0 && next < emissions.length) {
      const step = transitions[label * n + inside] + emission(last + 1, inside) + beta[next];
      probability -= exp(score + step);
    }
    // Not a number, where transitions are so large that the lattice is none: no confidence then.
    return probability > 0 ? probability : 0;
  }
}

function checkWeights({ start, end, transitions }: CrfWeights, size: number): void {
  const parts = [["start", start, size], ["end", end, size], [
    "transitions",
    transitions,
    size * size,
  ]] as const;
  for (const [name, values, expected] of parts) {
    if (values.length !== expected) {
      throw new ModelError(
        "model/weights",
        `the CRF's ${name} has ${values.length} values; ${size} labels need ${expected}.`,
      );
    }
    const bad = values.findIndex((v) => !Number.isFinite(v));
    if (bad >= 0) {
      throw new ModelError("model/weights", `the CRF's ${name}[${bad}] is ${values[bad]}.`);
    }
  }
}
