/**
 * Kullback-Leibler divergence from a teacher's emissions at a temperature (Hinton et al., arXiv 1503.02531).
 *
 *   loss = T^2 sum_j p_j (log p_j - log q_j),  p = softmax(teacher / T),  q = softmax(x / T)
 *   d loss / d x_j = T (q_j - p_j)
 *
 * T^2 keeps the derivative's size whatever the temperature.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import type { Loss, LossInput } from "../types.ts";

/**
 * `teacher` is `[tokens, labels]`, rows as the batch's tokens; `counted[t]` is 0 for a token that is left out, and
 * without it all count.
 */
export function distillationLoss(
  teacher: Float32Array,
  tokens: number,
  temperature: number,
  counted?: Uint8Array,
): Loss {
  if (!(temperature > 0 && temperature < Infinity)) {
    throw new InputError(
      "input/option",
      `the temperature is ${temperature}; expected more than 0.`,
    );
  }
  const count = counted ? counted.reduce((sum, flag) => sum + (flag ? 1 : 0), 0) : tokens;
  return {
    name: "distillation",
    head: "labels",
    count,
    evaluate(input): number {
      const { rows, columns } = input.emissions;
      if (rows !== tokens || teacher.length !== rows * columns) {
        throw new InputError(
          "input/emissions",
          `the teacher has ${teacher.length} emissions for ${tokens} tokens; the batch has ${rows} tokens and ` +
            `${columns} labels.`,
        );
      }
      return evaluate(input, teacher, temperature, counted);
    },
  };
}

/** log softmax(x / temperature), in place, in float64. */
function logSoftmax(
  x: Float64Array,
  temperature: number,
  { exp64, log64 }: LossInput["kernels"],
): void {
  let top = -Infinity;
  for (let j = 0; j < x.length; j++) top = Math.max(top, x[j] /= temperature);
  let sum = 0;
  for (let j = 0; j < x.length; j++) sum += exp64(x[j] - top);
  const partition = top + log64(sum);
  for (let j = 0; j < x.length; j++) x[j] -= partition;
}

function evaluate(
  { emissions, cotangent, scale, kernels }: LossInput,
  teacher: Float32Array,
  temperature: number,
  counted: Uint8Array | undefined,
): number {
  const { rows, columns, memory } = emissions;
  const p = new Float64Array(columns), q = new Float64Array(columns);
  let loss = 0;
  for (let r = 0; r < rows; r++) {
    if (counted && !counted[r]) continue;
    const row = emissions.start + r * emissions.stride;
    p.set(teacher.subarray(r * columns, (r + 1) * columns));
    q.set(memory.subarray(row, row + columns));
    logSoftmax(p, temperature, kernels);
    logSoftmax(q, temperature, kernels);
    const d = cotangent.start + r * cotangent.stride;
    for (let j = 0; j < columns; j++) {
      const share = kernels.exp64(p[j]);
      if (share > 0) loss += temperature * temperature * share * (p[j] - q[j]);
      memory[d + j] += scale * temperature * (kernels.exp64(q[j]) - share);
    }
  }
  return loss;
}
