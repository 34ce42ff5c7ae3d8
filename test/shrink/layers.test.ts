/**
 * Keeping some of an encoder's layers.
 *
 * @module
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { chooseLayers, NerError } from "../../mod.ts";
import { configOf, randomWeights } from "../support.ts";

const WEIGHTS = randomWeights(configOf({ layers: 6, head: { size: 8, activation: "tanh" } }), 1);

test("the layers named are kept as they are, in their order; all else stays", () => {
  fc.assert(fc.property(fc.subarray([1, 2, 3, 4, 5, 6], { minLength: 1 }), (layers) => {
    const chosen = chooseLayers(WEIGHTS, layers);
    assert.is(chosen.config.layers, layers.length);
    assert.is(chosen.layers.length, layers.length);
    layers.forEach((layer, i) => assert.is(chosen.layers[i], WEIGHTS.layers[layer - 1]));
    assert.equal({ ...chosen.config, layers: 6 }, WEIGHTS.config);
    assert.is(chosen.wordEmbedding, WEIGHTS.wordEmbedding);
    assert.is(chosen.headDense, WEIGHTS.headDense);
    assert.is(chosen.classifier, WEIGHTS.classifier);
  }));
  assert.is(WEIGHTS.config.layers, 6);
});

test("a layer that occurs more than once stays one object", () => {
  const shared = { ...WEIGHTS, layers: WEIGHTS.layers.map(() => WEIGHTS.layers[0]) };
  assert.is(new Set(chooseLayers(shared, [2, 4, 6]).layers).size, 1);
});

test("what is no choice of layers is refused", () => {
  const cases: [number[], RegExp][] = [
    [[], /no layer was named/],
    [[0], /no layer 0; its layers are 1 to 6/],
    [[1, 7], /no layer 7/],
    [[1.5], /no layer 1\.5/],
    [[NaN], /no layer NaN/],
    [[2, 1], /layer 1 comes after 2; expected ascending/],
    [[3, 3], /layer 3 comes after 3/],
  ];
  for (const [layers, message] of cases) {
    assert.throws(
      () => chooseLayers(WEIGHTS, layers),
      (error: Error) =>
        error instanceof NerError && error.code === "input/layers" && message.test(error.message),
    );
  }
});

test.run();
