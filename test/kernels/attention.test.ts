/**
 * Attention's kernels: int8 bit for bit against a scalar spelling of the same arithmetic, for every engine's
 * dot, and both precisions against float64.
 *
 * Tolerances against float64, relative L2 on values spread evenly around 0. float32: sums of up to s terms lose
 * sqrt(s) 2^-24, 1e-5 leaves room. int8: a score is wrong by some 0.004 of its spread and a value by half a
 * step of 254, both averaged over keys; 0.005 is usual, 0.01 leaves room.
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { random, relativeL2 } from "../support.ts";
import { type Engine, engines, FREE } from "./engine.ts";

const f = Math.fround;

/** Sequences from here on are computed in int8. */
const SHORT = 24;

const [baseline] = engines;

/** One head: q, k and v row-major `[s, d]`. */
interface Head {
  s: number;
  d: number;
  scale: number;
  q: Float32Array;
  k: Float32Array;
  v: Float32Array;
}

type Kind = "attention_int8" | "attention_f32";

const CANARY = 0x55;

/** Runs a kernel in memory full of something else, and checks that it wrote its output and scratch only. */
function compute({ kernels, memory, run }: Engine, { s, d, scale, q, k, v }: Head, kind: Kind) {
  const i8 = new Int8Array(memory.buffer, FREE), f32 = new Float32Array(memory.buffer);
  i8.fill(CANARY);
  const gap = 24, ld = 3 * d + gap, ldc = d + gap;
  const input = (FREE >> 2) + 64, output = input + s * ld, scratch = output + s * ldc + 64;
  for (let r = 0; r < s; r++) {
    [q, k, v].forEach((x, part) =>
      f32.set(x.subarray(r * d, (r + 1) * d), input + r * ld + part * d)
    );
  }
  const offsets = FREE;
  new Int32Array(memory.buffer).set([0, s], offsets >> 2);
  const before = i8.slice(0, (output << 2) - FREE);
  const room = kernels[`${kind}_scratch`](s, d);
  run(kind, 1, {
    qkv: input << 2,
    stride: ld * 4,
    offsets,
    heads: 1,
    d,
    scale,
    context: output << 2,
    contextStride: ldc * 4,
    scratch: scratch << 2,
    scratchBytes: room,
  });
  const clean = (from: number, to: number): boolean =>
    i8.subarray(from - FREE, to - FREE).every((b) => b === CANARY);
  assert.ok(before.every((b, i) => b === i8[i]), "the input must stay as it is");
  assert.ok(
    clean((scratch << 2) + room, (scratch << 2) + room + 65536),
    "nothing beyond the scratch",
  );
  const out = new Float32Array(s * d);
  for (let r = 0; r < s; r++) {
    const row = output + r * ldc;
    out.set(f32.subarray(row, row + d), r * d);
    assert.ok(clean((row + d) << 2, (row + ldc) << 2), "nothing beside the context's columns");
  }
  return out;
}

/** Equal bits, any NaN for a NaN; says where not (uvu would search for the shortest difference). */
function same(got: Float32Array, want: Float32Array, what: string): void {
  assert.is(got.length, want.length);
  const at = got.findIndex((v, i) => !Object.is(v, want[i]));
  assert.ok(at < 0, `${what}: ${got[at]} at ${at}, expected ${want[at]}`);
}

function roundHalfEven(x: number): number {
  const r = Math.round(x);
  return r - x === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

/** round(float32 x), as adding 1.5 * 2^23 does it, saturated to signed bytes. */
function signedByte(x: number): number {
  return Math.max(-128, Math.min(127, roundHalfEven(x)));
}

/** What attention_int8 promises from {@link SHORT} tokens on, one element at a time. */
function expected({ s, d, scale, q, k, v }: Head): Float32Array {
  const keys = new Int32Array(s * d), keySteps = new Float32Array(s);
  const unit = f(f(scale) * f(1.4426950408889634 / 127));
  for (let j = 0; j < s; j++) {
    const row = k.subarray(j * d, (j + 1) * d);
    const high = f(
      Math.min(Math.max(row.reduce((a, b) => Math.max(a, Math.abs(b)), 0), 1e-30), f(3e38)),
    );
    keySteps[j] = f(high * unit);
    row.forEach((x, i) => keys[j * d + i] = signedByte(f(x * f(127 / high))));
  }
  const values = new Int32Array(s * d), valueSteps = new Float32Array(d);
  const middles = new Float32Array(d);
  for (let i = 0; i < d; i++) {
    let high = -Infinity, low = Infinity;
    for (let j = 0; j < s; j++) {
      high = Math.max(high, v[j * d + i]), low = Math.min(low, v[j * d + i]);
    }
    middles[i] = f(f(high / 2) + f(low / 2));
    const reach = Math.max(f(f(high / 2) - f(low / 2)), f(1e-30));
    valueSteps[i] = f(reach * f(1 / 127));
    for (let j = 0; j < s; j++) {
      values[j * d + i] = signedByte(f(f(v[j * d + i] - middles[i]) * f(127 / reach)));
    }
  }
  const top = Math.min(16383, Math.floor(2 ** 24 / s));
  const [c0, c1, c2, c3, c4] = [
    0.9999992847,
    0.6931217909,
    0.2402474433,
    0.0559178591,
    0.0095701023,
  ]
    .map((c) => f(top * f(c)));
  const out = new Float32Array(s * d), scores = new Float32Array(s), weights = new Int32Array(s);
  for (let t = 0; t < s; t++) {
    const row = q.subarray(t * d, (t + 1) * d);
    const high = row.reduce((a, b) => Math.max(a, b), 0);
    const low = row.reduce((a, b) => Math.min(a, b), 0);
    const range = Math.min(Math.max(f(high - low), f(1e-30)), f(3e38));
    const inverse = f(255 / range), step = f(range / 255);
    const zero = roundHalfEven(f(-low * inverse));
    const bytes = Array.from(row, (x) => {
      const rounded = f(f(x * inverse) + f(12582912 + zero)) - 12582912;
      return Math.min(255, Math.max(0, rounded)) - zero;
    });
    for (let j = 0; j < s; j++) {
      let sum = 0;
      for (let i = 0; i < d; i++) sum += bytes[i] * keys[j * d + i];
      scores[j] = f(f(sum) * f(step * keySteps[j]));
    }
    const highest = scores.reduce((a, b) => Math.max(a, b), -Infinity);
    let total = 0;
    for (let j = 0; j < s; j++) {
      const x = Math.max(f(scores[j] - highest), -100), n = roundHalfEven(x), r = f(x - n);
      let p = c4;
      for (const c of [c3, c2, c1, c0]) p = f(f(r * p) + c);
      // p 2^n is exact as long as it is not subnormal.
      weights[j] = roundHalfEven(p * 2 ** n);
      total += weights[j];
    }
    assert.ok(total <= 2 ** 24);
    for (let i = 0; i < d; i++) {
      let sum = 0;
      for (let j = 0; j < s; j++) sum += weights[j] * values[j * d + i];
      assert.ok(Math.abs(sum) < 2 ** 31);
      out[t * d + i] = f(f(f(sum) * f(f(1 / total) * valueSteps[i])) + middles[i]);
    }
  }
  return out;
}

/** Attention in float64. */
function exact({ s, d, scale, q, k, v }: Head): Float32Array {
  const out = new Float32Array(s * d), weights = new Float64Array(s);
  for (let t = 0; t < s; t++) {
    for (let j = 0; j < s; j++) {
      let dot = 0;
      for (let i = 0; i < d; i++) dot += q[t * d + i] * k[j * d + i];
      weights[j] = dot * scale;
    }
    const high = weights.reduce((a, b) => Math.max(a, b));
    weights.forEach((w, j) => weights[j] = Math.exp(w - high));
    const total = weights.reduce((a, b) => a + b);
    for (let i = 0; i < d; i++) {
      let sum = 0;
      for (let j = 0; j < s; j++) sum += weights[j] * v[j * d + i];
      out[t * d + i] = sum / total;
    }
  }
  return out;
}

const KINDS = ["usual", "peaky", "one-sided", "equal", "zero", "huge", "tiny", "mixed"] as const;

function head(s: number, d: number, seed: number, kind: typeof KINDS[number] = "usual"): Head {
  const next = random(seed);
  const value = (i: number): number => {
    switch (kind) {
      case "peaky":
        return (next() - 0.5) * 20;
      case "one-sided":
        return next() * 3;
      case "equal":
        return -1.75;
      case "zero":
        return 0;
      case "huge":
        return (next() - 0.5) * 1e18;
      case "tiny":
        return (next() - 0.5) * 1e-37;
      case "mixed":
        return (next() - 0.5) * (i % (3 * d) < d ? 1e6 : i % (2 * d) < d ? 1e-6 : 1);
      default:
        return (next() - 0.5) * 4;
    }
  };
  const part = () => Float32Array.from({ length: s * d }, (_, i) => value(i));
  return { s, d, scale: f(1 / Math.sqrt(d)), q: part(), k: part(), v: part() };
}

for (const each of engines) {
  test(`${each.name}: int8 is what it says, at every length and every head size`, () => {
    for (let s = SHORT; s <= 64; s++) {
      const h = head(s, 16 * (1 + s % 6), s);
      same(compute(each, h, "attention_int8"), expected(h), `${s} x ${h.d}`);
    }
  });

  test(`${each.name}: int8 is what it says on random values, extremes included`, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: SHORT, max: 200 }),
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom(...KINDS),
        fc.integer(),
        (s, groups, kind, seed) => {
          const h = head(s, 16 * groups, seed, kind);
          same(compute(each, h, "attention_int8"), expected(h), kind);
        },
      ),
      { numRuns: 60 },
    );
  });

  test(`${each.name}: int8 at 1025 and 2048 tokens, where weights have fewer bits`, () => {
    for (const [s, kind] of [[1025, "usual"], [2048, "peaky"], [2048, "equal"]] as const) {
      const h = head(s, 16, s, kind);
      same(compute(each, h, "attention_int8"), expected(h), `${s} ${kind}`);
    }
  });

  test(`${each.name}: extreme sums do not overflow`, () => {
    // All weights the largest, all values the largest but one, which makes the column's range.
    const s = 2048, h = head(s, 16, 1, "equal");
    h.v.fill(1);
    h.v.fill(-1, 0, 16);
    same(compute(each, h, "attention_int8"), expected(h), "2048");
  });

  test(`${each.name}: a short sequence has float32's bits`, () => {
    for (let s = 1; s < SHORT; s++) {
      for (const d of [16, 64, 80]) {
        const h = head(s, d, s);
        same(
          compute(each, h, "attention_int8"),
          compute(baseline, h, "attention_f32"),
          `${s} x ${d}`,
        );
      }
    }
  });

  test(`${each.name}: a NaN or an infinity shows wherever it counts, and nowhere else`, () => {
    for (const s of [5, 29, 64]) {
      const d = 32, h = head(s, d, s), clean = compute(each, h, "attention_int8");
      for (const bad of [NaN, Infinity, -Infinity]) {
        for (const [part, place] of [["q", 3], ["k", 4], ["v", 2], ["k", s - 1]] as const) {
          const spoilt = structuredClone(h);
          spoilt[part][place * d + 7] = bad;
          const out = compute(each, spoilt, "attention_int8");
          for (let t = 0; t < s; t++) {
            for (let i = 0; i < d; i++) {
              const reached = part === "k" || (part === "q" ? t === place : i === 7);
              const got = out[t * d + i];
              // In float32 a score of -Infinity is a weight of 0, which is right; a NaN is none.
              if (reached) assert.ok(Number.isNaN(got) || (s < SHORT && !Number.isNaN(bad)));
              else assert.is(got, clean[t * d + i], `${bad} in ${part}: ${t}, ${i}`);
            }
          }
        }
      }
    }
  });
}

for (
  const [kind, limit, least] of [["attention_f32", 1e-5, 1], [
    "attention_int8",
    0.01,
    SHORT,
  ]] as const
) {
  test(`${kind} is near float64, at every length`, () => {
    const lengths = [...Array(70).keys(), 127, 128, 129, 300, 2048].filter((s) => s >= least);
    for (const s of lengths) {
      for (const d of s > 500 ? [16] : [16, 64]) {
        const h = head(s, d, s + d), error = relativeL2(compute(baseline, h, kind), exact(h));
        assert.ok(error <= limit, `${s} x ${d}: ${error}`);
      }
    }
  });

  test(`${kind}: equal scores give the mean, equal values themselves`, () => {
    for (const s of [1, 2, 9, 24, 100, 2048]) {
      const h = head(s, 16, s);
      h.q.fill(0);
      const out = compute(baseline, h, kind), mean = exact(h);
      // Half a step of 254 of the range 4, at worst; float32's sum of 2048 terms is far better.
      out.forEach((v, i) => assert.ok(Math.abs(v - mean[i]) <= (limit < 0.01 ? 1e-5 : 2 / 254)));
      const level = { ...head(s, 16, s), v: new Float32Array(s * 16).fill(0.7) };
      // In int8 the middle of the range is exact, and nothing is added to it.
      const slack = s < SHORT || kind === "attention_f32" ? 1e-5 : 0;
      for (const v of compute(baseline, level, kind)) assert.ok(Math.abs(v - f(0.7)) <= slack);
    }
  });

  test(`${kind}: many small weights count beside a large one`, () => {
    // One key at weight 1 with the value -1, 500 keys at weight 0.001 with the value 1: -1/3 in the end.
    // 8 bits would make -1 of it. With 14, 0.001 is 16.4 steps, wrong by 0.4: 3 % of the small weights.
    const s = 501, d = 16, h = head(s, d, 1, "zero");
    h.scale = 1;
    for (let j = 0; j < s; j++) {
      h.q[j * d] = 1;
      h.k[j * d] = j === 77 ? Math.log(1000) : 0;
      h.v.fill(j === 77 ? -1 : 1, j * d, (j + 1) * d);
    }
    for (const v of compute(baseline, h, kind)) {
      assert.ok(Math.abs(v + 1 / 3) <= (limit < 0.01 ? 1e-4 : 0.02), `${v}`);
    }
  });
}

test.run();
