/**
 * A trainer's options, checked and with defaults.
 *
 * @module
 */
import { InputError, show } from "../errors.ts";
import { checkAdamW } from "./optimizer.ts";
import type { TrainableModel, TrainerOptions } from "./types.ts";

/** Options with nothing left open. */
export type Settings = ReturnType<typeof checkOptions>;

/** Throws an {@link InputError} (`input/option`). */
export function fail(message: string): never {
  throw new InputError("input/option", message);
}

/** Fills in defaults; throws as {@link fail} for what is out of range. */
export function checkOptions({ weights, masked }: TrainableModel, options: TrainerOptions) {
  const { maxTokens, maxMasked = maxTokens, seed = 0, dropout = 0.1 } = options;
  const { checkpointing = false, attention = false } = options;
  const { attentionDropout = dropout, pieces } = options, { vocabSize } = weights.config;
  for (const [name, value] of Object.entries({ maxTokens, maxMasked })) {
    if (!Number.isInteger(value) || value < 1) {
      fail(`${name} is ${show(value)}; expected an integer from 1.`);
    }
  }
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    fail(`seed is ${show(seed)}; expected an integer from 0 to 2^32 - 1.`);
  }
  for (const [name, value] of Object.entries({ dropout, attentionDropout })) {
    if (!(value >= 0 && value < 1)) fail(`${name} is ${show(value)}; expected 0 to below 1.`);
  }
  if (pieces) {
    if (masked) {
      fail("pieces cannot be left out under the masked head, which predicts any of them.");
    }
    if (
      pieces.length === 0 ||
      pieces.some((id, i) => id < 0 || id >= vocabSize || i > 0 && id <= pieces[i - 1])
    ) {
      fail(`pieces must be ids from 0 to ${vocabSize - 1}, ascending, at least one.`);
    }
  }
  return {
    ...checkAdamW(options),
    maxTokens,
    maxMasked,
    seed,
    dropout,
    attentionDropout,
    checkpointing,
    attention,
    pieces,
  };
}
