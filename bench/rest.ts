/**
 * Waits for this process to come to rest.
 *
 * An engine's threads may go on spinning after its turn, for the next call to find them awake: those of onnxruntime-web
 * do so for some tenth of a second, which is as long as a turn. Where two cores are halves of one, as on most rented machines, that
 * takes from the candidate that comes next, and always from the same one. What an engine still compiles is waited for, too.
 *
 * @module
 */
import process from "node:process";

/** Milliseconds between two looks; processor time is counted in ticks of some milliseconds. */
const NAP = 20;

/** Looks after which it is given up. */
const MOST_NAPS = 50;

/** Processor time, of the time that has passed, that a process at rest takes at most. */
const AT_REST = 0.2;

/** Resolves when no thread of this process computes, or after a second. */
export async function rest(): Promise<void> {
  for (let naps = 0; naps < MOST_NAPS; naps++) {
    const before = process.cpuUsage(), start = performance.now();
    await new Promise((resolve) => setTimeout(resolve, NAP));
    const { user, system } = process.cpuUsage(before);
    if ((user + system) / 1000 < AT_REST * (performance.now() - start)) return;
  }
}
