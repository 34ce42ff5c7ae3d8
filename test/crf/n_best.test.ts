/** The n best paths beside all paths, counted one by one. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { atOnce, Crf } from "../../src/crf/crf.ts";
import { mayEnd, mayFollow, parseTags } from "../../src/crf/scheme.ts";
import { nBestPaths } from "../../src/crf/n_best.ts";
import { chooseKernels } from "../../src/kernels/module.ts";
import { normal, random, shipped } from "../support.ts";

const chosen = await chooseKernels([await shipped("baseline")]);

interface Chain {
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly transitions: Float64Array;
}

/** Every path with its score, the best first; sums in the order in which Viterbi makes them. */
function allPaths({ start, end, transitions }: Chain, emissions: Float32Array) {
  const n = start.length, steps = emissions.length / n;
  const paths: { labels: number[]; score: number }[] = [];
  for (let number = 0; number < n ** steps; number++) {
    const labels = Array.from({ length: steps }, (_, t) => Math.floor(number / n ** t) % n);
    let score = start[labels[0]] + emissions[labels[0]];
    for (let t = 1; t < steps; t++) {
      score = score + transitions[labels[t - 1] * n + labels[t]] + emissions[t * n + labels[t]];
    }
    score += end[labels[steps - 1]];
    if (score > -Infinity) paths.push({ labels, score });
  }
  return paths.sort((a, b) => b.score - a.score);
}

const scores = (n: number, forbid: boolean) =>
  fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.double({ min: -4, max: 4, noNaN: true }) },
      { weight: 2, arbitrary: fc.integer({ min: -2, max: 2 }) },
      { weight: forbid ? 2 : 0, arbitrary: fc.constant(-Infinity) },
    ),
    { minLength: n, maxLength: n },
  );

const cases = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5 })).chain(
  ([n, steps]) =>
    fc.record({
      start: scores(n, true),
      end: scores(n, true),
      transitions: scores(n * n, true),
      emissions: scores(steps * n, false),
      k: fc.integer({ min: 1, max: 400 }),
    }),
);

test("the k best of all paths, 255 at most, in order, each once, with their scores", () => {
  fc.assert(
    fc.property(cases, ({ start, end, transitions, emissions, k }) => {
      const chain = {
        start: Float64Array.from(start),
        end: Float64Array.from(end),
        transitions: Float64Array.from(transitions),
      };
      const rows = Float32Array.from(emissions), all = allPaths(chain, rows);
      const found = atOnce(nBestPaths(chain, rows, k));
      const best = all.slice(0, Math.min(k, 255));
      assert.equal(found.map(({ score }) => score), best.map(({ score }) => score));
      const known = new Map(all.map(({ labels, score }) => [labels.join(), score]));
      const seen = found.map(({ labels }) => labels.join());
      assert.is(new Set(seen).size, seen.length, "no path twice");
      found.forEach(({ score }, i) => assert.is(known.get(seen[i]), score, "the path's own score"));
    }),
    { numRuns: 500 },
  );
});

test("the first is Viterbi's, ties included; probabilities are those of all paths", async () => {
  const next = random(7);
  for (const labels of [["O", "B-A", "I-A"], ["O", "B-A", "I-A", "E-A", "S-A", "B-B", "I-B"]]) {
    const tags = parseTags(labels), n = labels.length;
    const weights = {
      start: normal(next, n, 1),
      end: normal(next, n, 1),
      transitions: normal(next, n * n, 1),
    };
    const crf = await Crf.create(chosen, tags, weights, true);
    const warm = await Crf.create(chosen, tags, weights, true, 2.5);
    for (const steps of [1, 2, 5, 700]) {
      // Whole numbers tie.
      for (const rows of [normal(next, steps * n, 2), normal(next, steps * n, 2).map(Math.round)]) {
        const best = crf.decode(rows), { paths } = atOnce(crf.readings(rows, 20));
        assert.equal(paths[0].labels, best.labels);
        assert.is(paths[0].score, best.score);
        for (const { labels: path } of paths) {
          path.forEach((label, t) => {
            assert.ok(mayFollow(t === 0 ? undefined : tags[path[t - 1]], tags[label], tags));
          });
          assert.ok(mayEnd(tags[path[steps - 1]], tags));
        }
        if (steps > 2) continue;
        for (const layer of [crf, warm]) {
          const every = atOnce(layer.readings(rows, 100)).paths;
          assert.equal(every[0].labels, best.labels);
          const sum = every.reduce((total, { probability }) => total + probability, 0);
          // Of at most 49 paths, each to the kernels' precision.
          assert.ok(Math.abs(sum - 1) < 1e-9, `${sum}`);
        }
      }
    }
    assert.equal(atOnce(crf.readings(new Float32Array(0), 3)).paths, []);
  }
});

test.run();
