/**
 * Kullback-Leibler divergence from a teacher's distribution over label paths to a student's: what is learnt from the
 * teacher is its CRF's marginals, of single labels and of pairs of neighbours, and not its emissions.
 *
 *   loss = T^2 KL(P || Q)    d loss / d theta = T (E_Q[counts] - E_P[counts])
 *
 * P and Q are linear-chain CRFs whose scores are divided by the temperature T. A divergence over exponentially many paths
 * needs no more than two forward-backward passes, since the log-likelihood of a path is linear in how often labels and
 * pairs occur: KL = (Z_Q - E_P[score_Q]) - (Z_P - E_P[score_P]). (Wang et al., ACL 2020, "Structure-level knowledge
 * distillation for multilingual sequence labeling".) Without a CRF every pair scores 0, and a token's marginals are
 * the softmax of its emissions.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import type { CrfWeights } from "../../model/weights.ts";
import type { Loss, LossInput } from "../types.ts";
import { CRF_PARAMETERS, placeChain } from "./crf.ts";

/** A teacher's scores of one batch. */
export interface TeacherScores {
  /** `[tokens, labels]`, rows as the batch's tokens. */
  readonly emissions: Float32Array;
  /** Absent: pairs score nothing. */
  readonly crf: CrfWeights | undefined;
}

/** How a student's paths are compared with a teacher's. */
export interface PathOptions {
  /** T, above 0. */
  readonly temperature: number;
  /** Whether the student has a CRF. */
  readonly crf: boolean;
}

/** Expected counts of one chain, and the log-partition. */
interface Expected {
  readonly partition: number;
  /** By token and label. */
  readonly labels: Float64Array;
  /** Of starts, ends and pairs, as a CRF's parameters lie. */
  readonly steps: Float64Array;
  /** What the counts are worth: the expected score. */
  readonly score: (emissions: Float64Array, parameters: Float64Array) => number;
}

/** `chains`: the batch's tokens that are labelled one after the other, by sequence. */
export function pathLoss(
  teacher: TeacherScores,
  chains: readonly Int32Array[],
  options: PathOptions,
): Loss {
  const { temperature } = options;
  if (!(temperature > 0 && temperature < Infinity)) {
    throw new InputError(
      "input/option",
      `the temperature is ${temperature}; expected more than 0.`,
    );
  }
  return {
    name: "paths",
    head: "labels",
    count: chains.reduce((sum, { length }) => sum + length, 0),
    evaluate(input): number {
      const { rows, columns } = input.emissions;
      if (teacher.emissions.length !== rows * columns) {
        throw new InputError(
          "input/emissions",
          `the teacher has ${teacher.emissions.length} emissions; the batch has ${rows} tokens and ` +
            `${columns} labels.`,
        );
      }
      return evaluate(input, teacher, chains, options);
    },
  };
}

function evaluate(
  input: LossInput,
  teacher: TeacherScores,
  chains: readonly Int32Array[],
  { temperature, crf }: PathOptions,
): number {
  const { emissions, cotangent, scale } = input, { memory, columns } = emissions;
  const own = crf
    ? parametersOf(CRF_PARAMETERS.map((name) => input.parameter(name)), temperature)
    : new Float64Array(2 * columns + columns * columns);
  const { start, end, transitions } = teacher.crf ?? {};
  const theirs = start && end && transitions
    ? parametersOf([start, end, transitions], temperature)
    : new Float64Array(own.length);
  const rowsOf = (data: Float32Array, from: number, stride: number, chain: Int32Array) => {
    const rows = new Float64Array(chain.length * columns);
    chain.forEach((token, t) => {
      for (let j = 0; j < columns; j++) {
        // Rounded as the kernels read it.
        rows[t * columns + j] = Math.fround(data[from + token * stride + j]! / temperature);
      }
    });
    return rows;
  };
  // One after the other, so that each CRF is made ready once.
  const taught = expectations(
    input,
    theirs,
    chains.map((chain) => rowsOf(teacher.emissions, 0, columns, chain)),
  );
  const rows = chains.map((chain) => rowsOf(memory, emissions.start, emissions.stride, chain));
  const learnt = expectations(input, own, rows);
  const steps = new Float64Array(own.length);
  let loss = 0;
  chains.forEach((chain, i) => {
    const p = taught[i]!, q = learnt[i]!;
    const teacherRows = rowsOf(teacher.emissions, 0, columns, chain);
    loss += q.partition - p.score(rows[i]!, own) - p.partition + p.score(teacherRows, theirs);
    chain.forEach((token, t) => {
      const at = cotangent.start + token * cotangent.stride;
      for (let j = 0; j < columns; j++) {
        const d = q.labels[t * columns + j]! - p.labels[t * columns + j]!;
        memory[at + j]! += scale * temperature * d;
      }
    });
    steps.forEach((_, k) => steps[k]! += q.steps[k]! - p.steps[k]!);
  });
  let from = 0;
  for (const name of crf ? CRF_PARAMETERS : []) {
    const { length } = input.parameter(name), gradient = input.gradient(name);
    if (gradient) {
      for (let i = 0; i < length; i++) gradient[i]! += scale * temperature * steps[from + i]!;
    }
    from += length;
  }
  return temperature * temperature * loss;
}

/** A CRF's parameters one after the other, divided by the temperature. */
function parametersOf(parts: readonly Float32Array[], temperature: number): Float64Array {
  return Float64Array.from(parts.flatMap((part) => Array.from(part, (x) => x / temperature)));
}

/** Expected counts of chains with these emissions, under one CRF. */
function expectations(
  { emissions: { memory, columns: labels }, kernels, scratch }: LossInput,
  parameters: Float64Array,
  chains: readonly Float64Array[],
): Expected[] {
  const longest = chains.reduce((most, { length }) => Math.max(most, length / labels), 0);
  const at = placeChain(scratch.address, longest, labels);
  if (at.end > scratch.address + scratch.bytes) {
    throw new InputError(
      "input/labels",
      `a chain has ${longest} tokens, more than the model has positions.`,
    );
  }
  const f64 = new Float64Array(memory.buffer), size = parameters.length;
  f64.set(parameters, at.crf >> 3);
  kernels.crf_prepare(at.crf, labels);
  return chains.map((rows): Expected => {
    const steps = rows.length / labels, counts = at.perLabel >> 3, sums = at.parameters >> 3;
    memory.set(rows, at.emissions >> 2);
    f64.fill(0, counts, counts + rows.length);
    f64.fill(0, sums, sums + size);
    kernels.crf_forward(at.emissions, steps, labels, at.crf, at.alpha, at.row, 1);
    const partition = kernels.crf_partition(at.alpha + steps * labels * 8, labels, at.crf);
    kernels.crf_backward(at.emissions, steps, labels, at.crf, at.beta, at.state, at.row, 1);
    // deno-fmt-ignore
    kernels.crf_expectations(at.emissions, steps, labels, at.crf, at.alpha, at.beta, partition, 1, at.perLabel, at.parameters);
    const byLabel = f64.slice(counts, counts + rows.length), bySteps = f64.slice(sums, sums + size);
    return {
      partition,
      labels: byLabel,
      steps: bySteps,
      score: (emissions, others) => dot(byLabel, emissions) + dot(bySteps, others),
    };
  });
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
