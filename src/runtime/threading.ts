/**
 * How many threads a caller gets of what the runtime has.
 *
 * @module
 */
import { platform } from "./platform.ts";
import { InputError } from "../errors.ts";
import { MAX_THREADS } from "../kernels/contract.ts";
import type { Threading } from "../kernels/threads.ts";

/**
 * The runtime's threads, as many as are wanted, by default one for each core, up to four; or why there are none;
 * undefined if one was asked for. Throws an {@link InputError} (`input/option`) for a number out of range.
 */
export function threadsOf(threads: number | undefined): Threading | string | undefined {
  const { threads: support } = platform, has = typeof support === "object";
  const wanted = threads ?? (has ? support.defaultThreads : 2);
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > MAX_THREADS) {
    throw new InputError(
      "input/option",
      `threads is ${JSON.stringify(threads)}; expected an integer from 1 to ${MAX_THREADS}.`,
    );
  }
  if (wanted === 1) return undefined;
  return has ? { threads: wanted, maySleep: support.maySleep, start: support.start } : support;
}
