/** Rounding by sample text: less error where inputs go together, the nearest integers where they do not, budgets kept. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Backend, Linear } from "../../src/backend/backend.ts";
import { encode } from "../../src/backend/encoder.ts";
import { observed } from "../../src/backend/observe.ts";
import { ReferenceBackend } from "../../src/backend/reference/reference.ts";
import { WasmBackend } from "../../src/backend/wasm/wasm.ts";
import { chooseKernels } from "../../src/kernels/module.ts";
import { LANE_DEPTH, laneLimit } from "../../src/model/lanes.ts";
import { linearsOf } from "../../src/model/linears.ts";
import type { F32Matrix, I8Matrix } from "../../src/model/weights.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { largestLaneSum, quantizeMatrixLanes } from "../../src/quantize/lanes.ts";
import { dequantizeMatrix, quantizeMatrix } from "../../src/quantize/matrix.ts";
import { Moments } from "../../src/quantize/moments.ts";
import { quantizeMatrixSampled } from "../../src/quantize/rounding.ts";
import {
  batchOf,
  configOf,
  normal,
  random,
  randomWeights,
  relativeL2,
  shipped,
} from "../support.ts";

const ROWS = 12, COLUMNS = 64, COUNT = 400;
const full: F32Matrix = {
  type: "f32",
  rows: ROWS,
  columns: COLUMNS,
  data: normal(random(1), ROWS * COLUMNS, 0.1),
};

/** Inputs that vary in a quarter as many directions as they have columns, but for some noise, around a mean. */
const inputs = ((): Float32Array => {
  const next = random(2),
    mixing = normal(next, COLUMNS * 16, 1),
    out = new Float32Array(COUNT * COLUMNS);
  const mean = normal(next, COLUMNS, 1);
  for (let t = 0; t < COUNT; t++) {
    const state = normal(next, 16, 1), noise = normal(next, COLUMNS, 0.1);
    for (let c = 0; c < COLUMNS; c++) {
      let sum = mean[c] + noise[c];
      for (let i = 0; i < 16; i++) sum += mixing[c * 16 + i] * state[i];
      out[t * COLUMNS + c] = sum;
    }
  }
  return out;
})();

function momentsOf(rows: Float32Array, width: number): Moments {
  const moments = new Moments(width);
  // In two parts of odd sizes.
  moments.add(rows.subarray(0, 77 * width));
  moments.add(rows.subarray(77 * width));
  return moments;
}

/** Squared error of the results over all inputs, `shift` added to each. */
function errorOf(matrix: I8Matrix, shift: Float32Array): number {
  const back = dequantizeMatrix(matrix).data;
  let error = 0;
  for (let t = 0; t < COUNT; t++) {
    for (let r = 0; r < ROWS; r++) {
      let difference = -shift[r];
      for (let c = 0; c < COLUMNS; c++) {
        difference += (full.data[r * COLUMNS + c] - back[r * COLUMNS + c]) *
          inputs[t * COLUMNS + c];
      }
      error += difference * difference;
    }
  }
  return error;
}

const none = new Float32Array(ROWS);

test("moments are those of a plain sum", () => {
  const moments = momentsOf(inputs, COLUMNS),
    mean = moments.mean(),
    covariance = moments.covariance();
  assert.is(moments.count, COUNT);
  for (const [i, j] of [[0, 0], [5, 3], [63, 0], [63, 63]]) {
    let sum = 0, product = 0;
    for (let t = 0; t < COUNT; t++) {
      sum += inputs[t * COLUMNS + i];
      product += (inputs[t * COLUMNS + i] - mean[i]) * (inputs[t * COLUMNS + j] - mean[j]);
    }
    assert.ok(Math.abs(mean[i] - sum / COUNT) < 1e-9);
    assert.ok(Math.abs(covariance[i * COLUMNS + j] - product / COUNT) < 1e-9);
  }
});

test("where inputs go together, the results' error is a fraction of the nearest integers'", () => {
  const moments = momentsOf(inputs, COLUMNS);
  const plain = quantizeMatrixSampled(full, moments, undefined);
  assert.ok(errorOf(plain.matrix, plain.shift) < 0.3 * errorOf(quantizeMatrix(full), none));
  for (const levels of [127, 181, 255]) {
    const budget = { levels, depth: LANE_DEPTH };
    const { matrix, shift } = quantizeMatrixSampled(full, moments, budget);
    assert.ok(largestLaneSum(matrix) <= laneLimit(budget));
    const nearest = errorOf(quantizeMatrixLanes(full, budget), none);
    assert.ok(errorOf(matrix, shift) < 0.3 * nearest, `${levels} levels`);
    // The bias takes what is constant: without it there is more.
    assert.ok(errorOf(matrix, shift) < errorOf(matrix, none), `${levels} levels`);
  }
});

test("where inputs do not go together, weights are rounded to the nearest", () => {
  const unit = new Float32Array(2 * COLUMNS * COLUMNS);
  for (let c = 0; c < COLUMNS; c++) {
    unit[2 * c * COLUMNS + c] = 1;
    unit[(2 * c + 1) * COLUMNS + c] = -1;
  }
  const { matrix, shift } = quantizeMatrixSampled(full, momentsOf(unit, COLUMNS), undefined);
  assert.equal(matrix, quantizeMatrix(full));
  assert.equal(shift, none);
});

test("rows of zeros, and inputs that never vary, do no harm", () => {
  const zeros = { ...full, data: new Float32Array(full.data.length) };
  const still = momentsOf(new Float32Array(100 * COLUMNS).fill(2), COLUMNS);
  const budget = { levels: 181, depth: LANE_DEPTH };
  assert.ok(
    quantizeMatrixSampled(zeros, still, budget).matrix.scales.every((scale) => scale === 0),
  );
  const { matrix, shift } = quantizeMatrixSampled(full, still, budget);
  assert.ok(largestLaneSum(matrix) <= 181);
  assert.ok(shift.every(Number.isFinite));
});

const config = configOf({ hiddenSize: 72, heads: 3, feedForwardSize: 100, layers: 2 });
const weights = randomWeights(config, 5), batch = batchOf(config, [30, 7, 12], 3);

async function seen(backend: Backend): Promise<Map<Linear, Float32Array>> {
  const inputs = new Map<Linear, Promise<Float32Array>>();
  await encode(observed(backend, (linear, input) => inputs.set(linear, input)), batch);
  return new Map(await Promise.all([...inputs].map(async ([l, i]) => [l, await i] as const)));
}

test("every linear layer's input is seen, as the reference has it, also behind padded heads", async () => {
  const chosen = await chooseKernels([await shipped("baseline")]);
  const wasm = await WasmBackend.create(chosen, weights, { precision: "fp32", maxTokens: 64 });
  const reference = new ReferenceBackend(weights, 64);
  const got = await seen(wasm), want = await seen(reference), layers = linearsOf(reference);
  linearsOf(wasm).forEach((linear, i) => {
    assert.ok(relativeL2(got.get(linear)!, want.get(layers[i])!) < 1e-5, `linear layer ${i}`);
  });
  // What is seen on the way changes nothing.
  const plain = await encode(wasm, batch);
  assert.equal(await encode(observed(wasm, () => {}), batch), plain);
});

test("an encoder that is rounded by samples is nearer to what it was, biases included", async () => {
  const reference = new ReferenceBackend(weights, 64), want = await encode(reference, batch);
  const samples = new Map(linearsOf(weights).map((l) => [l.weight, new Moments(l.weight.columns)]));
  const layers = linearsOf(reference);
  for (const [linear, input] of await seen(reference)) {
    samples.get(linearsOf(weights)[layers.indexOf(linear as typeof layers[number])].weight)!.add(
      input,
    );
  }
  const lanes = { levels: 181, depth: LANE_DEPTH };
  const distance = async (options: Parameters<typeof quantizeEncoder>[1]): Promise<number> =>
    relativeL2(
      await encode(new ReferenceBackend(quantizeEncoder(weights, options).weights, 64), batch),
      want,
    );
  const plain = await distance({ lanes }), sampled = await distance({ lanes, samples });
  assert.ok(sampled < 0.7 * plain, `${sampled} against ${plain}`);
});

test.run();
