/**
 * Strict span scores and the confusion of types. The figures themselves are held against seqeval's in
 * `tags.test.ts`, whose scores these are.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import fc from "fast-check";
import { confusionMatrix, scoreSpans } from "../../src/eval/spans.ts";

test("no documents, and documents without entities, score 0 and not NaN", () => {
  for (const empty of [[], [[], []]]) {
    const { micro, macro, types } = scoreSpans(empty, empty);
    assert.equal(Object.keys(types), []);
    assert.is(micro.f1, 0);
    assert.is(macro.f1, 0);
  }
});

test("documents are not mixed: the right span in the wrong document is wrong", () => {
  const span = { type: "MED", start: 0, end: 3 };
  assert.is(scoreSpans([[span], []], [[], [span]]).micro.correct, 0);
});

test("a span given twice counts once", () => {
  const span = { type: "MED", start: 0, end: 3 };
  const { micro } = scoreSpans([[span]], [[span, { ...span }]]);
  assert.equal([micro.precision, micro.recall, micro.predicted], [1, 1, 1]);
});

test("lists of different lengths are refused", () => {
  assert.throws(() => scoreSpans([[]], []), /1 gold documents and 0 predicted/);
  assert.throws(() => confusionMatrix([], [[]]), RangeError);
});

test("a type may be called __proto__", () => {
  const span = { type: "__proto__", start: 0, end: 1 };
  assert.is(scoreSpans([[span]], [[span]]).micro.f1, 1);
});

const spans = fc.array(
  fc.record({
    type: fc.constantFrom("MED", "DIS", "ORG"),
    start: fc.integer({ min: 0, max: 6 }),
    end: fc.integer({ min: 7, max: 9 }),
  }),
  { maxLength: 8 },
);
const pairs = fc.array(fc.tuple(spans, spans), { maxLength: 6 });

test("swapping gold and prediction swaps precision and recall", () => {
  fc.assert(fc.property(pairs, (documents) => {
    const gold = documents.map(([g]) => g);
    const predicted = documents.map(([, p]) => p);
    const one = scoreSpans(gold, predicted);
    const two = scoreSpans(predicted, gold);
    assert.is(one.micro.precision, two.micro.recall);
    assert.ok(Math.abs(one.macro.f1 - two.macro.f1) < 1e-12);
  }));
});

test("the confusion matrix accounts for every span once", () => {
  fc.assert(fc.property(pairs, (documents) => {
    const gold = documents.map(([g]) => g);
    const predicted = documents.map(([, p]) => p);
    const { micro, types } = scoreSpans(gold, predicted);
    const confusion = confusionMatrix(gold, predicted);
    assert.equal(confusion.types, Object.keys(types));
    const none = confusion.types.length;
    let diagonal = 0;
    confusion.types.forEach((type, i) => {
      const row = confusion.counts[i].reduce((a, b) => a + b, 0);
      const column = confusion.counts.reduce((a, r) => a + r[i], 0);
      assert.is(row, types[type].support);
      assert.is(column, types[type].predicted);
      diagonal += confusion.counts[i][i];
    });
    assert.is(diagonal, micro.correct);
    assert.is(confusion.counts[none][none], 0);
  }));
});

test("the confusion matrix tells a wrong type from wrong boundaries", () => {
  const gold = [[{ type: "MED", start: 0, end: 5 }, { type: "DIS", start: 8, end: 12 }]];
  const predicted = [[{ type: "ORG", start: 0, end: 5 }, { type: "DIS", start: 8, end: 14 }]];
  const { types, counts, boundaryErrors } = confusionMatrix(gold, predicted);
  assert.equal(types, ["DIS", "MED", "ORG"]);
  assert.equal(counts, [[0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]]);
  assert.is(boundaryErrors, 1);
});

test.run();
