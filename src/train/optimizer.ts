/**
 * AdamW's settings (Loshchilov and Hutter, arXiv 1711.05101); the arithmetic is kernels/train/optimizer.ts.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import type { AdamWOptions, Parameter } from "./types.ts";

/** Settings with nothing left open. */
export type AdamW = Required<AdamWOptions>;

/** Fills in defaults. Throws an {@link InputError} (`input/option`) for a setting out of range. */
export function checkAdamW(options: AdamWOptions): AdamW {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0.01, clip = 1 } = options;
  const settings = { beta1, beta2, epsilon, weightDecay, clip };
  const rules: Record<keyof AdamW, [string, boolean]> = {
    beta1: ["from 0 to below 1", beta1 >= 0 && beta1 < 1],
    beta2: ["from 0 to below 1", beta2 >= 0 && beta2 < 1],
    epsilon: ["more than 0", epsilon > 0],
    weightDecay: ["0 or more", weightDecay >= 0],
    clip: ["more than 0", clip > 0],
  };
  for (const [name, [expected, ok]] of Object.entries(rules)) {
    if (!ok) {
      const value = settings[name as keyof AdamW];
      throw new InputError("input/option", `${name} is ${value}; expected a number, ${expected}.`);
    }
  }
  return settings;
}

/** base^n for a whole n, by multiplication alone: an engine's own power rounds as it likes. */
function power(base: number, n: number): number {
  let result = 1;
  for (let square = base; n > 0; n = Math.floor(n / 2), square *= square) {
    if (n % 2 === 1) result *= square;
  }
  return result;
}

/** The constants that the kernel reads, for step number `step` (from 1) of a parameter. */
export function adamwConstants(
  { beta1, beta2, epsilon, weightDecay }: AdamW,
  { kind, rate: factor }: Parameter,
  step: number,
  rate: number,
  gradientFactor: number,
): number[] {
  const decay = kind === "matrix" || kind === "embedding" ? weightDecay : 0, own = rate * factor;
  return [
    gradientFactor,
    beta1,
    1 - beta1,
    beta2,
    1 - beta2,
    1 / (1 - power(beta2, step)),
    epsilon,
    1 - own * decay,
    own / (1 - power(beta1, step)),
  ];
}
