/**
 * The float32 kernels that every family's module shares, each against a scalar: every row count meets every width.
 *
 * The product bit for bit, since each output is one sum in ascending order, which Math.fround reproduces. LayerNorm
 * and the embeddings behind it to 2e-5 of the largest value: sums run in lanes, in another order than a scalar's, and
 * a row with little variance enlarges what that costs. GELU to 1e-6, its polynomial's error (kernels/math.ts).
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { padded } from "../../src/backend/wasm/layout.ts";
import { ACTIVATION, PANEL } from "../../src/kernels/contract.ts";
import { scratchF32 } from "../../src/kernels/cut.ts";
import { ACTIVATION_NAMES, ACTIVATIONS } from "../../src/model/activations.ts";
import { bits, normal, random } from "../support.ts";
import { type Engine, engines, FREE } from "./engine.ts";

const f = Math.fround;
const ROWS = [1, 2, 3, 4, 5, 7, 8, 9, 13];
const WIDTHS = [1, 7, 16, 17, 33, 64];

/** Hands out addresses from the free memory on, and puts rows of `width` columns there, padded. */
function roomOf({ memory }: Engine) {
  let top = FREE;
  const f32 = new Float32Array(memory.buffer);
  const take = (bytes: number): number => {
    const address = top;
    top = Math.ceil((top + bytes) / 64) * 64;
    return address;
  };
  const rows = (values: Float32Array, width: number): number => {
    const count = values.length / width, wide = padded(width), address = take(count * wide * 4);
    f32.fill(0, address >> 2, (address >> 2) + count * wide);
    for (let r = 0; r < count; r++) {
      f32.set(values.subarray(r * width, (r + 1) * width), (address >> 2) + r * wide);
    }
    return address;
  };
  const read = (address: number, count: number, width: number): Float32Array => {
    const out = new Float32Array(count * width), wide = padded(width);
    for (let r = 0; r < count; r++) {
      const at = (address >> 2) + r * wide;
      out.set(f32.subarray(at, at + width), r * width);
      assert.ok(f32.subarray(at + width, at + wide).every((v) => v === 0), "padding stays zero");
    }
    return out;
  };
  return { take, rows, read };
}

/** Largest difference. */
function distance(got: Float32Array, want: ArrayLike<number>): number {
  return got.reduce((most, v, i) => Math.max(most, Math.abs(v - want[i])), 0);
}

/** What LayerNorm's results may differ by. */
function within(want: readonly number[]): number {
  return 2e-5 * Math.max(1, ...want.map(Math.abs));
}

/** LayerNorm of rows of n columns, in float64. */
function layerNorm(x: ArrayLike<number>, n: number, gamma: Float32Array, beta: Float32Array) {
  return Array.from(x, (v, i) => {
    const row = Array.from({ length: n }, (_, c) => x[i - i % n + c]);
    const mean = row.reduce((a, b) => a + b) / n;
    const variance = row.reduce((sum, w) => sum + (w - mean) ** 2, 0) / n;
    return (v - mean) / Math.sqrt(variance + 1e-6) * gamma[i % n] + beta[i % n];
  });
}

for (const engine of engines) {
  test(`${engine.name}: the product`, () => {
    for (const m of ROWS) {
      for (const [n, k] of [[1, 5], [8, 16], [16, 17], [33, 48], [9, 300], [8, 512]]) {
        const next = random(m * 100 + n), { take, rows, read } = roomOf(engine);
        const x = normal(next, m * k, 1), w = normal(next, n * k, 1), b = normal(next, n, 1);
        const kp = padded(k), panels = padded(n) / PANEL;
        const a = rows(x, k), bias = rows(b, n), weights = take(panels * PANEL * kp * 4);
        const source = rows(new Float32Array(panels * PANEL * k).map((_, i) => w[i] ?? 0), k);
        for (let p = 0; p < panels; p++) {
          const panel = PANEL * kp * 4;
          engine.kernels.f32_pack_panel(source + p * panel, kp, weights + p * panel);
        }
        const c = take(m * padded(n) * 4), beyond = rows(new Float32Array(n).fill(7), n);
        engine.run("gemm_f32", Math.ceil(panels / 2), {
          m,
          k: kp,
          a,
          aStride: kp * 4,
          weights,
          bias,
          c,
          stride: padded(n) * 4,
          panels,
          chunkRows: m,
          chunkPanels: 2,
          scratch: take(scratchF32(m)),
          scratchBytes: scratchF32(m),
        });
        const want = Float32Array.from({ length: m * n }, (_, i) => {
          let sum = 0;
          for (let d = 0; d < k; d++) {
            sum = f(sum + f(x[(i - i % n) / n * k + d] * w[i % n * k + d]));
          }
          return f(sum + b[i % n]);
        });
        assert.equal(bits(read(c, m, n)), bits(want), `${m} x ${n} x ${k}`);
        assert.ok(read(beyond, 1, n).every((v) => v === 7), "nothing beyond the last row");
      }
    }
  });

  test(`${engine.name}: a low-rank product is added to what is there`, () => {
    for (const m of ROWS) {
      for (const [n, k, rank] of [[1, 5, 4], [16, 16, 8], [33, 17, 12], [40, 48, 20]]) {
        const next = random(m * 100 + n), { take, rows, read } = roomOf(engine);
        const wide = padded(k), ranks = Math.ceil(rank / PANEL), panels = padded(n) / PANEL;
        const x = normal(next, m * k, 1), a = normal(next, rank * k, 1);
        const b = normal(next, n * rank, 1), c = normal(next, m * n, 1);
        // Rows that are not there are zero, for A as for B.
        const pack = (matrix: Float32Array, columns: number, width: number, count: number) => {
          const target = take(count * PANEL * width * 4),
            f32 = new Float32Array(engine.memory.buffer);
          const source = take(PANEL * width * 4);
          for (let p = 0; p < count; p++) {
            for (let i = 0; i < PANEL * width; i++) {
              const r = p * PANEL + Math.floor(i / width), column = i % width;
              f32[(source >> 2) + i] = column < columns ? matrix[r * columns + column] ?? 0 : 0;
            }
            engine.kernels.f32_pack_panel(source, width, target + p * PANEL * width * 4);
          }
          return target;
        };
        const out = rows(c, n), chunkRows = 8, lowBytes = 4 * ranks * PANEL * 4;
        const beyond = rows(new Float32Array(n).fill(7), n);
        engine.run("low_rank", Math.max(1, Math.floor((m - 8) / chunkRows) + 1), {
          m,
          k: wide,
          x: rows(x, k),
          xStride: wide * 4,
          a: pack(a, k, wide, ranks),
          rank,
          b: pack(b, rank, rank, panels),
          panels,
          c: out,
          stride: padded(n) * 4,
          chunkRows,
          low: take(lowBytes),
          lowBytes,
        });
        const dot = (length: number, term: (i: number) => number): number => {
          let sum = 0;
          for (let i = 0; i < length; i++) sum = f(sum + f(term(i)));
          return sum;
        };
        const want = Float32Array.from({ length: m * n }, (_, i) => {
          const row = Math.floor(i / n), column = i % n;
          const low = Float32Array.from(
            { length: rank },
            (_, r) => dot(k, (d) => x[row * k + d] * a[r * k + d]),
          );
          return f(dot(rank, (r) => low[r] * b[column * rank + r]) + c[i]);
        });
        assert.equal(bits(read(out, m, n)), bits(want), `${m} x ${n} x ${k}, rank ${rank}`);
        assert.ok(read(beyond, 1, n).every((v) => v === 7), "nothing beyond the last row");
      }
    }
  });

  test(`${engine.name}: residual and LayerNorm, and activations`, () => {
    for (const m of ROWS) {
      for (const n of WIDTHS) {
        const next = random(m * 100 + n), { rows, read } = roomOf(engine);
        const x = normal(next, m * n, 1), y = normal(next, m * n, 1);
        const gamma = normal(next, n, 1), beta = normal(next, n, 1);
        const address = rows(x, n), chunkRows = Math.ceil(m / 2), chunks = Math.ceil(m / chunkRows);
        const all = { x: address, n, rows: m, chunkRows };
        for (const activation of ACTIVATION_NAMES) {
          const own = rows(x, n);
          engine.run("activate", chunks, { ...all, x: own, activation: ACTIVATION[activation] });
          const want = Array.from(x, ACTIVATIONS[activation].value);
          assert.ok(distance(read(own, m, n), want) < 1e-6, `${activation} of ${m} x ${n}`);
        }
        engine.run("add_norm", chunks, {
          ...all,
          update: rows(y, n),
          gamma: rows(gamma, n),
          beta: rows(beta, n),
          epsilon: 1e-6,
        });
        const want = layerNorm(x.map((v, i) => v + y[i]), n, gamma, beta);
        assert.ok(distance(read(address, m, n), want) < within(want), `norm of ${m} x ${n}`);
      }
    }
  });

  test(`${engine.name}: tanh of any size, to the last digits`, () => {
    const sizes = Array.from({ length: 4000 }, (_, i) => 1.005 ** (i - 2000));
    const x = Float32Array.from([
      ...sizes,
      ...sizes.map((v) => -v),
      0,
      -0,
      0.625,
      Infinity,
      -Infinity,
    ]);
    const { rows, read } = roomOf(engine), n = x.length, own = rows(x, n);
    engine.run("activate", 1, { x: own, n, rows: 1, chunkRows: 1, activation: ACTIVATION.tanh });
    for (const [i, y] of read(own, 1, n).entries()) {
      const want = Math.tanh(x[i]);
      // Two roundings beyond the polynomial's 1.3e-7 (Cephes tanhf); signs of zero, too.
      assert.ok(Math.abs(y - want) <= 3e-7 * Math.abs(want), `tanh ${x[i]}: ${y}, ${want}`);
      assert.is(Object.is(y, -0), Object.is(want, -0));
    }
    const nan = rows(Float32Array.of(NaN, 1), 2);
    engine.run("activate", 1, { x: nan, n: 2, rows: 1, chunkRows: 1, activation: ACTIVATION.tanh });
    assert.ok(Number.isNaN(read(nan, 1, 2)[0]));
  });

  for (const type of ["f32", "i8", "i4"] as const) {
    test(`${engine.name}: embeddings of ${type}`, () => {
      const i8 = new Uint8Array(engine.memory.buffer), vocabulary = 9, places = 5;
      for (const m of ROWS) {
        for (const n of WIDTHS) {
          const next = random(m * 100 + n), { take, rows, read } = roomOf(engine);
          const ids = Int32Array.from({ length: m }, () => Math.floor(next() * vocabulary));
          const at = ids.map((_, i) => i % places), limit = type === "i4" ? 7 : 127;
          const scales = normal(next, vocabulary, 0.02), positions = normal(next, places * n, 1);
          const words = type === "f32"
            ? normal(next, vocabulary * n, 1)
            : Float32Array.from({ length: vocabulary * n }, () =>
              Math.round((next() * 2 - 1) * limit));
          let table = rows(words, n);
          if (type !== "f32") {
            const wide = padded(n);
            table = take(vocabulary * wide);
            for (let v = 0; v < vocabulary; v++) {
              const q = (c: number): number => c < n ? words[v * n + c] : 0;
              for (let c = 0; c < wide; c++) {
                if (type === "i8") i8[table + v * wide + c] = q(c);
                else i8[table + (v * wide + c >> 1)] = q(c & ~1) + 8 | q(c | 1) + 8 << 4;
              }
            }
          }
          const gamma = normal(next, n, 1), beta = normal(next, n, 1), x = take(m * padded(n) * 4);
          const integers = (values: Int32Array): number => {
            const address = take(values.byteLength);
            new Int32Array(engine.memory.buffer).set(values, address >> 2);
            return address;
          };
          engine.run(`embed_${type}`, m, {
            x,
            n,
            ids: integers(ids),
            positions: integers(at),
            words: table,
            scales: rows(scales, vocabulary),
            positionTable: rows(positions, n),
            gamma: rows(gamma, n),
            beta: rows(beta, n),
            epsilon: 1e-6,
            rows: m,
            chunkRows: 1,
          });
          const sums = Float64Array.from({ length: m * n }, (_, i) => {
            const r = (i - i % n) / n, c = i % n, scale = type === "f32" ? 1 : scales[ids[r]];
            return scale * words[ids[r] * n + c] + positions[at[r] * n + c];
          });
          const want = layerNorm(sums, n, gamma, beta);
          assert.ok(distance(read(x, m, n), want) < within(want), `${m} x ${n}`);
        }
      }
    });
  }
}

test.run();
