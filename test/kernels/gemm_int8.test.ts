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
import { LEVELS, PANEL } from "../../src/kernels/contract.ts";
import { LANE_RUN, laneOf } from "../../src/model/lanes.ts";
import { random } from "../support.ts";
import { engines, FREE } from "./engine.ts";
import { compute, KINDS, levelsFor, type Product, product } from "./int8.ts";

const f = Math.fround;

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
