/**
 * What a target is and what a case gives.
 *
 * @module
 */
import type { Random } from "./random.ts";
import type { Seeds } from "./seeds.ts";

/** One case, made and ready to run. */
export interface Case {
  /** The input's files, for saving; their bytes bound what reading may take. */
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Reads the input with the library's entry point: a typed error, or something to use (or a promise of it). */
  read(): unknown;
  /** Uses what was read; returns the bytes that it may take beyond the input's multiple. */
  use(value: unknown): Promise<number>;
  /** What was done to the input, in words, for whoever repeats the case. */
  what?(): string;
  /** Which kind of acceptance it was, where there are several. */
  kind?(): string;
}

/** A family of cases. */
export interface Target {
  readonly name: string;
  /** Bytes that reading may take for each byte of the input, where it is not {@link MEMORY_FACTOR}. */
  readonly factor?: number;
  /** What is done once before its first case, and takes its time: an engine that is loaded. */
  prepare?(seeds: Seeds): Promise<void>;
  /** Makes a case; everything random comes from `random`. */
  make(random: Random, seeds: Seeds): Case;
}

/** What became of a case. */
export interface Outcome {
  readonly index: number;
  readonly verdict: "accepted" | "refused" | "failed";
  /** The error's code, or what went wrong; of an accepted one its kind, where there are several. */
  readonly what: string;
  /** Milliseconds of processor time. */
  readonly ms: number;
  /** Bytes of the input, what reading them took, and what using what was read took. */
  readonly size: number;
  readonly reading: number;
  readonly using: number;
}

/** Reading takes at most this many bytes for each byte of the input, freed ones included, ... */
export const MEMORY_FACTOR = 64;
/** ... and this many whatever the input. */
export const MEMORY_CONSTANT = 64 * 2 ** 20;
