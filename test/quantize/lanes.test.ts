/** Weights under a lane budget: kept by every row, at no cost where nothing exceeds it, found out where it is not. */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { WasmBackend } from "../../src/backend/wasm/wasm.ts";
import { encode } from "../../src/backend/encoder.ts";
import { ModelError } from "../../src/errors.ts";
import { chooseKernels } from "../../src/kernels/module.ts";
import { LANE_DEPTH, type LaneBudget, laneLimit } from "../../src/model/lanes.ts";
import { linearsOf } from "../../src/model/linears.ts";
import type { EncoderWeights, F32Matrix, I8Matrix } from "../../src/model/weights.ts";
import { dequantizeEncoder, quantizeEncoder, reportMatrix } from "../../src/quantize/encoder.ts";
import { largestLaneSum, quantizeMatrixLanes } from "../../src/quantize/lanes.ts";
import { quantizeMatrix } from "../../src/quantize/matrix.ts";
import {
  batchOf,
  bits,
  configOf,
  emulated,
  normal,
  random,
  randomWeights,
  shipped,
} from "../support.ts";

const budgetOf = (levels: number): LaneBudget => ({ levels, depth: LANE_DEPTH });

/** The largest sum of a lane, spelt out anew: columns of a run of 16, by the second bit of their place. */
function largest({ rows, columns, data }: I8Matrix, segment = columns): number {
  const sums = new Map<string, number>();
  for (let i = 0; i < rows * columns; i++) {
    const c = i % columns, within = c % segment;
    const lane = [
      Math.floor(i / columns),
      Math.floor(c / segment),
      Math.floor(within / 16),
      within % 4 < 2,
      data[i] > 0,
    ].join();
    sums.set(lane, (sums.get(lane) ?? 0) + Math.abs(data[i]));
  }
  return Math.max(...sums.values());
}

function matrixOf(rows: number, columns: number, seed: number, deviation = 1): F32Matrix {
  const data = normal(random(seed), rows * columns, deviation);
  return { type: "f32", rows, columns, data };
}

test("every row keeps its budget, whatever its width and its heads'", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 4 }),
      fc.constantFrom(15, 63, 127, 181, 255),
      fc.boolean(),
      fc.integer(),
      (rows, segment, segments, levels, oneSign, seed) => {
        const full = matrixOf(rows, segment * segments, seed);
        if (oneSign) full.data.forEach((v, i) => full.data[i] = Math.abs(v));
        const q = quantizeMatrixLanes(full, budgetOf(levels), "matrix", segment);
        const most = laneLimit(budgetOf(levels));
        assert.ok(largest(q, segment) <= most, `${largest(q, segment)} > ${most}`);
        assert.is(largestLaneSum(q, segment), largest(q, segment));
        assert.ok(q.data.every((x) => x >= -127 && x <= 127));
      },
    ),
  );
});

test("rows that no lane exceeds are rounded as without a budget", () => {
  // 2184 is more than eight weights can sum to.
  for (const columns of [1, 16, 33, 256]) {
    const full = matrixOf(7, columns, columns);
    assert.equal(quantizeMatrixLanes(full, budgetOf(15)), quantizeMatrix(full));
  }
  const zeros = quantizeMatrixLanes(
    { type: "f32", rows: 1, columns: 3, data: new Float32Array(3) },
    budgetOf(181),
  );
  assert.equal([...zeros.scales, ...zeros.data], [0, 0, 0, 0]);
});

test("the scale is the smallest there is, and steps are taken off where they cost least", () => {
  const full = matrixOf(16, 256, 3), budget = budgetOf(181);
  const error = reportMatrix("matrix", full, quantizeMatrixLanes(full, budget)).relativeError;
  // The smallest scale at which nothing exceeds the budget, by itself.
  const coarse = new Int8Array(16 * 256), scales = new Float32Array(16);
  for (let row = 0; row < 16; row++) {
    const values = full.data.subarray(row * 256, (row + 1) * 256);
    for (let scale = Math.max(...values.map(Math.abs)) / 127;; scale *= 1.01) {
      const q = Int8Array.from(values, (v) => Math.round(v / scale));
      scales[row] = scale;
      coarse.set(q, row * 256);
      if (largest({ type: "i8", rows: 1, columns: 256, data: q, scales }) <= laneLimit(budget)) {
        break;
      }
    }
  }
  const plain = { type: "i8", rows: 16, columns: 256, data: coarse, scales } as const;
  const without = reportMatrix("matrix", full, plain).relativeError;
  assert.ok(error < without, `${error} against ${without}`);
});

const config = configOf({ hiddenSize: 72, heads: 3, feedForwardSize: 100, layers: 2 });
const float = randomWeights(config, 5);
const { weights: packed } = quantizeEncoder(float, { lanes: budgetOf(181) });

test("an encoder names its budget, keeps it in its linear layers, and loses it with its int8 weights", () => {
  assert.equal(packed.lanes, budgetOf(181));
  for (const { weight } of linearsOf(packed)) {
    const context = packed.layers.some((layer) => layer.attentionOutput.weight === weight);
    assert.ok(largest(weight as I8Matrix, context ? 24 : undefined) <= 181);
  }
  assert.equal(packed.wordEmbedding, quantizeEncoder(float).weights.wordEmbedding);
  assert.is(dequantizeEncoder(packed).lanes, undefined);
  assert.is(quantizeEncoder(packed).weights.layers[0].up.weight, packed.layers[0].up.weight);
  const again = quantizeEncoder(packed, { lanes: budgetOf(127) });
  assert.equal(again.weights.lanes, budgetOf(127));
  assert.is(again.report.tensors.length, linearsOf(packed).length);
  assert.is(again.weights.wordEmbedding, packed.wordEmbedding);
});

test("a budget that cannot be is refused", () => {
  for (const lanes of [budgetOf(0), budgetOf(256), budgetOf(1.5), { levels: 181, depth: 3 }]) {
    try {
      quantizeEncoder(float, { lanes });
      assert.unreachable(JSON.stringify(lanes));
    } catch (error) {
      assert.instance(error, ModelError);
      assert.is((error as ModelError).code, "model/config");
    }
  }
});

const families = [
  await chooseKernels([await shipped("baseline")]),
  await chooseKernels([await emulated("unsigned")]),
  await chooseKernels([await emulated("signed")]),
  await chooseKernels([await emulated("saturating", "pairs")], { lanes: true }),
];

test("every family gives the same bits, at several budgets and lengths", async () => {
  for (const levels of [127, 181, 255]) {
    const { weights } = quantizeEncoder(float, { lanes: budgetOf(levels) });
    const batch = batchOf(config, [1, 2, 3, 4, 5, 6, 7, 8, 13, 40], levels);
    const results: Uint32Array[] = [];
    for (const chosen of families) {
      const backend = await WasmBackend.create(chosen, weights, {
        precision: "int8",
        maxTokens: 100,
      });
      results.push(bits(await encode(backend, batch)));
      backend.close();
    }
    for (const [i, other] of results.entries()) {
      assert.equal(other, results[0], `${families[i].kind}, ${levels} levels`);
    }
  }
});

test("an adapter's own classifier keeps the encoder's budget, and gives the same bits in every family", async () => {
  const length = 9, next = random(8);
  // Weights and activations of one sign are what a lane saturates on.
  const weight = matrixOf(length, config.hiddenSize, 4);
  weight.data.forEach((v, i) => weight.data[i] = Math.abs(v));
  const adapter = {
    rank: 1,
    alpha: 1,
    parts: [],
    labels: Array.from({ length }, (_, i) => `A${i}`),
    classifier: { weight, bias: normal(next, length, 0.1) },
    crf: undefined,
  };
  const batch = batchOf(config, [9, 26], 5), results: Uint32Array[] = [];
  for (const chosen of families) {
    const options = { precision: "int8", maxTokens: 64 } as const;
    const backend = (await WasmBackend.create(chosen, packed, options)).adapt(adapter);
    results.push(bits(await encode(backend, batch)));
    backend.close();
  }
  for (const [i, other] of results.entries()) assert.equal(other, results[0], families[i].kind);
});

test("weights that exceed the budget they name are refused by every family, wherever they stand", async () => {
  for (let i = 0; i < linearsOf(packed).length; i++) {
    const lying = structuredClone(packed) as EncoderWeights;
    const { data, columns } = linearsOf(lying)[i].weight as I8Matrix;
    // The last lane of the last row; of a head's last columns where there are heads.
    for (let c = columns - 8; c < columns; c++) data[data.length - columns + c] = -127;
    for (const chosen of families) {
      try {
        await WasmBackend.create(chosen, lying, { precision: "int8", maxTokens: 8 });
        assert.unreachable(`linear layer ${i}, ${chosen.kind}`);
      } catch (error) {
        assert.instance(error, ModelError);
        assert.is((error as ModelError).code, "model/weights");
        assert.match((error as ModelError).message, /sum to more than 181/);
      }
    }
  }
});

test.run();
