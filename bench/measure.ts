/**
 * Timing by mitata, candidates taking turns.
 *
 * A shared machine slows down and recovers in the course of seconds. Measured one after the other, the
 * candidate of the bad seconds loses; so every candidate is measured for a short while in each of several
 * rounds, and the samples of all rounds are judged together. mitata decides what a sample is: a call, or a
 * batch of calls where one is too short for the clock.
 *
 * An engine compiles what is hot again, better, while it runs: in Deno a module of megabytes may run ten
 * times as slow for the first two or three seconds. {@link warmUp} lets these pass.
 *
 * Weak: a round calls each candidate once more than it counts (mitata's warm-up), which doubles the time of
 * calls that last seconds.
 *
 * @module
 */
import { measure } from "mitata";

/** Something to time; what it returns is awaited if it is a promise. */
export interface Candidate {
  readonly name: string;
  run(): unknown;
}

/** Times of one call in milliseconds. */
export interface Timing {
  readonly name: string;
  /** The fastest sample: what a deterministic loop takes when nothing disturbs it. */
  readonly min: number;
  readonly median: number;
  readonly p25: number;
  readonly p75: number;
  readonly samples: number;
}

/** How long to measure. */
export interface Budget {
  /** Seconds for one set of candidates; slow ones take longer, because the least number of rounds stands. */
  readonly seconds: number;
  readonly minRounds: number;
  /** Seconds that each engine runs before anything is timed. */
  readonly warmUp: number;
}

/** More rounds than this average nothing out that fewer do not. */
const MAX_ROUNDS = 12;

/** Calls that mitata makes for one sample of a call that is too short for the clock. */
const BATCH = 64;

/** `values`, ascending, at a fraction of its length. */
function quantile(values: readonly number[], fraction: number): number {
  return values[Math.floor(fraction * (values.length - 1))];
}

/** Times of samples, in nanoseconds as mitata gives them. */
function timingOf(name: string, nanoseconds: number[]): Timing {
  const ms = nanoseconds.map((ns) => ns / 1e6).sort((a, b) => a - b);
  return {
    name,
    min: ms[0],
    median: quantile(ms, 0.5),
    p25: quantile(ms, 0.25),
    p75: quantile(ms, 0.75),
    samples: ms.length,
  };
}

/** Runs all candidates in turn, for so many seconds each in all. */
export async function warmUp(candidates: readonly Candidate[], seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1000 * candidates.length;
  while (performance.now() < end) for (const { run } of candidates) await run();
}

/** Times all candidates within one budget, round by round, in the order given; `between` is awaited before each turn. */
export async function takeTurns(
  candidates: readonly Candidate[],
  budget: Budget,
  between?: () => Promise<void>,
): Promise<Timing[]> {
  let once = 0;
  for (const candidate of candidates) {
    const start = performance.now();
    await candidate.run();
    once += (performance.now() - start) / 1000;
  }
  // A round needs each candidate twice; whatever it does not need goes into longer turns.
  const rounds = Math.max(
    budget.minRounds,
    Math.min(MAX_ROUNDS, Math.floor(budget.seconds / (2 * once))),
  );
  const turn = budget.seconds / rounds / candidates.length;
  const samples = candidates.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { run }] of candidates.entries()) {
      await between?.();
      const stats = await measure(
        () => run(),
        {
          min_cpu_time: turn * 1e9,
          min_samples: 1,
          batch_samples: BATCH,
          // Where a runtime shows no collector, mitata's replacement allocates a gigabyte.
          gc: false,
          heap: false,
        } as unknown as Parameters<typeof measure>[1],
      );
      // One by one: a short call has more samples than a call may have arguments.
      for (const sample of stats.samples) samples[i].push(sample);
    }
  }
  return candidates.map(({ name }, i) => timingOf(name, samples[i]));
}

/** A time in milliseconds with three digits. */
export function ms(time: number): string {
  return time >= 100 ? time.toFixed(0) : time.toPrecision(3);
}

/** Median and spread: `12.3 (12.1-12.9)`. */
export function spread({ median, p25, p75 }: Timing): string {
  return `${ms(median)} (${ms(p25)}-${ms(p75)})`;
}
