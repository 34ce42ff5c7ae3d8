/**
 * Scores that forgive boundaries, against counts by character.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import fc from "fast-check";
import { scoreOverlaps } from "../../src/eval/overlaps.ts";
import type { Span } from "../../src/eval/spans.ts";

const spans = fc.array(
  fc.tuple(fc.constantFrom("A", "B"), fc.nat(12), fc.integer({ min: 1, max: 4 }))
    .map(([type, start, length]): Span => ({ type, start, end: start + length })),
  { maxLength: 6 },
);

test("overlaps are those of the characters", () => {
  const characters = ({ start, end }: Span): number[] =>
    Array.from({ length: end - start }, (_, i) => start + i);
  fc.assert(fc.property(fc.array(fc.tuple(spans, spans), { maxLength: 4 }), (documents) => {
    const gold = documents.map(([g]) => g), predicted = documents.map(([, p]) => p);
    for (const type of ["A", "B"]) {
      const touched = (some: readonly Span[][], others: readonly Span[][]): number =>
        some.flatMap((own, i) => {
          const covered = new Set(others[i]!.filter((o) => o.type === type).flatMap(characters));
          return own.filter((s) => s.type === type && characters(s).some((c) => covered.has(c)));
        }).length;
      const count = (some: readonly Span[][]): number =>
        some.flat().filter((span) => span.type === type).length;
      const score = scoreOverlaps(gold, predicted, type);
      assert.is(score.found, touched(gold, predicted));
      assert.is(score.right, touched(predicted, gold));
      assert.is(score.support, count(gold));
      assert.is(score.predicted, count(predicted));
      assert.is(score.recall, score.support && score.found / score.support);
      assert.is(score.precision, score.predicted && score.right / score.predicted);
    }
  }));
});

test("neighbours do not overlap, and lists of different lengths are refused", () => {
  const [a, b] = [{ type: "A", start: 0, end: 3 }, { type: "A", start: 3, end: 5 }];
  assert.is(scoreOverlaps([[a]], [[b]], "A").found, 0);
  assert.throws(() => scoreOverlaps([[a]], [], "A"), /1 gold documents and 0 predicted/);
});

test.run();
