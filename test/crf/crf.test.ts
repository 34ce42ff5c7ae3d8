/**
 * The CRF against brute force: all paths of small label sets, enumerated.
 *
 * Tolerance 1e-9 relative to the largest term: float64 throughout, a few hundred operations, exp and log
 * within an ulp or two.
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { chooseKernels } from "../../src/kernels/module.ts";
import { Crf } from "../../src/crf/crf.ts";
import { mayFollow, parseTags, spansOf } from "../../src/crf/scheme.ts";
import { NerError } from "../../src/errors.ts";
import type { CrfWeights } from "../../src/model/weights.ts";
import { normal, random, shipped } from "../support.ts";

const chosen = await chooseKernels([await shipped("baseline")]);
const LABELS = ["O", "B-A", "I-A", "B-B", "I-B"];

function weightsOf(size: number, next: () => number, spread: number): CrfWeights {
  return {
    start: normal(next, size, spread),
    end: normal(next, size, spread),
    transitions: normal(next, size * size, spread),
  };
}

/** Every path that the constraints allow, with its score. */
function enumerate(
  labels: readonly string[],
  crf: CrfWeights | undefined,
  emissions: Float32Array,
  constrained: boolean,
): { path: number[]; score: number }[] {
  const tags = parseTags(labels), n = labels.length, steps = emissions.length / n;
  let paths: { path: number[]; score: number }[] = [{ path: [], score: 0 }];
  for (let t = 0; t < steps; t++) {
    paths = paths.flatMap(({ path, score }) => {
      const from = path.at(-1);
      return labels.flatMap((_, j) => {
        const last = from === undefined ? undefined : tags[from];
        if (constrained && !mayFollow(last, tags[j], tags)) return [];
        const step = from === undefined ? crf?.start[j] ?? 0 : crf?.transitions[from * n + j] ?? 0;
        return [{ path: [...path, j], score: score + step + emissions[t * n + j] }];
      });
    });
  }
  return paths.map(({ path, score }) => ({ path, score: score + (crf?.end[path.at(-1)!] ?? 0) }));
}

function logSumExp(values: number[]): number {
  const top = values.reduce((a, b) => Math.max(a, b), -Infinity);
  return top === -Infinity
    ? top
    : top + Math.log(values.reduce((s, v) => s + Math.exp(v - top), 0));
}

const cases = fc.record({
  size: fc.integer({ min: 1, max: 5 }),
  steps: fc.integer({ min: 1, max: 5 }),
  seed: fc.integer(),
  spread: fc.constantFrom(0, 1e-30, 1, 30, 300, 900, 3000),
  constrained: fc.boolean(),
  withCrf: fc.boolean(),
  temperature: fc.constantFrom(1, 1, 0.3, 2, 3.7),
});

/** Scores over a temperature: emissions rounded to float32, the CRF's not. */
function over(
  temperature: number,
  emissions: Float32Array,
  crf: CrfWeights | undefined,
): [emissions: Float32Array, crf: CrfWeights | undefined] {
  const by = (values: Float32Array): Float32Array =>
    Float64Array.from(values, (value) => value / temperature) as unknown as Float32Array;
  return [
    emissions.map((value) => value / temperature),
    crf && { start: by(crf.start), end: by(crf.end), transitions: by(crf.transitions) },
  ];
}

test("a transition makes up for a label that is far behind", async () => {
  // The second label's exponential underflows, its path 1 -> 0 (-750 + 700) is the best one all the same.
  const weights: CrfWeights = {
    start: Float32Array.of(0, -750),
    end: new Float32Array(2),
    transitions: Float32Array.of(-300, -300, 700, -300),
  };
  const crf = await Crf.create(chosen, parseTags(LABELS.slice(0, 2)), weights, false, 1);
  const { logPartition } = crf.lattice(new Float32Array(4));
  assert.ok(Math.abs(logPartition + 50) < 1e-9, `${logPartition} is not -50`);
});

test("best path, partition and span probabilities equal enumeration", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (
      { size, steps, seed, spread, constrained, withCrf, temperature },
    ) => {
      const labels = LABELS.slice(0, size), tags = parseTags(labels), next = random(seed);
      const weights = withCrf ? weightsOf(size, next, spread) : undefined;
      const emissions = normal(next, steps * size, spread);
      const crf = await Crf.create(chosen, tags, weights, constrained, temperature);
      const cold = enumerate(labels, weights, emissions, constrained);
      const [warm, warmWeights] = over(temperature, emissions, weights);
      const all = enumerate(labels, warmWeights, warm, constrained);
      const best = cold.reduce((a, b) => Math.max(a, b.score), -Infinity);
      const close = (got: number, want: number, scale = 1): void => {
        const limit = 1e-9 * Math.max(1, Math.abs(want), scale);
        assert.ok(Math.abs(got - want) <= limit, `${got} is not ${want}`);
      };

      const decoded = crf.decode(emissions);
      close(decoded.score, best);
      const found = cold.find(({ path }) => path.every((label, t) => label === decoded.labels[t]));
      assert.ok(found, "the decoded path must be an allowed one");
      close(found!.score, best);

      const lattice = crf.lattice(emissions), z = logSumExp(all.map(({ score }) => score));
      close(lattice.logPartition, z);
      // Every token's marginals sum to one.
      for (let t = 0; t < steps; t++) {
        let sum = 0;
        for (let j = 0; j < size; j++) {
          sum += Math.exp(
            lattice.alpha[t * size + j] + lattice.beta[t * size + j] - lattice.logPartition,
          );
        }
        // exp magnifies the rounding of scores that run into the ten thousands.
        assert.ok(Math.abs(sum - 1) <= 1e-9 * Math.max(1, spread), `step ${t}: ${sum}`);
      }
      for (const span of spansOf(decoded.labels, tags)) {
        const inside = labels.indexOf(`I-${span.type}`);
        const exact = all.filter(({ path }) =>
          path.slice(span.first, span.last + 1).every((label, i) =>
            label === decoded.labels[span.first + i]
          ) && (path[span.last + 1] === undefined || path[span.last + 1] !== inside)
        );
        const want = Math.exp(logSumExp(exact.map(({ score }) => score)) - z);
        const got = crf.spanProbability(emissions, decoded.labels, span, inside, lattice);
        assert.ok(Math.abs(got - want) <= 1e-9 * Math.max(1, spread), `${got} is not ${want}`);
      }
    }),
    { numRuns: 400 },
  );
});

test("long sequences: blocks are seamless", async () => {
  // Independent of block size: a plain float64 Viterbi and forward pass over the whole sequence.
  const n = 5, next = random(11), weights = weightsOf(n, next, 1), tags = parseTags(LABELS);
  const crf = await Crf.create(chosen, tags, weights, true);
  for (const steps of [255, 256, 257, 511, 513, 1500]) {
    const emissions = normal(next, steps * n, 2);
    let viterbi: number[] = [], forward: number[] = [];
    for (let t = 0; t < steps; t++) {
      const step = (rows: number[], j: number): number[] =>
        t === 0
          ? [mayFollow(undefined, tags[j], tags) ? weights.start[j] : -Infinity]
          : rows.map((v, i) =>
            mayFollow(tags[i], tags[j], tags) ? v + weights.transitions[i * n + j] : -Infinity
          );
      const columns = [...Array(n).keys()];
      [viterbi, forward] = [
        columns.map((j) => Math.max(...step(viterbi, j)) + emissions[t * n + j]),
        columns.map((j) => logSumExp(step(forward, j)) + emissions[t * n + j]),
      ];
    }
    const { labels, score } = crf.decode(emissions);
    const want = Math.max(...viterbi.map((v, j) => v + weights.end[j]));
    assert.ok(Math.abs(score - want) <= 1e-9 * Math.abs(want));
    let along = weights.start[labels[0]] + weights.end[labels[steps - 1]];
    labels.forEach((label, t) => {
      along += emissions[t * n + label] + (t ? weights.transitions[labels[t - 1] * n + label] : 0);
    });
    assert.ok(Math.abs(along - want) <= 1e-9 * Math.abs(want), "the path must have that score");
    const { alpha, beta, logPartition } = crf.lattice(emissions);
    const z = logSumExp(forward.map((v, j) => v + weights.end[j]));
    assert.ok(Math.abs(logPartition - z) <= 1e-9 * z);
    for (let t = 0; t < steps; t++) {
      const row = Array.from({ length: n }, (_, j) => alpha[t * n + j] + beta[t * n + j]);
      assert.ok(Math.abs(logSumExp(row) - z) <= 1e-9 * z, `step ${t} of ${steps}`);
    }
  }
});

test("all-equal scores: the lowest label wins", async () => {
  const crf = await Crf.create(chosen, parseTags(LABELS), undefined, false);
  assert.equal([...crf.decode(new Float32Array(4 * 5)).labels], [0, 0, 0, 0]);
});

test("no tokens: an empty path", async () => {
  const crf = await Crf.create(chosen, parseTags(LABELS), undefined, true);
  assert.equal(crf.decode(new Float32Array(0)), { labels: new Int32Array(0), score: 0 });
});

test("constraints forbid an I-x that continues nothing; without them it is read as a beginning", async () => {
  const tags = parseTags(LABELS), emissions = new Float32Array(3 * 5);
  emissions[2] = 5, emissions[5 + 2] = 5, emissions[10 + 4] = 5; // I-A I-A I-B
  const free = await Crf.create(chosen, tags, undefined, false);
  assert.equal([...free.decode(emissions).labels], [2, 2, 4]);
  assert.equal(spansOf([2, 2, 4], tags), [
    { type: "A", first: 0, last: 1 },
    { type: "B", first: 2, last: 2 },
  ]);
  const strict = await Crf.create(chosen, tags, undefined, true);
  const path = [...strict.decode(emissions).labels];
  path.forEach((label, t) => {
    assert.ok(mayFollow(t ? tags[path[t - 1]] : undefined, tags[label], tags), path.join(" "));
  });
});

test("schemes: a type without B may begin with I; labels without prefixes are plain", () => {
  const io = parseTags(["O", "I-PER"]);
  assert.ok(mayFollow(io[0], io[1], io));
  assert.equal(spansOf([1, 1, 0, 1], io).length, 2);
  const plain = parseTags(["O", "drug", "B-side"]);
  assert.equal(plain.map(({ role }) => role), ["outside", "plain", "plain"]);
  assert.equal(spansOf([1, 1, 2, 0], plain), [
    { type: "drug", first: 0, last: 1 },
    { type: "B-side", first: 2, last: 2 },
  ]);
  assert.equal(parseTags(["B-a-b"])[0], { role: "begin", type: "a-b" });
});

test("weights that do not fit or are not finite are refused", async () => {
  const tags = parseTags(LABELS), good = weightsOf(5, random(1), 1);
  const bad: CrfWeights[] = [
    { ...good, start: new Float32Array(4) },
    { ...good, transitions: new Float32Array(24) },
    { ...good, end: Float32Array.of(0, 0, NaN, 0, 0) },
    { ...good, start: Float32Array.of(0, 0, Infinity, 0, 0) },
  ];
  for (const weights of bad) {
    try {
      await Crf.create(chosen, tags, weights, true);
      assert.unreachable("bad weights were accepted");
    } catch (error) {
      assert.is((error as NerError).code, "model/weights");
    }
  }
});

test("emissions that are not finite or not whole rows are refused", async () => {
  const crf = await Crf.create(chosen, parseTags(LABELS), undefined, true);
  for (const bad of [new Float32Array(7), Float32Array.of(0, 0, NaN, 0, 0)]) {
    assert.throws(() => crf.decode(bad), (error: unknown) => error instanceof NerError);
    assert.throws(() => crf.lattice(bad), (error: unknown) => error instanceof NerError);
  }
});

test.run();
