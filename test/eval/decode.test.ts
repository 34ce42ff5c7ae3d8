/**
 * The plain Viterbi of `verify`, against trying every path.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import fc from "fast-check";
import { decodeSpans } from "../../src/eval/decode.ts";
import { mayFollow, parseTags, spansOf } from "../../src/crf/scheme.ts";
import type { CrfWeights } from "../../src/model/weights.ts";

const LABELS = ["O", "B-X", "I-X", "B-Y", "I-Y"];
const SIZE = LABELS.length;
const TAGS = parseTags(LABELS);

function* paths(tokens: number): Generator<number[]> {
  for (let n = 0; n < SIZE ** tokens; n++) {
    yield Array.from({ length: tokens }, (_, t) => Math.floor(n / SIZE ** t) % SIZE);
  }
}

function bestByTrying(
  emissions: number[],
  crf: CrfWeights | undefined,
  constrained: boolean,
): number[] {
  const score = (path: number[]): number =>
    path.reduce((sum, to, t) => {
      const from = path[t - 1];
      if (constrained && !mayFollow(TAGS[from], TAGS[to], TAGS)) return -Infinity;
      const step = t === 0 ? crf?.start[to] : crf?.transitions[from * SIZE + to];
      return sum + emissions[t * SIZE + to] + (step ?? 0);
    }, crf?.end[path[path.length - 1]] ?? 0);
  return [...paths(emissions.length / SIZE)].reduce((a, b) => score(b) > score(a) ? b : a);
}

// Whole numbers times an irrational make sums that never tie by rounding.
const number = fc.integer({ min: -9999, max: 9999 }).map((n) => n * Math.SQRT1_2);
const array = (length: number): fc.Arbitrary<number[]> =>
  fc.array(number, { minLength: length, maxLength: length });
const weights = fc.record({
  start: array(SIZE).map((a) => Float32Array.from(a)),
  end: array(SIZE).map((a) => Float32Array.from(a)),
  transitions: array(SIZE * SIZE).map((a) => Float32Array.from(a)),
});

test("finds the best of all paths, with and without a CRF and constraints", () => {
  const emissions = fc.integer({ min: 1, max: 4 }).chain((tokens) => array(tokens * SIZE));
  fc.assert(
    fc.property(emissions, fc.option(weights, { nil: undefined }), fc.boolean(), (e, crf, c) => {
      assert.equal(
        decodeSpans(e, LABELS, crf, { constrained: c }),
        spansOf(bestByTrying(e, crf, c), TAGS),
      );
    }),
  );
});

test("no tokens, no spans; half a row is refused", () => {
  assert.equal(decodeSpans([], LABELS), []);
  assert.throws(() => decodeSpans([1, 2], LABELS), /not rows of 5/);
});

test.run();
