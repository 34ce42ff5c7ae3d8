/**
 * Int8 products to test kernels with: inputs of many kinds, and what an engine's quantizer and product make of them.
 *
 * @module
 */
import * as assert from "uvu/assert";
import { padded } from "../../src/backend/wasm/layout.ts";
import {
  ACTIVATION_NONE,
  BLOCK_ROWS,
  LEVELS,
  PANEL,
  PANEL_BIASES,
  PANEL_PARAMS,
  PRODUCT_SCRATCH,
  ROW_PARAMS,
} from "../../src/kernels/contract.ts";
import { cutRows } from "../../src/kernels/cut.ts";
import { LANE_DEPTH, LANE_RUN, laneLimit, laneOf } from "../../src/model/lanes.ts";
import { random } from "../support.ts";
import { type Engine, FREE } from "./engine.ts";

/** `x[m, k]`, quantized to `levels`, times `w[n, k]`. */
export interface Product {
  m: number;
  n: number;
  k: number;
  x: Float32Array;
  w: Int8Array;
  scales: Float32Array;
  bias: Float32Array;
  /** The largest quantized activation. */
  levels: number;
}

/** What an engine gives, `[m, n]`. */
export function compute(
  { kernels, memory, run }: Engine,
  { m, n, k, x, w, scales, bias, levels }: Product,
): Float32Array {
  const i8 = new Int8Array(memory.buffer), f32 = new Float32Array(memory.buffer);
  const kp = padded(k), np = padded(n);
  let top = FREE;
  const take = (bytes: number): number => {
    const at = top;
    top = (top + bytes + 63) & ~63;
    assert.ok(top <= memory.buffer.byteLength, "the test's memory is too small");
    i8.fill(0x55, at, top); // whatever was there must not matter
    return at;
  };
  const input = take(m * kp * 4), packed = take(m * kp * 2), rows = take(m * ROW_PARAMS);
  const weights = take(np * kp), columns = take((np / PANEL) * PANEL_PARAMS);
  const output = take(m * np * 4), stage = take(PANEL * kp), scratch = take(PRODUCT_SCRATCH);
  f32.fill(0, input >> 2, (input >> 2) + m * kp);
  for (let i = 0; i < m; i++) f32.set(x.subarray(i * k, (i + 1) * k), (input >> 2) + i * kp);
  for (let p = 0; p < np / PANEL; p++) {
    i8.fill(0, stage, stage + PANEL * kp);
    const parameters = (columns + p * PANEL_PARAMS) >> 2;
    f32.fill(0, parameters, parameters + 2 * PANEL);
    for (let lane = 0; lane < PANEL && p * PANEL + lane < n; lane++) {
      const j = p * PANEL + lane;
      i8.set(w.subarray(j * k, (j + 1) * k), stage + lane * kp);
      f32[parameters + lane] = scales[j];
      f32[parameters + (PANEL_BIASES >> 2) + lane] = bias[j];
    }
    kernels.int8_pack_panel(stage, kp, weights + p * PANEL * kp, columns + p * PANEL_PARAMS);
  }
  // Rows and columns in two ranges each where there are enough, as two threads would take them.
  const { rows: chunkRows, chunks } = cutRows(m, BLOCK_ROWS, 2), panels = np / PANEL;
  const norm = { update: 0, n: 0, gamma: 0, beta: 0, epsilon: 0 };
  const shared = { m, k: kp, packed, rowParams: rows, chunkRows };
  run("quantize", chunks, {
    ...shared,
    ...norm,
    x: input,
    stride: kp * 4,
    activation: ACTIVATION_NONE,
    levels,
  });
  const chunkPanels = panels > 2 ? Math.ceil(panels / 4) * 2 : panels;
  run("gemm_int8", chunks * Math.ceil(panels / chunkPanels), {
    ...shared,
    weights,
    columns,
    c: output,
    stride: np * 4,
    panels,
    chunkPanels,
    scratch,
    scratchBytes: 0,
  });
  const out = new Float32Array(m * n);
  for (let i = 0; i < m; i++) {
    const at = (output >> 2) + i * np;
    out.set(f32.subarray(at, at + n), i * n);
    const finite = x.subarray(i * k, (i + 1) * k).every(Number.isFinite);
    assert.ok(
      !finite || f32.subarray(at + n, at + np).every((v) => v === 0),
      "padding must stay zero",
    );
  }
  return out;
}

/** Takes steps off the largest weights of every lane that exceeds its budget. */
export function keepBudget(w: Int8Array, k: number, levels: number): void {
  const most = laneLimit({ levels, depth: LANE_DEPTH });
  for (let start = 0; start < w.length; start += k) {
    for (let run = 0; run < k; run += LANE_RUN) {
      for (const lane of [0, 1]) {
        const places = Array.from({ length: Math.min(LANE_RUN, k - run) }, (_, i) => run + i)
          .filter((column) => laneOf(column) === lane).map((column) => start + column);
        for (const sign of [1, -1]) {
          const own = places.filter((at) => sign * w[at] > 0);
          for (let sum = own.reduce((all, at) => all + sign * w[at], 0); sum > most; sum--) {
            w[own.reduce((a, b) => sign * w[a] >= sign * w[b] ? a : b)] -= sign;
          }
        }
      }
    }
  }
}

/** A product of random numbers of a kind, see {@link KINDS}; with `levels`, its weights keep a lane budget of so many. */
export function product(
  m: number,
  n: number,
  k: number,
  seed: number,
  kind: string,
  levels?: number,
): Product {
  const next = random(seed);
  const value = (i: number): number => {
    switch (kind) {
      case "zero rows":
        return i % (3 * k) < k ? 0 : next() - 0.5;
      case "huge":
        return (next() - 0.5) * 1e38;
      case "tiny":
        return (next() - 0.5) * 1e-38;
      case "equal":
        return -1.75;
      case "one-sided":
        return next() * 3;
      default:
        return (next() - 0.5) * 8;
    }
  };
  const extreme = kind === "extreme weights";
  const x = Float32Array.from(
    { length: m * k },
    (_, i) => extreme ? (next() < 0.7 ? 1 : 0) : value(i),
  );
  const w = Int8Array.from({ length: n * k }, (_, i) => {
    // Rows of one sign, so that a lane's sum is as large as its budget.
    const sign = Math.floor(i / k) % 3 - 1;
    if (extreme) return (sign || (next() < 0.9 ? 1 : -1)) * 127;
    return Math.floor(next() * 255) - 127;
  });
  if (levels !== undefined) keepBudget(w, k, levels);
  return {
    m,
    n,
    k,
    levels: levels ?? LEVELS,
    x,
    w,
    scales: Float32Array.from({ length: n }, () => next() * 0.01),
    bias: Float32Array.from({ length: n }, () => next() - 0.5),
  };
}

/** Levels of activations whose budgets are met; undefined: 8 bits, and weights of any kind. */
export function levelsFor({ lanes }: Engine): (number | undefined)[] {
  return [127, 181, 204, 255, ...lanes ? [] : [undefined]];
}

/** Kinds of inputs. */
export const KINDS: readonly string[] = [
  "usual",
  "zero rows",
  "huge",
  "tiny",
  "equal",
  "one-sided",
  "extreme weights",
];
