/**
 * Which of two engines is faster at a batch of a given size: both run it in turns, and the median of each counts.
 *
 * Which it is cannot be told from a GPU's name: a small model on short texts is over in WebAssembly before a GPU has been
 * told what to do, and what a GPU is told through has costs of its own in every browser.
 *
 * Weak: a machine that is busy for the third of a second that a race takes is measured as it is then; a processor or a
 * GPU that clocks down later, on battery, was faster when it was asked.
 *
 * @module
 */
import type { PackedBatch } from "./backend.ts";
import { encodeInParts, type Engine } from "./engine.ts";

/** What a caller expects of the calls to come. */
export interface Expected {
  /** Tokens of all texts of a call together, special ones included. */
  readonly tokens: number;
  /** Texts of a call. */
  readonly sequences: number;
}

/** Milliseconds, from whenever. */
export type Now = () => number;

/** What a caller sees who says nothing: one text of a few sentences. */
export const EXPECTED: Expected = { tokens: 128, sequences: 1 };

/** Milliseconds for both engines together, if so many rounds take no longer. */
const BUDGET_MS = 300;

/** Rounds, at most and in any case. An odd number each, so that there is a middle. */
const MOST_ROUNDS = 9, LEAST_ROUNDS = 3;

/** Runs of each that do not count: pipelines are compiled, threads begin, an engine's compiler looks again. */
const WARM_UP = 2;

/** Sequences of about equal length, ids by a rule; longer ones than `most` are several. */
export function expectedBatch(
  { tokens, sequences }: Expected,
  { config, maxSequence }: Pick<Engine, "config" | "maxSequence">,
): PackedBatch {
  const offsets = [0];
  for (let s = 0; s < sequences; s++) {
    const end = Math.round(tokens * (s + 1) / sequences);
    let start = offsets.at(-1)!;
    while (end - start > maxSequence) offsets.push(start += maxSequence);
    if (end > start) offsets.push(end);
  }
  return {
    ids: Int32Array.from({ length: tokens }, (_, i) => i * 7919 % config.vocabSize),
    offsets: Int32Array.from(offsets),
    ...(config.features !== undefined && { features: new Float32Array(tokens * config.features) }),
  };
}

/** The middle of some times. */
function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[times.length >> 1];
}

/** Median milliseconds of a batch in each engine. Throws what they throw. */
export async function race(
  engines: readonly Engine[],
  batch: PackedBatch,
  now: Now,
): Promise<number[]> {
  for (let run = 0; run < WARM_UP; run++) {
    for (const engine of engines) await encodeInParts(engine, batch);
  }
  const times = engines.map((): number[] => []), start = now();
  for (let round = 0; round < MOST_ROUNDS; round++) {
    if (round >= LEAST_ROUNDS && round % 2 === 1 && now() - start > BUDGET_MS) break;
    for (const [i, engine] of engines.entries()) {
      const before = now();
      await encodeInParts(engine, batch);
      times[i].push(now() - before);
    }
  }
  return times.map(median);
}
