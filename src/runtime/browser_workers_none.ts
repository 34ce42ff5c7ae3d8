/**
 * What the program of a browser's worker has in the place of `browser_workers.ts`.
 *
 * @module
 */
import type * as workers from "./browser_workers.ts";

/** Nobody asks a worker to start one. */
export const startWorker: typeof workers.startWorker = "this is a worker already";
