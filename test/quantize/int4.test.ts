/** int4 embeddings: rounding, layout, and the way through a package. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ModelError } from "../../src/errors.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { readPackage } from "../../src/formats/package/read.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import type { F32Matrix, I4Matrix } from "../../src/model/weights.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { dequantizeMatrix, quantizeMatrix4 } from "../../src/quantize/matrix.ts";

const file = (name: string): Uint8Array =>
  new Uint8Array(
    readFileSync(new URL(`../fixtures/tiny-torchscript/${name}`, import.meta.url)),
  );
const exported = bundleFromExport({
  model: file("model.onnx"),
  config: file("config.json"),
  tokenizer: file("tokenizer.json"),
  crf: file("crf.safetensors"),
});

function matrix(rows: number, columns: number, values: readonly number[]): F32Matrix {
  return { type: "f32", rows, columns, data: Float32Array.from(values) };
}

test("two columns a byte, the even one low, each plus 8; an odd width leaves a zero over", () => {
  const q = quantizeMatrix4(matrix(2, 3, [7, -7, 1, 0, 0, 0]));
  assert.equal([...q.data], [0x1f, 0x89, 0x88, 0x88]);
  assert.equal([...q.scales], [1, 0]);
  assert.equal([...dequantizeMatrix(q).data], [7, -7, 1, 0, 0, 0]);
});

test("the error is at most half a step", () => {
  const float = fc.float({ noNaN: true, min: -1000, max: 1000 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.array(float, { maxLength: 60 }),
      (columns, v) => {
        const rows = Math.floor(v.length / columns);
        const original = matrix(rows, columns, v.slice(0, rows * columns));
        const q = quantizeMatrix4(original), back = dequantizeMatrix(q);
        for (let i = 0; i < back.data.length; i++) {
          const scale = q.scales[Math.floor(i / columns)];
          // A scale below the smallest normal float32 has lost digits.
          if (scale < 2 ** -120) continue;
          assert.ok(Math.abs(original.data[i] - back.data[i]) <= scale * 0.50001);
        }
      },
    ),
  );
});

test("a weight that is not finite is refused", () => {
  for (const bad of [NaN, Infinity]) {
    assert.throws(() => quantizeMatrix4(matrix(1, 2, [0, bad]), "x"), (error: unknown) => {
      return error instanceof ModelError && error.code === "model/weights";
    });
  }
});

test("only the word embedding becomes int4, from float32 or from int8, and survives a package", () => {
  const { weights, report } = quantizeEncoder(exported.weights, { embeddings: "int4" });
  assert.is(weights.wordEmbedding.type, "i4");
  assert.is(weights.positionEmbedding.type, "i8");
  assert.ok(weights.layers.every(({ up }) => up.weight.type === "i8"));
  const [word] = report.tensors;
  assert.is(word.name, "embeddings.word.weight");
  assert.is(word.bytesAfter, word.rows * (Math.ceil(word.columns / 2) + 4));
  assert.ok(word.relativeError > 0.02 && word.relativeError < 0.2, `${word.relativeError}`);
  const bytes = writePackage({ ...exported, weights });
  const back = readPackage(bytes);
  assert.equal(back.weights, weights);
  assert.equal(writePackage(back), bytes);
  const int8 = quantizeEncoder(exported.weights).weights;
  assert.is(quantizeEncoder(int8, { embeddings: "int4" }).weights.wordEmbedding.type, "i4");
  // What has 4 bits keeps them.
  assert.is(quantizeEncoder(weights).weights.wordEmbedding, weights.wordEmbedding);
});

test("a half byte that no quantizer writes is refused", () => {
  const { weights } = quantizeEncoder(exported.weights, { embeddings: "int4" });
  const word = weights.wordEmbedding as I4Matrix;
  for (const byte of [0x08, 0x80, 0x00]) {
    const data = word.data.slice();
    data[5] = byte;
    const wordEmbedding = { ...word, data };
    assert.throws(
      () => writePackage({ ...exported, weights: { ...weights, wordEmbedding } }),
      (error: unknown) => error instanceof ModelError && error.code === "model/weights",
    );
  }
});

test.run();
