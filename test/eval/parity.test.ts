/**
 * Differences between engines: hand-computed values, and the cases where a comparison must not look
 * better than it is.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { difference, DifferenceMeter } from "../../src/eval/parity.ts";

test("hand-computed differences", () => {
  const { maxAbs, relativeL2 } = difference([3, 4.5], [3, 4]);
  assert.is(maxAbs, 0.5);
  assert.is(relativeL2, 0.5 / 5);
});

test("equal arrays differ by nothing, empty and zero ones too", () => {
  for (const a of [[], [0, 0], [1, -2], [Infinity, NaN]]) {
    assert.equal(difference(a, a), { maxAbs: 0, relativeL2: 0 });
  }
});

test("what cannot be compared is infinitely different", () => {
  for (const [a, b] of [[NaN, 1], [1, NaN], [Infinity, 1], [1, -Infinity]]) {
    assert.equal(difference([a], [b]), { maxAbs: Infinity, relativeL2: Infinity });
  }
  assert.is(difference([1], [0]).relativeL2, Infinity);
});

test("a meter sums over arrays instead of averaging their ratios", () => {
  const meter = new DifferenceMeter();
  assert.equal(meter.value, { maxAbs: 0, relativeL2: 0 });
  meter.add([0.1], [0]);
  meter.add(Float32Array.of(10), [10]);
  assert.is(meter.value.maxAbs, 0.1);
  assert.ok(Math.abs(meter.value.relativeL2 - 0.01) < 1e-12);
});

test("different lengths are refused", () => {
  assert.throws(() => difference([1], [1, 2]), /1 and 2 numbers/);
});

test.run();
