/**
 * Where an encoder's weights and tensors lie in linear memory, and how a logical column finds its place.
 *
 * Rows are padded to 16 columns, as kernels/layout.ts says, and so is every head (`../heads.ts`).
 *
 * @module
 */
import type { ModelConfig } from "../../model/config.ts";
import { COLUMN_ALIGN, PANEL, PANEL_PARAMS } from "../../kernels/contract.ts";
import type { Arena } from "../../kernels/memory.ts";
import type { Places } from "../heads.ts";

/** Width of a row in memory. */
export function padded(n: number): number {
  return Math.ceil(n / COLUMN_ALIGN) * COLUMN_ALIGN;
}

/** Width of a head in memory. */
export function paddedHead({ hiddenSize, heads }: ModelConfig): number {
  return padded(hiddenSize / heads);
}

/** Float32 rows in linear memory. */
export interface WasmTensor {
  /** Columns that mean something; with padded heads they are not the first ones. */
  readonly width: number;
  readonly address: number;
  /** Bytes from row to row. */
  readonly stride: number;
  /** Where the columns are. */
  readonly places: Places;
}

/** A packed matrix in linear memory. */
export interface WasmMatrix {
  readonly outputs: number;
  /** Padded K. */
  readonly k: number;
  /** Panels of 8 output columns. */
  readonly panels: number;
  /** Packed weights: int8 `[panel][8 k]`, or float32 `[panel][k][8]`. */
  readonly weights: number;
  readonly rowPlaces: Places;
  readonly columnPlaces: Places;
}

/** A packed linear layer in linear memory. */
export interface WasmLinear extends WasmMatrix {
  readonly inputs: number;
  /** int8: 96 bytes a panel; fp32: one float per column (the bias). */
  readonly columns: number;
  /** What an adapter adds to the layer's output. */
  readonly lowRanks?: readonly WasmLowRank[];
}

/** A low-rank product in linear memory, float32 whatever the precision. */
export interface WasmLowRank {
  readonly a: WasmMatrix;
  /** With the adapter's scale in it. */
  readonly b: WasmMatrix;
  /** First column of the output that it adds to. */
  readonly column: number;
  /** Scratch, `lowBytes` for each thread. */
  readonly low: number;
  readonly lowBytes: number;
}

/** What features add, in linear memory: a padded row for each feature. */
export interface WasmTable {
  readonly width: number;
  readonly window: boolean;
  readonly address: number;
  /** Features that it has rows for, and the first of them in a row of three tokens' features. */
  readonly columns: number;
  readonly first: number;
}

/** LayerNorm parameters in linear memory, padded with zeros. */
export interface WasmNorm {
  readonly width: number;
  readonly gamma: number;
  readonly beta: number;
}

/** Places a tensor of `tokens` rows with `columns` columns in memory. */
export function placeTensor(
  arena: Arena,
  tokens: number,
  width: number,
  { count = width, places }: Partial<Spread> = {},
): WasmTensor {
  const stride = padded(count) * 4;
  return { width, address: arena.take(tokens * stride), stride, places };
}

/** A side of a linear layer in memory: how many rows or columns there are, and where the logical ones go. */
export interface Spread {
  readonly count: number;
  readonly places: Places;
}

/** Precision of the linear layers and of attention. */
export type Precision = "int8" | "fp32";

/** What a linear layer is, before it has a place. */
export interface LinearShape {
  readonly outputs: number;
  readonly inputs: number;
  /** Default: as many rows as outputs, in order. */
  readonly rows?: Spread;
  /** Default: as many columns as inputs, in order. */
  readonly columns?: Spread;
}

/** Places a linear layer. */
export function placeLinear(
  arena: Arena,
  precision: Precision,
  { outputs, inputs, rows, columns }: LinearShape,
): WasmLinear {
  const k = padded(columns?.count ?? inputs), n = padded(rows?.count ?? outputs);
  const panels = n / PANEL, int8 = precision === "int8";
  return {
    inputs,
    outputs,
    k,
    panels,
    weights: arena.take(n * k * (int8 ? 1 : 4)),
    columns: arena.take(int8 ? panels * PANEL_PARAMS : n * 4),
    rowPlaces: rows?.places,
    columnPlaces: columns?.places,
  };
}

/** Places what features add to rows of this width, of three tokens or of the one in the middle. */
export function placeTable(
  arena: Arena,
  features: number,
  width: number,
  window: boolean,
): WasmTable {
  const columns = window ? 3 * features : features;
  return {
    width,
    window,
    address: arena.take(columns * padded(width) * 4),
    columns,
    first: window ? 0 : features,
  };
}

/** Places a LayerNorm's parameters. */
export function placeNorm(arena: Arena, width: number): WasmNorm {
  const bytes = padded(width) * 4;
  return { width, gamma: arena.take(bytes), beta: arena.take(bytes) };
}
