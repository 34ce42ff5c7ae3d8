/**
 * Negative log-likelihood of a linear-chain CRF, also where labels are known in part only.
 *
 *   loss = Z - Z_allowed    d loss / d theta = E[counts] - E[counts | allowed]
 *
 * Z is the log-partition over all label paths, Z_allowed that over the paths that the targets allow: a token's label
 * may be known, unknown, or one of a set ("anything but a medicine", where a lexicon is trusted on nothing else).
 * With one label for each token Z_allowed is the score of that path, and the loss is the usual one. Both are
 * the same forward-backward pass; what is not allowed has an emission of minus infinity.
 *
 * Sources: Lafferty, McCallum and Pereira 2001; Tsuboi et al., COLING 2008 (partial annotations). Sums are
 * float64 in log space: no score is too large, too small or too equal.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import type { Loss, LossInput } from "../types.ts";
import { IGNORED } from "./targets.ts";

/** Options of the two losses. */
export interface CrfOptions {
  /** What the loss is the mean over; tokens by default, as other losses, so that they can be added. */
  readonly per?: "token" | "sequence";
  /** Factor on each sequence's loss; 1 by default. What the mean is over does not change. */
  readonly weights?: Float64Array;
}

/**
 * Likelihood of known labels: `labels[t]` is the label of token t of the batch, or {@link IGNORED} for a token that is
 * no part of the chain ([CLS], [SEP], a word's later pieces).
 */
export function crfLoss(labels: Int32Array, offsets: Int32Array, options: CrfOptions = {}): Loss {
  return chainLoss("crf", labels.length, offsets, options, {
    inChain: (t) => labels[t] !== IGNORED,
    allows: (t, label) => labels[t] === label,
    check(tokens, columns): void {
      checkTokens(labels.length, tokens);
      for (const [t, label] of labels.entries()) {
        if (label !== IGNORED && !(label >= 0 && label < columns)) {
          throw new InputError(
            "input/labels",
            `token ${t} has label ${label}; expected 0 to ${
              columns - 1
            }, or ${IGNORED} to leave it out.`,
          );
        }
      }
    },
  });
}

/**
 * Likelihood of sets of labels: `allowed` is `[tokens, labels]`, 1 where a token may have a label; a token that may have
 * none is no part of the chain.
 */
export function partialCrfLoss(
  allowed: Uint8Array,
  offsets: Int32Array,
  options: CrfOptions = {},
): Loss {
  const tokens = offsets[offsets.length - 1], columns = allowed.length / tokens;
  return chainLoss("partial crf", tokens, offsets, options, {
    inChain: (t) => allowed.subarray(t * columns, (t + 1) * columns).includes(1),
    allows: (t, label) => allowed[t * columns + label] === 1,
    check(batchTokens, labels): void {
      checkTokens(tokens, batchTokens);
      if (columns !== labels) {
        throw new InputError(
          "input/labels",
          `there are ${allowed.length} allowed flags for ${tokens} tokens; expected ${labels} a token.`,
        );
      }
    },
  });
}

function checkTokens(got: number, tokens: number): void {
  if (got === tokens) return;
  throw new InputError(
    "input/labels",
    `there are labels for ${got} tokens; the batch has ${tokens}.`,
  );
}

/** Tokens of a sequence that are a chain of labels. */
interface Chain {
  readonly rows: Int32Array;
  /** Factor on its loss. */
  readonly weight: number;
}

/** What tells the two losses apart. */
interface Targets {
  inChain(token: number): boolean;
  allows(token: number, label: number): boolean;
  check(tokens: number, columns: number): void;
}

function chainLoss(
  name: string,
  tokens: number,
  offsets: Int32Array,
  { per = "token", weights }: CrfOptions,
  targets: Targets,
): Loss {
  const chains: Chain[] = [];
  for (let s = 1; s < offsets.length; s++) {
    const rows: number[] = [];
    for (let t = offsets[s - 1]; t < Math.min(offsets[s], tokens); t++) {
      if (targets.inChain(t)) rows.push(t);
    }
    if (rows.length > 0) {
      chains.push({ rows: Int32Array.from(rows), weight: weights?.[s - 1] ?? 1 });
    }
  }
  const count = per === "sequence"
    ? chains.length
    : chains.reduce((sum, { rows }) => sum + rows.length, 0);
  return {
    name,
    head: "labels",
    count,
    evaluate: (input) => {
      targets.check(input.emissions.rows, input.emissions.columns);
      return evaluate(input, chains, targets);
    },
  };
}

/** Bytes of scratch for chains of up to `steps` tokens. */
export function crfScratchBytes(steps: number, labels: number): number {
  return placeChain(0, steps, labels).end;
}

/** Where a chain's numbers lie in scratch memory. */
export function placeChain(address: number, steps: number, labels: number): Record<
  "crf" | "parameters" | "alpha" | "beta" | "perLabel" | "state" | "row" | "emissions" | "end",
  number
> {
  let top = (address + 7) & ~7;
  const take = (bytes: number): number => {
    const at = top;
    top += (bytes + 7) & ~7;
    return at;
  };
  const f64 = (n: number): number => take(8 * n);
  return {
    crf: f64(2 * labels + 2 * labels * labels),
    parameters: f64(2 * labels + labels * labels),
    alpha: f64((steps + 1) * labels),
    beta: f64(steps * labels),
    perLabel: f64(steps * labels),
    state: f64(labels),
    row: f64(labels),
    emissions: take(4 * steps * labels),
    end: top,
  };
}

/** A CRF's parameters, in the order in which its kernels read them. */
export const CRF_PARAMETERS = ["crf.start", "crf.end", "crf.transitions"] as const;

function evaluate(input: LossInput, chains: readonly Chain[], targets: Targets): number {
  const { emissions, cotangent, scale, kernels, scratch } = input, labels = emissions.columns;
  const longest = chains.reduce((most, { rows }) => Math.max(most, rows.length), 0);
  const at = placeChain(scratch.address, longest, labels);
  if (at.end > scratch.address + scratch.bytes) {
    throw new InputError(
      "input/labels",
      `a chain has ${longest} tokens, more than the model has positions.`,
    );
  }
  const { memory } = emissions, f64 = new Float64Array(memory.buffer);
  CRF_PARAMETERS.reduce((to, name) => {
    const values = input.parameter(name);
    f64.set(values, to);
    return to + values.length;
  }, at.crf >> 3);
  kernels.crf_prepare(at.crf, labels);
  const size = 2 * labels + labels * labels, sums = at.parameters >> 3;
  f64.fill(0, sums, sums + size);

  /** Log-partition of a chain whose emissions are in place; adds `weight` times its expected counts. */
  const pass = (steps: number, weight: number): number => {
    kernels.crf_forward(at.emissions, steps, labels, at.crf, at.alpha, at.row, 1);
    const partition = kernels.crf_partition(at.alpha + steps * labels * 8, labels, at.crf);
    kernels.crf_backward(at.emissions, steps, labels, at.crf, at.beta, at.state, at.row, 1);
    // deno-fmt-ignore
    kernels.crf_expectations(at.emissions, steps, labels, at.crf, at.alpha, at.beta, partition, weight, at.perLabel, at.parameters);
    return partition;
  };

  let loss = 0;
  for (const { rows: chain, weight } of chains) {
    const from = at.emissions >> 2, counts = at.perLabel >> 3;
    chain.forEach((token, step) => {
      const row = emissions.start + token * emissions.stride;
      memory.copyWithin(from + step * labels, row, row + labels);
    });
    f64.fill(0, counts, counts + chain.length * labels);
    loss += weight * pass(chain.length, weight);
    chain.forEach((token, step) => {
      for (let j = 0; j < labels; j++) {
        if (!targets.allows(token, j)) memory[from + step * labels + j] = -Infinity;
      }
    });
    loss -= weight * pass(chain.length, -weight);
    chain.forEach((token, step) => {
      const row = cotangent.start + token * cotangent.stride;
      for (let j = 0; j < labels; j++) memory[row + j] += scale * f64[counts + step * labels + j];
    });
  }
  CRF_PARAMETERS.reduce((from, name) => {
    const length = input.parameter(name).length, gradient = input.gradient(name);
    if (gradient) { for (let i = 0; i < length; i++) gradient[i] += scale * f64[from + i]; }
    return from + length;
  }, sums);
  return loss;
}
