/**
 * Weights into linear memory, in the form that the kernels read.
 *
 * Eight rows at a time go through a small staging area and a packing kernel, so that the peak during
 * loading is the packed model and eight rows, and the packed layout stays known to the kernels alone.
 *
 * @module
 */
import { ModelError } from "../../errors.ts";
import { type LaneBudget, laneLimit } from "../../model/lanes.ts";
import type { I4Matrix, I8Matrix, Matrix, NormWeights } from "../../model/weights.ts";
import { expandRow } from "../../quantize/matrix.ts";
import { PANEL, PANEL_BIASES, PANEL_PARAMS } from "../../kernels/contract.ts";
import type { Kernels } from "../../kernels/exports.ts";
import {
  padded,
  type Precision,
  type WasmLinear,
  type WasmMatrix,
  type WasmNorm,
} from "./layout.ts";

/** Views of linear memory. */
export interface Views {
  readonly i8: Int8Array;
  readonly i32: Int32Array;
  readonly f32: Float32Array;
}

/** Makes the views of a memory. */
export function viewsOf(memory: WebAssembly.Memory): Views {
  const { buffer } = memory;
  return { i8: new Int8Array(buffer), i32: new Int32Array(buffer), f32: new Float32Array(buffer) };
}

/** What packing needs: the kernels, their memory, and room for eight rows. */
export interface Packer {
  readonly kernels: Kernels;
  readonly views: Views;
  readonly staging: number;
}

/** A linear layer with int8 weights, and the budget that they must keep if there is one. */
export interface Int8Linear {
  readonly weight: I8Matrix;
  readonly bias: Float32Array;
  readonly lanes?: LaneBudget;
}

/** Source row of every place, -1 for padding. */
function sources({ panels, outputs, rowPlaces }: WasmMatrix): Int32Array {
  const rows = new Int32Array(panels * PANEL).fill(-1);
  for (let r = 0; r < outputs; r++) rows[rowPlaces ? rowPlaces[r] : r] = r;
  return rows;
}

/** Bytes of staging that packing needs for a layer of padded width k. */
export function stagingBytes(k: number, precision: Precision): number {
  return PANEL * k * (precision === "int8" ? 1 : 4);
}

/** Spreads a row over its places, or copies it whole. */
function spread<T extends Int8Array | Float32Array>(
  row: T,
  places: Int32Array | undefined,
  target: T,
  at: number,
): void {
  if (!places) target.set(row, at);
  else for (let i = 0; i < row.length; i++) target[at + places[i]] = row[i];
}

/**
 * Packs int8 weights, with their scales and biases. Throws {@link ModelError} `model/weights` where they exceed their
 * lane budget: on some processors the product would not be exact.
 */
export function uploadInt8Linear(
  { kernels, views: { i8, f32 }, staging }: Packer,
  linear: WasmLinear,
  { weight, bias, lanes }: Int8Linear,
): void {
  const most = lanes ? laneLimit(lanes) : Infinity;
  const { k, panels } = linear, { columns: inputs, data, scales } = weight, rows = sources(linear);
  const dense = linear.columnPlaces === undefined && inputs === k;
  for (let p = 0; p < panels; p++) {
    const parameters = linear.columns + p * PANEL_PARAMS;
    i8.fill(0, parameters, parameters + PANEL_PARAMS);
    const first = rows[p * PANEL], last = rows[p * PANEL + PANEL - 1];
    // Rows keep their order wherever they go, so that eight in a row have no padding between them.
    const whole = dense && first >= 0 && last === first + PANEL - 1;
    if (whole) i8.set(data.subarray(first * inputs, (first + PANEL) * inputs), staging);
    else i8.fill(0, staging, staging + PANEL * k);
    for (let lane = 0; lane < PANEL; lane++) {
      const r = rows[p * PANEL + lane];
      if (r < 0) continue;
      if (!whole) {
        const row = data.subarray(r * inputs, (r + 1) * inputs);
        spread(row, linear.columnPlaces, i8, staging + lane * k);
      }
      f32[(parameters >> 2) + lane] = scales[r];
      f32[((parameters + PANEL_BIASES) >> 2) + lane] = bias[r];
    }
    if (lanes && kernels.int8_lane_sum(staging, k) > most) {
      throw new ModelError(
        "model/weights",
        `rows from ${
          Math.max(0, rows[p * PANEL])
        } on of a linear layer [${weight.rows}, ${inputs}] have lanes ` +
          `that sum to more than ${most}, all that activations up to ${lanes.levels} allow: the model does not ` +
          "keep the lane budget that it names; quantize it again from its float32 weights.",
      );
    }
    kernels.int8_pack_panel(staging, k, linear.weights + p * PANEL * k, parameters);
  }
}

/** Packs a matrix as float32, expanding int8 rows. */
export function uploadF32Matrix(
  { kernels, views: { f32 }, staging }: Packer,
  target: WasmMatrix,
  matrix: Matrix,
): void {
  const { k, panels, columnPlaces } = target, rows = sources(target), stage = staging >> 2;
  const row = new Float32Array(matrix.columns);
  for (let p = 0; p < panels; p++) {
    f32.fill(0, stage, stage + PANEL * k);
    for (let lane = 0; lane < PANEL; lane++) {
      const r = rows[p * PANEL + lane];
      if (r < 0) continue;
      expandRow(matrix, r, row, 0);
      spread(row, columnPlaces, f32, stage + lane * k);
    }
    kernels.f32_pack_panel(staging, k, target.weights + p * PANEL * k * 4);
  }
}

/** Packs weights as float32, expanding int8 rows, and copies the biases. */
export function uploadF32Linear(
  packer: Packer,
  linear: WasmLinear,
  { weight, bias }: { weight: Matrix; bias: Float32Array },
): void {
  uploadF32Matrix(packer, linear, weight);
  sources(linear).forEach((r, place) => {
    packer.views.f32[(linear.columns >> 2) + place] = r < 0 ? 0 : bias[r];
  });
}

/** Copies a LayerNorm's parameters. */
export function uploadNorm(views: Views, norm: WasmNorm, { gamma, beta }: NormWeights): void {
  views.f32.set(gamma, norm.gamma >> 2);
  views.f32.set(beta, norm.beta >> 2);
}

/**
 * Copies rows of an embedding table, from number `base` of the table at `address` on, as float32 rows of
 * padded width, adding row 0 of `extra` to each if given.
 */
export function uploadTable(
  views: Views,
  address: number,
  table: Matrix,
  base: number,
  extra?: Matrix,
): void {
  const { rows, columns } = table, stride = padded(columns);
  const first = new Float32Array(columns);
  if (extra) expandRow(extra, 0, first, 0);
  for (let r = 0; r < rows; r++) {
    const at = (address >> 2) + (base + r) * stride;
    expandRow(table, r, views.f32, at);
    if (extra) { for (let c = 0; c < columns; c++) views.f32[at + c] += first[c]; }
  }
}

/** Bytes of a row of an embedding table in memory. */
export function tableRowBytes(type: Matrix["type"], columns: number): number {
  return padded(columns) * (type === "f32" ? 4 : 1) / (type === "i4" ? 2 : 1);
}

/** Copies rows of an int8 or int4 embedding table, from number `base` on, and their scales. */
export function uploadQuantizedTable(
  { i8, f32 }: Views,
  address: number,
  scales: number,
  table: I8Matrix | I4Matrix,
  base: number,
): void {
  const { rows, columns, type, data } = table, stride = tableRowBytes(type, columns);
  address += base * stride;
  const stored = type === "i4" ? Math.ceil(columns / 2) : columns;
  f32.set(table.scales, (scales >> 2) + base);
  if (stride === stored) i8.set(data, address);
  else {
    // The padding of an int4 row holds q = 0, which is stored as 8.
    if (type === "i4") i8.fill(0x88, address, address + rows * stride);
    for (let r = 0; r < rows; r++) {
      i8.set(data.subarray(r * stored, (r + 1) * stored), address + r * stride);
    }
  }
}
