/**
 * The check that every backend makes before it touches a batch: kernels do not look where they read.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import type { ModelConfig } from "../model/config.ts";
import type { PackedBatch } from "./backend.ts";

/** Throws an {@link InputError} (`input/batch`) unless the batch fits the model and the workspace. */
export function checkBatch(batch: PackedBatch, config: ModelConfig, maxTokens: number): void {
  const { ids, offsets, features } = batch;
  const fail = (message: string): never => {
    throw new InputError("input/batch", message);
  };
  if (ids.length > maxTokens) {
    fail(`the batch has ${ids.length} tokens; this backend was made for ${maxTokens} at most.`);
  }
  if (offsets.length < 1 || offsets[0] !== 0 || offsets[offsets.length - 1] !== ids.length) {
    fail(`the batch's offsets must begin with 0 and end with its ${ids.length} tokens.`);
  }
  for (let i = 1; i < offsets.length; i++) {
    const length = offsets[i] - offsets[i - 1];
    if (length < 1 || length > config.maxPositions) {
      fail(
        `sequence ${i - 1} has ${length} tokens; expected 1 to ${config.maxPositions}, ` +
          "the positions that the model knows.",
      );
    }
  }
  const expected = (config.features ?? 0) * ids.length;
  if ((features?.length ?? 0) !== expected) {
    fail(
      `there are ${features?.length ?? "no"} features for ${ids.length} tokens; the model takes ` +
        `${config.features ?? "none"} of each.`,
    );
  }
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] < 0 || ids[i] >= config.vocabSize) {
      fail(`token ${i} has id ${ids[i]}; the model knows 0 to ${config.vocabSize - 1}.`);
    }
  }
}
