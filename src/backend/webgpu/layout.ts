/**
 * Where an encoder's weights and tensors lie in GPU memory.
 *
 * Rows are padded with zeros to 16 columns: whole vec4s of floats, and of bytes. Heads are padded so, too (`../heads.ts`).
 * Weights lie in panels of 64 output columns, a tile's width, so that a matrix that is larger than a binding may be is
 * split between panels.
 *
 * @module
 */
import type { ModelConfig } from "../../model/config.ts";
import type { GpuPrecision } from "../accelerate.ts";
import type { Places } from "../heads.ts";
import type { GpuArray } from "./memory.ts";

/** Output columns of a panel of weights. */
export const PANEL = 64;

/** Columns of a row in memory. */
export function padded(columns: number): number {
  return Math.ceil(columns / 16) * 16;
}

/** Columns of a head in memory. */
export function paddedHead({ hiddenSize, heads }: ModelConfig): number {
  return padded(hiddenSize / heads);
}

/** Float32 rows in GPU memory. */
export interface GpuTensor {
  /** Columns that mean something. */
  readonly width: number;
  /** Columns in memory. */
  readonly pitch: number;
  /** Where those that mean something are; undefined: first. */
  readonly places: Places;
  readonly array: GpuArray;
}

/** Some panels of a linear layer's weights. */
export interface GpuPart {
  readonly first: number;
  readonly panels: number;
  /** `[panel][k][64]` numbers; int8: `[panel][k / 16][4][16]` times 16 bytes, columns 4 g + j of a panel at `[j][g]`. */
  readonly weights: GpuArray;
  /** `[panel][64]` biases; int8: for every four columns a vec4 of scales, of biases, and of the weights' sums, as bits. */
  readonly columns: GpuArray;
}

/** A linear layer in GPU memory. */
export interface GpuLinear {
  readonly inputs: number;
  readonly outputs: number;
  readonly precision: GpuPrecision;
  /** Padded inputs. */
  readonly k: number;
  /** Columns in memory that it writes, a multiple of 16. */
  readonly width: number;
  readonly parts: readonly GpuPart[];
  /** What an adapter adds to the layer's output. */
  readonly lowRanks?: readonly GpuLowRank[];
}

/** A low-rank product, float32 whatever the precision. */
export interface GpuLowRank {
  readonly a: GpuLinear;
  /** With the adapter's scale in it. */
  readonly b: GpuLinear;
  /** What is between the two. */
  readonly low: GpuTensor;
  /** First column of the output, as it lies in memory, that it adds to. */
  readonly column: number;
}

/** A LayerNorm's parameters: gamma, then beta, each padded with zeros. */
export interface GpuNorm {
  readonly width: number;
  readonly array: GpuArray;
}

/** What features add: a padded row for each feature. */
export interface GpuTable {
  readonly width: number;
  readonly window: boolean;
  readonly array: GpuArray;
  /** The first feature that it has a row for, in a row of three tokens' features, and how many. */
  readonly first: number;
  readonly count: number;
}

/** Some rows of the word embedding. */
export interface GpuWords {
  readonly first: number;
  readonly rows: number;
  readonly table: GpuArray;
  readonly scales: GpuArray;
}
