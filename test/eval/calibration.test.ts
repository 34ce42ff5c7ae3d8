/**
 * Calibration: the plain scores against the kernels', the error against a sum by hand, and that a temperature which is
 * known is found again.
 *
 * @module
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Crf } from "../../src/crf/crf.ts";
import { continuation, parseTags } from "../../src/crf/scheme.ts";
import {
  calibrationOf,
  fitTemperature,
  judgeEntities,
  scoredSpans,
} from "../../src/eval/calibration.ts";
import { chooseKernels } from "../../src/kernels/module.ts";
import { normal, random, shipped } from "../support.ts";

const chosen = await chooseKernels([await shipped("baseline")]);

for (
  const labels of [
    ["O", "B-A", "I-A", "B-B", "I-B"],
    ["O", "B-A", "I-A", "E-A", "S-A"],
    ["O", "A", "B"],
  ]
) {
  test(`scores are those of the kernels: ${labels.join(" ")}`, async () => {
    const given = fc.record({
      steps: fc.integer({ min: 1, max: 12 }),
      seed: fc.integer(),
      temperature: fc.constantFrom(1, 0.5, 2.3),
      withCrf: fc.boolean(),
      constrained: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(given, async ({ steps, seed, temperature, withCrf, constrained }) => {
        const next = random(seed), size = labels.length, tags = parseTags(labels);
        const weights = withCrf
          ? {
            start: normal(next, size, 1),
            end: normal(next, size, 1),
            transitions: normal(next, size * size, 1),
          }
          : undefined;
        const emissions = normal(next, steps * size, 2);
        const crf = await Crf.create(chosen, tags, weights, constrained, temperature);
        const { labels: path } = crf.decode(emissions), lattice = crf.lattice(emissions);
        for (const span of scoredSpans(emissions, labels, weights, { constrained, temperature })) {
          const inside = continuation(path[span.last], tags);
          const want = crf.spanProbability(emissions, path, span, inside, lattice);
          // The kernels take emissions over the temperature in float32.
          assert.ok(Math.abs(span.score - want) < 1e-5, `${span.score} is not ${want}`);
        }
      }),
      { numRuns: 100 },
    );
  });
}

test("the error is the mean distance of scores from the share that is right, by bins", () => {
  // Bins 7 (two of three right at .5), 14 (one of two at .95, and one at 1).
  const judged = [[0.5, true], [0.5, true], [0.5, false], [0.95, true], [0.95, false], [1, true]]
    .map(([score, right]) => ({ score: score as number, right: right as boolean }));
  const { error, entities, bins } = calibrationOf(judged);
  assert.is(entities, 6);
  const want = (3 * Math.abs(2 / 3 - 0.5) + 3 * Math.abs(2 / 3 - 2.9 / 3)) / 6;
  assert.ok(Math.abs(error - want) < 1e-12, `${error}, by hand ${want}`);
  assert.equal(bins.map(({ count }) => count).filter(Boolean), [3, 3]);
  assert.is(bins[14]!.count, 3);
  assert.is(calibrationOf([]).error, 0);
});

test("an entity is right if type, start and end are", () => {
  const gold = [[{ type: "A", start: 0, end: 4 }], []];
  const entity = { type: "A", text: "", start: 0, end: 4, score: 0.5 };
  const others = [{ ...entity, end: 5 }, { ...entity, type: "B" }];
  const judged = judgeEntities(gold, [[entity, ...others], [entity]]);
  assert.equal(judged.map(({ right }) => right), [true, false, false, false]);
  assert.throws(() => judgeEntities(gold, [[]]), RangeError);
});

for (const known of [0.4, 1, 2.5]) {
  test(`a temperature that is known is found again: ${known}`, () => {
    // Labels drawn at the temperature from the model's own scores, so that these over it are the true probabilities.
    const labels = ["O", "S-A", "S-B", "B-C", "E-C"], next = random(7);
    const texts = Array.from({ length: 1500 }, () => {
      const emissions = normal(next, 3 * labels.length, 3);
      const paths = labels.flatMap((_, a) =>
        labels.flatMap((_, b) => labels.map((_, c) => [a, b, c]))
      ).filter(([a, b, c]) => [[a, b], [b, c]].every(([x, y]) => (x === 3) === (y === 4))).filter(
        ([a, , c]) => a !== 4 && c !== 3,
      );
      const weights = paths.map((path) =>
        Math.exp(path.reduce((sum, label, t) => sum + emissions[5 * t + label!]!, 0) / known)
      );
      let at = next() * weights.reduce((a, b) => a + b, 0), i = 0;
      while ((at -= weights[i]!) > 0) i++;
      const path = paths[i]!;
      return {
        emissions,
        isRight: ({ type, first, last }: { type: string; first: number; last: number }) =>
          first === last
            ? labels[path[first]!] === `S-${type}`
            : path[first] === 3 && path[last] === 4,
      };
    });
    const found = fitTemperature(texts, labels);
    // About 3000 entities: the loss is flat within some hundredths.
    assert.ok(Math.abs(Math.log(found / known)) < 0.1, `${found}`);
  });
}

test("where nothing is found the temperature is 1", () => {
  const emissions = Float32Array.of(9, 0, 0);
  assert.is(fitTemperature([{ emissions, isRight: () => true }], ["O", "B-A", "I-A"]), 1);
});

test.run();
