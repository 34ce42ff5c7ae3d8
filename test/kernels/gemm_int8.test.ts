/**
 * The int8 product, bit for bit against a scalar spelling of the same arithmetic, for every engine's dot.
 *
 * Weights that keep a lane budget go through every family, others through those that take any. Rows that use their
 * budget to the last step meet activations that are all at one end or the other.
 *
 * No tolerance: integers are exact, and the few float32 operations around them are IEEE operations in a
 * fixed order, which Math.fround reproduces.
 */
import fc from "fast-check";
import { test } from "uvu";
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
import { type Engine, engines, FREE } from "./engine.ts";

const f = Math.fround;

interface Product {
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

function roundHalfEven(x: number): number {
  const r = Math.round(x);
  return r - x === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

/** What the kernels promise, one element at a time. */
function expected({ m, n, k, x, w, scales, bias, levels }: Product): Float32Array {
  const out = new Float32Array(m * n);
  for (let i = 0; i < m; i++) {
    const row = x.subarray(i * k, (i + 1) * k);
    const high = row.reduce((a, b) => Math.max(a, b), 0);
    const low = row.reduce((a, b) => Math.min(a, b), 0);
    const range = Math.min(Math.max(f(high - low), f(1e-30)), f(3e38));
    const inverse = f(levels / range), step = f(range / levels);
    const zero = roundHalfEven(f(-low * inverse));
    const q = Array.from(row, (v) => {
      const t = f(f(v * inverse) + f(12582912 + zero));
      return Math.min(levels, Math.max(0, t - 12582912));
    });
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let c = 0; c < k; c++) sum += (q[c] - zero) * w[j * k + c];
      out[i * n + j] = f(f(f(sum) * f(step * scales[j])) + bias[j]);
    }
  }
  return out;
}

function compute(
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
function keepBudget(w: Int8Array, k: number, levels: number): void {
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

function product(
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
function levelsFor({ lanes }: Engine): (number | undefined)[] {
  return [127, 181, 204, 255, ...lanes ? [] : [undefined]];
}

const KINDS = ["usual", "zero rows", "huge", "tiny", "equal", "one-sided", "extreme weights"];

for (const each of engines) {
  test(`${each.name}: every row count meets every column and inner size`, () => {
    for (const m of [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 19]) {
      for (const [n, k] of [[1, 1], [7, 5], [8, 16], [16, 17], [33, 48], [40, 31], [72, 64]]) {
        for (const levels of levelsFor(each)) {
          const p = product(m, n, k, m * 1000 + n, "usual", levels);
          assert.equal(compute(each, p), expected(p), `${m} x ${n} x ${k}, ${levels} levels`);
        }
      }
    }
  });

  test(`${each.name}: random shapes and values, extremes included`, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 300 }),
        fc.constantFrom(...KINDS),
        fc.constantFrom(...levelsFor(each)),
        fc.integer(),
        (m, n, k, kind, levels, seed) => {
          const p = product(m, n, k, seed, kind, levels);
          assert.equal(compute(each, p), expected(p));
        },
      ),
      { numRuns: 200 },
    );
  });

  test(`${each.name}: the longest inner size does not overflow`, () => {
    const k = 66_000,
      p: Product = {
        m: 1,
        n: 1,
        k,
        x: new Float32Array(k).fill(1),
        w: new Int8Array(k).fill(each.lanes ? -16 : -127),
        levels: LEVELS,
        scales: Float32Array.of(1),
        bias: Float32Array.of(0),
      };
    assert.equal(compute(each, p), expected(p));
  });

  test(`${each.name}: a NaN or an infinity makes its row NaN, and no other`, () => {
    for (const bad of [NaN, Infinity, -Infinity]) {
      const p = product(7, 9, 33, 5, "usual", LEVELS);
      p.x[3 * 33 + 20] = bad;
      const out = compute(each, p);
      for (let i = 0; i < 7; i++) {
        const row = out.subarray(i * 9, (i + 1) * 9);
        assert.is(row.every(Number.isNaN), i === 3, `row ${i}`);
      }
    }
  });
}

test("a lane that sums to more than its budget is found, whichever it is", () => {
  const { kernels, memory } = engines[0], k = 48, next = random(3);
  const rows = new Int8Array(memory.buffer, FREE, PANEL * k);
  for (let round = 0; round < 300; round++) {
    rows.fill(0);
    for (let i = 0; i < rows.length; i++) rows[i] = Math.floor(next() * 5) - 2;
    // One lane of one sign, of weights that no other lane comes near; -128 must not pass for nothing.
    const start = Math.floor(next() * PANEL * 3) * LANE_RUN,
      lane = round & 1,
      sign = round & 2 ? 1 : -1;
    let sum = 0;
    for (let i = 0; i < LANE_RUN; i++) {
      if (laneOf(i) !== lane || next() < 0.3) continue;
      rows[start + i] = sign > 0 ? 127 : -128;
      sum += Math.abs(rows[start + i]);
    }
    for (let i = 0; i < LANE_RUN; i++) {
      const small = rows[start + i];
      if (laneOf(i) === lane && Math.abs(small) < 3 && sign * small > 0) sum += Math.abs(small);
    }
    if (sum > 100) assert.is(kernels.int8_lane_sum(FREE, k), sum, `round ${round}`);
  }
});

test.run();
