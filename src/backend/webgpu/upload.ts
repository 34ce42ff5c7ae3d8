/**
 * Weights into GPU memory, in the form that the kernels read (layout.ts).
 *
 * A panel at a time is packed and written, so that beside the weights that were handed in and those on the GPU there is
 * one panel in memory.
 *
 * @module
 */
import { ModelError } from "../../errors.ts";
import type { I8Matrix, LinearWeights, Matrix, NormWeights } from "../../model/weights.ts";
import { expandRow } from "../../quantize/matrix.ts";
import type { Places } from "../heads.ts";
import type { GpuPrecision } from "../accelerate.ts";
import { toHalf } from "./half.ts";
import {
  type GpuLinear,
  type GpuNorm,
  type GpuPart,
  type GpuWords,
  padded,
  PANEL,
} from "./layout.ts";
import type { Data, GpuArray, GpuMemory } from "./memory.ts";

/** How a linear layer's rows and columns lie in memory: how many there are, and where the logical ones go. */
export interface Spread {
  readonly count: number;
  readonly places: Places;
}

/** Where a linear layer's rows and columns go; as they are, unless given. */
export interface Spreads {
  readonly rows?: Spread;
  readonly columns?: Spread;
}

/** Packs panel `p` of weights whose row in place i is `rows[i]`, -1 for padding. */
interface Packing {
  /** Bytes of a panel. */
  readonly bytes: number;
  pack(rows: Int32Array): Data;
}

/** Float32 or half precision: `[k][64]`. */
function packFloats(weight: Matrix, k: number, places: Places, half: boolean): Packing {
  const panel = half ? new Uint16Array(k * PANEL) : new Float32Array(k * PANEL);
  const row = new Float32Array(weight.columns);
  return {
    bytes: panel.byteLength,
    pack: (rows) => {
      panel.fill(0);
      rows.forEach((r, c) => {
        if (r < 0) return;
        expandRow(weight, r, row, 0);
        for (let i = 0; i < row.length; i++) {
          panel[(places ? places[i] : i) * PANEL + c] = half ? toHalf(row[i]) : row[i];
        }
      });
      return panel;
    },
  };
}

/** int8: `[k / 16][4][16]` times 16 bytes. */
function packBytes({ data, columns }: I8Matrix, k: number, places: Places): Packing {
  const panel = new Int8Array(k * PANEL);
  return {
    bytes: panel.byteLength,
    pack: (rows) => {
      panel.fill(0);
      rows.forEach((r, c) => {
        if (r < 0) return;
        const column = (c % 4) * 16 + (c >> 2);
        for (let i = 0; i < columns; i++) {
          const at = places ? places[i] : i;
          panel[((at >> 4) * PANEL + column) * 16 + (at & 15)] = data[r * columns + i];
        }
      });
      return panel;
    },
  };
}

/** For every four columns a vec4 of scales, of biases, and of the sums of weights, as bits. */
function int8Columns(weight: I8Matrix, bias: Float32Array, rows: Int32Array): Float32Array {
  const columns = new Float32Array(rows.length * 3), integers = new Int32Array(columns.buffer);
  rows.forEach((r, c) => {
    if (r < 0) return;
    const at = (c >> 2) * 12 + (c & 3);
    columns[at] = weight.scales[r];
    columns[at + 4] = bias[r];
    let sum = 0;
    for (let i = r * weight.columns; i < (r + 1) * weight.columns; i++) sum += weight.data[i];
    integers[at + 8] = sum;
  });
  return columns;
}

/**
 * Puts a linear layer into memory. Throws a {@link ModelError} `model/dtype` where the precision is int8 and its weights are
 * not.
 */
export function uploadLinear(
  memory: GpuMemory,
  precision: GpuPrecision,
  { weight, bias }: LinearWeights,
  { rows: rowSpread, columns: columnSpread }: Spreads = {},
): GpuLinear {
  const width = padded(rowSpread?.count ?? weight.rows);
  const k = padded(columnSpread?.count ?? weight.columns), places = columnSpread?.places;
  if (precision === "int8" && weight.type !== "i8") {
    throw new ModelError(
      "model/dtype",
      "the int8 backend takes int8 weights; quantize them first.",
    );
  }
  const int8 = precision === "int8" ? weight as I8Matrix : undefined;
  const panels = Math.ceil(width / PANEL), rows = new Int32Array(panels * PANEL).fill(-1);
  for (let r = 0; r < weight.rows; r++) rows[rowSpread?.places ? rowSpread.places[r] : r] = r;
  const packing = int8
    ? packBytes(int8, k, places)
    : packFloats(weight, k, places, precision === "f16");
  const step = Math.max(1, Math.floor(memory.largest / packing.bytes));
  const parts: GpuPart[] = [];
  for (let first = 0; first < panels; first += step) {
    const count = Math.min(step, panels - first);
    const own = rows.subarray(first * PANEL, (first + count) * PANEL);
    const weights = memory.take(count * packing.bytes);
    for (let p = 0; p < count; p++) {
      const panel = packing.pack(own.subarray(p * PANEL, (p + 1) * PANEL));
      memory.write(weights, p * packing.bytes, panel);
    }
    const columns = int8
      ? int8Columns(int8, bias, own)
      : Float32Array.from(own, (r) => r < 0 ? 0 : bias[r]);
    parts.push({ first, panels: count, weights, columns: memory.of(columns) });
  }
  return { inputs: weight.columns, outputs: weight.rows, precision, k, width, parts };
}

/** Puts a LayerNorm's parameters into memory. */
export function uploadNorm(memory: GpuMemory, { gamma, beta }: NormWeights): GpuNorm {
  const width = gamma.length, both = new Float32Array(2 * padded(width));
  both.set(gamma);
  both.set(beta, padded(width));
  return { width, array: memory.of(both) };
}

/** Puts rows of a table into memory as float32, adding row 0 of `extra` to each if given. */
export function uploadTable(
  memory: GpuMemory,
  table: Matrix,
  count: number = table.rows,
  extra?: Matrix,
): GpuArray {
  const pitch = padded(table.columns), rows = new Float32Array(count * pitch);
  const first = new Float32Array(table.columns);
  if (extra) expandRow(extra, 0, first, 0);
  for (let r = 0; r < count; r++) {
    expandRow(table, r, rows, r * pitch);
    if (extra) { for (let c = 0; c < first.length; c++) rows[r * pitch + c] += first[c]; }
  }
  return memory.of(rows);
}

/** Bits of an element of a table. */
export const STORED: Readonly<Record<Matrix["type"], number>> = { f32: 32, i8: 8, i4: 4 };

/** Rows that are packed and written at a time. */
const ROWS = 1024;

/** Puts the word embedding into memory as it is stored, in as many buffers as it needs. */
export function uploadWords(memory: GpuMemory, table: Matrix): readonly GpuWords[] {
  const { rows, columns, type } = table, pitch = padded(columns) * STORED[type] / 8;
  const stored = type === "i4" ? Math.ceil(columns / 2) : columns;
  const most = Math.floor(memory.largest / pitch), parts: GpuWords[] = [];
  // The padding of an int4 row holds q = 0, which is stored as 8.
  const bytes = new Uint8Array(ROWS * pitch).fill(type === "i4" ? 0x88 : 0);
  const staged = type === "f32" ? new Float32Array(bytes.buffer) : new Int8Array(bytes.buffer);
  const wide = pitch / staged.BYTES_PER_ELEMENT;
  for (let first = 0; first < rows; first += most) {
    const count = Math.min(most, rows - first), array = memory.take(count * pitch);
    for (let r = 0; r < count; r += ROWS) {
      const some = Math.min(ROWS, count - r);
      for (let i = 0; i < some; i++) {
        const at = (first + r + i) * stored;
        staged.set(table.data.subarray(at, at + stored), i * wide);
      }
      memory.write(array, r * pitch, bytes.subarray(0, some * pitch));
    }
    const scales = type === "f32" ? new Float32Array(1) : table.scales;
    parts.push({
      first,
      rows: count,
      table: array,
      scales: memory.of(type === "f32" ? scales : scales.subarray(first, first + count)),
    });
  }
  return parts;
}
