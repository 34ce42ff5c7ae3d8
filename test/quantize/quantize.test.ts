import { readFileSync } from "node:fs";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { NerError } from "../../src/errors.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import type { F32Matrix, I8Matrix, Matrix } from "../../src/model/weights.ts";
import { quantizeEncoder, reportMatrix } from "../../src/quantize/encoder.ts";
import { dequantizeMatrix, quantizeMatrix, roundHalfEven } from "../../src/quantize/matrix.ts";

function matrix(rows: number, columns: number, values: readonly number[]): F32Matrix {
  return { type: "f32", rows, columns, data: Float32Array.from(values) };
}

// 127 times a scale that was rounded up can be beyond the largest float32.
const float = fc.float({ noNaN: true, min: -Math.fround(3.4e38), max: Math.fround(3.4e38) });
const anyMatrix = fc.integer({ min: 1, max: 5 }).chain((rows) =>
  fc.integer({ min: 1, max: 9 }).chain((columns) =>
    fc.array(float, { minLength: rows * columns, maxLength: rows * columns })
      .map((values) => matrix(rows, columns, values))
  )
);

test("halves are rounded to even, and zeros stay zero", () => {
  const cases = [[0.5, 0], [1.5, 2], [2.5, 2], [-0.5, 0], [-1.5, -2], [126.5, 126], [0.49999, 0]];
  for (const [x, y] of cases) assert.is(roundHalfEven(x!) + 0, y, `${x}`);
  fc.assert(
    fc.property(fc.double({ min: -200, max: 200, noNaN: true }), (x) => {
      const y = roundHalfEven(x);
      assert.ok(Number.isInteger(y) && Math.abs(x - y) <= 0.5);
      if (Math.abs(x - y) === 0.5) assert.is(Math.abs(y % 2), 0);
    }),
  );
});

test("a row's largest magnitude becomes 127, and each row has its own scale", () => {
  const q = quantizeMatrix(matrix(3, 3, [127, -63.5, 1, 0, 0, 0, -2.54, 1.27, 0.01]));
  assert.equal([...q.data], [127, -64, 1, 0, 0, 0, -127, 64, 0]);
  assert.equal([...q.scales], [1, 0, Math.fround(Math.fround(2.54) / 127)]);
});

test("the error of a weight is at most half a step, and -128 never occurs", () => {
  fc.assert(
    fc.property(anyMatrix, (original) => {
      const q = quantizeMatrix(original);
      const back = dequantizeMatrix(q);
      for (let i = 0; i < original.data.length; i++) {
        const scale = q.scales[Math.floor(i / original.columns)]!;
        assert.ok(scale >= 0 && q.data[i]! >= -127);
        const value = original.data[i]!;
        if (scale === 0) {
          // Only rows whose largest magnitude is below the smallest float32's 127-fold.
          assert.is(q.data[i], 0);
          assert.ok(Math.abs(value) < 127 * 2 ** -149);
        } else if (scale > 2 ** -120) {
          // A scale rounded to float32, and a product rounded to float32, add a little to the half.
          assert.ok(Math.abs(value - back.data[i]!) <= scale * 0.50002, `${value} ${back.data[i]}`);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("quantizing what was dequantized gives the same integers", () => {
  fc.assert(
    fc.property(anyMatrix, (original) => {
      const q = quantizeMatrix(original);
      if (q.scales.some((scale) => scale !== 0 && scale < 2 ** -120)) return;
      assert.equal(quantizeMatrix(dequantizeMatrix(q)).data, q.data);
    }),
  );
});

test("the integers are those of the definition, computed exactly", () => {
  // BigInt arithmetic has no rounding: value / scale is compared as a fraction of integers.
  const exact = (x: number): bigint => BigInt(x * 2 ** 149);
  fc.assert(
    fc.property(
      fc.array(fc.float({ min: -4, max: 4, noNaN: true }), { minLength: 1 }),
      (values) => {
        const q = quantizeMatrix(matrix(1, values.length, values));
        const scale = exact(q.scales[0]!);
        if (q.scales[0]! < 2 ** -120) return;
        values.forEach((value, i) => {
          const n = BigInt(q.data[i]!);
          const twice = 2n * exact(Math.fround(value)) - 2n * n * scale;
          const distance = twice < 0n ? -twice : twice;
          const clamped = n === 127n || n === -127n;
          assert.ok(clamped || distance <= scale, `${value} ${q.scales[0]} ${n}`);
          if (distance === scale && !clamped) assert.is(n % 2n, 0n);
        });
      },
    ),
  );
});

test("a weight that is not finite is named", () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    try {
      quantizeMatrix(matrix(2, 3, [0, 0, 0, 0, bad, 0]), "layers.0.up");
      assert.unreachable();
    } catch (error) {
      assert.instance(error, NerError);
      assert.is((error as NerError).code, "model/weights");
      assert.match(
        (error as NerError).message,
        /layers\.0\.up has -?(NaN|Infinity) at row 1, column 1/,
      );
    }
  }
});

function fixture(name: string): Uint8Array {
  return new Uint8Array(
    readFileSync(new URL(`../fixtures/tiny-torchscript/${name}`, import.meta.url)),
  );
}

const { weights: WEIGHTS } = bundleFromExport({
  model: fixture("model.onnx"),
  config: fixture("config.json"),
  tokenizer: fixture("tokenizer.json"),
});

test("an encoder's matrices become int8, its vectors stay as they are", () => {
  const { weights, report } = quantizeEncoder(WEIGHTS);
  const all: Matrix[] = [
    weights.wordEmbedding,
    weights.positionEmbedding,
    weights.typeEmbedding!,
    weights.classifier.weight,
    ...weights.layers.flatMap(({ qkv, attentionOutput, up, down }) =>
      [qkv, attentionOutput, up, down].map(({ weight }) => weight)
    ),
  ];
  assert.ok(all.every(({ type }) => type === "i8"));
  assert.is(report.tensors.length, all.length);
  assert.is(weights.classifier.bias, WEIGHTS.classifier.bias);
  assert.is(weights.layers[1]!.feedForwardNorm.gamma, WEIGHTS.layers[1]!.feedForwardNorm.gamma);
  assert.equal(
    weights.layers[0]!.qkv.weight,
    quantizeMatrix(WEIGHTS.layers[0]!.qkv.weight as F32Matrix),
  );
  assert.is(weights.config, WEIGHTS.config);
  assert.is(WEIGHTS.wordEmbedding.type, "f32");
});

test("the report says what it cost", () => {
  const { weights, report } = quantizeEncoder(WEIGHTS);
  const word = report.tensors[0]!;
  assert.equal(
    [word.name, word.rows, word.columns, word.bytesBefore, word.bytesAfter],
    ["embeddings.word.weight", 300, 36, 300 * 36 * 4, 300 * 36 + 300 * 4],
  );
  for (const tensor of report.tensors) {
    assert.ok(tensor.relativeError > 0 && tensor.relativeError < 0.01, tensor.name);
    assert.ok(tensor.worstRowError >= tensor.relativeError && tensor.worstRowError < 0.02);
    assert.ok(tensor.worstRow < tensor.rows);
  }
  const saved = report.tensors.reduce((sum, t) => sum + t.bytesBefore - t.bytesAfter, 0);
  assert.is(report.bytesBefore - report.bytesAfter, saved);

  const again = quantizeEncoder(weights);
  assert.equal(again.report.tensors, []);
  assert.is(again.report.bytesBefore, report.bytesAfter);
  assert.is(again.weights.wordEmbedding, weights.wordEmbedding);
});

test("the report's errors are those of their definition", () => {
  const before = matrix(2, 2, [3, 4, 0, 0]);
  const after: I8Matrix = {
    type: "i8",
    rows: 2,
    columns: 2,
    data: Int8Array.of(3, 3, 0, 0),
    scales: Float32Array.of(1, 0),
  };
  const report = reportMatrix("m", before, after);
  assert.is(report.relativeError, 0.2);
  assert.is(report.worstRow, 0);
  assert.is(report.worstRowError, 0.2);
  assert.is(
    reportMatrix("m", matrix(1, 1, [0]), quantizeMatrix(matrix(1, 1, [0]))).relativeError,
    0,
  );
});

test("an encoder without a part that its configuration asks for is refused", () => {
  try {
    quantizeEncoder({ ...WEIGHTS, layers: WEIGHTS.layers.slice(1) });
    assert.unreachable();
  } catch (error) {
    assert.is((error as NerError).code, "model/weights");
  }
});

test.run();
