/**
 * Where an encoder's weights and tensors lie in linear memory, and how a logical column finds its place.
 *
 * The counterpart of kernels/layout.ts: rows are padded to 16 columns. Heads are padded to 16 columns each,
 * by permuting the rows of the QKV weights and the columns of the attention output's weights when they are
 * loaded, so that no kernel ever meets a head that does not fill its vectors.
 *
 * @module
 */
import type { ModelConfig } from "../../model/config.ts";
import type { Arena } from "../../kernels/memory.ts";

/** Columns of a packed panel of weights. */
export const PANEL = 8;

/** Bytes of a panel's scales, biases and sums. */
export const PANEL_PARAMS = 96;

/** Rows of a full block of packed activations. */
export const BLOCK_ROWS = 5;

/** Bytes of a row's scale and zero point. */
export const ROW_PARAMS = 8;

/** Width of a row in memory. */
export function padded(n: number): number {
  return (n + 15) & ~15;
}

/** Width of a head in memory. */
export function paddedHead({ hiddenSize, heads }: ModelConfig): number {
  return padded(hiddenSize / heads);
}

/** Place of a logical index; undefined: identity. */
export type Places = Int32Array | undefined;

/**
 * Where the columns of `parts` stacks of heads go when each head is padded: logical column
 * `part * hiddenSize + head * d + i` to `(part * heads + head) * padded + i`.
 */
export function headPlaces(config: ModelConfig, parts: number): Places {
  const { hiddenSize, heads } = config, d = hiddenSize / heads, wide = paddedHead(config);
  if (d === wide) return undefined;
  return Int32Array.from(
    { length: parts * hiddenSize },
    (_, i) => Math.floor(i / d) * wide + i % d,
  );
}

/** Float32 rows in linear memory. */
export interface WasmTensor {
  /** Columns that mean something; with padded heads they are not the first ones. */
  readonly width: number;
  readonly address: number;
  /** Bytes from row to row. */
  readonly stride: number;
}

/** A packed linear layer in linear memory. */
export interface WasmLinear {
  readonly inputs: number;
  readonly outputs: number;
  /** Padded K. */
  readonly k: number;
  /** Panels of 8 output columns. */
  readonly panels: number;
  /** Packed weights: int8 `[panel][8 k]`, or float32 `[panel][k][8]`. */
  readonly weights: number;
  /** int8: 96 bytes a panel; fp32: one float per column (the bias). */
  readonly columns: number;
  readonly rowPlaces: Places;
  readonly columnPlaces: Places;
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
  columns: number = width,
): WasmTensor {
  const stride = padded(columns) * 4;
  return { width, address: arena.take(tokens * stride), stride };
}

/** Places a linear layer; `rowPlaces` and `columnPlaces` spread its outputs and inputs. */
export function placeLinear(
  arena: Arena,
  int8: boolean,
  outputs: number,
  inputs: number,
  rows: { count: number; places: Places } = { count: outputs, places: undefined },
  columns: { count: number; places: Places } = { count: inputs, places: undefined },
): WasmLinear {
  const k = padded(columns.count), n = padded(rows.count), panels = n / PANEL;
  return {
    inputs,
    outputs,
    k,
    panels,
    weights: arena.take(n * k * (int8 ? 1 : 4)),
    columns: arena.take(int8 ? panels * PANEL_PARAMS : n * 4),
    rowPlaces: rows.places,
    columnPlaces: columns.places,
  };
}

/** Places a LayerNorm's parameters. */
export function placeNorm(arena: Arena, width: number): WasmNorm {
  const bytes = padded(width) * 4;
  return { width, gamma: arena.take(bytes), beta: arena.take(bytes) };
}
