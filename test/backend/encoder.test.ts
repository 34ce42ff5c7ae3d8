/**
 * The whole encoder, backend against backend: shapes, batches, lengths and engines.
 *
 * Tolerances. fp32 against the reference: 1e-5 relative L2; float32 sums of up to a few hundred terms lose
 * sqrt(K) 2^-24 a layer, the rational erf 5e-7, so 1e-6 is usual and 1e-5 leaves room. int8 against fp32:
 * two 8-bit roundings a product, each half a step of 255, make about 1 % a layer on random weights, which
 * average worse than trained ones; 0.06 holds for the small widths of these tests. A single emission may cancel to almost
 * nothing, which makes any rounding of its terms (about 1) look large: 1e-6 of absolute difference is always allowed.
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Backend } from "../../src/backend/backend.ts";
import { ReferenceBackend } from "../../src/backend/reference/reference.ts";
import { chooseKernels } from "../../src/kernels/module.ts";
import { WasmBackend } from "../../src/backend/wasm/wasm.ts";
import { InputError, type ModelError } from "../../src/errors.ts";
import { encode } from "../../src/backend/encoder.ts";
import { ACTIVATION_NAMES } from "../../src/model/activations.ts";
import type { EncoderWeights } from "../../src/model/weights.ts";
import { withoutFeatures } from "../../src/model/without_lexicons.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { dequantizeMatrix } from "../../src/quantize/matrix.ts";
import {
  batchOf,
  bits,
  configOf,
  emulated,
  randomWeights,
  relativeL2,
  shipped,
} from "../support.ts";

const baseline = await chooseKernels([await shipped("baseline")]);
const unsigned = await chooseKernels([await emulated("unsigned")]);
const signed = await chooseKernels([await emulated("signed")]);

/** Whether float32 emissions agree with the reference's. */
function assertNear(got: Float32Array, want: Float32Array): void {
  const distance = relativeL2(got, want);
  const close = got.length === want.length &&
    got.every((emission, i) => Math.abs(emission - want[i]) <= 1e-6);
  assert.ok(close || distance <= 1e-5, `relative L2 ${distance}`);
}

const shape = fc.record({
  headSize: fc.integer({ min: 1, max: 20 }),
  heads: fc.integer({ min: 1, max: 5 }),
  layers: fc.integer({ min: 1, max: 3 }),
  feedForwardSize: fc.integer({ min: 1, max: 90 }),
  labels: fc.integer({ min: 1, max: 20 }),
  typeVocabSize: fc.constantFrom(0, 2),
  activation: fc.constantFrom(...ACTIVATION_NAMES),
  features: fc.constantFrom(0, 1, 25),
  head: fc.option(
    fc.record({
      size: fc.integer({ min: 1, max: 90 }),
      activation: fc.constantFrom(...ACTIVATION_NAMES),
    }),
    { nil: undefined },
  ),
}).filter(({ headSize, heads }) => headSize * heads > 1).map((
  { headSize, labels, features, ...rest },
) =>
  configOf({
    ...rest,
    ...(features > 0 && { features }),
    hiddenSize: headSize * rest.heads,
    labels: Array.from({ length: labels }, (_, i) => `L${i}`),
  })
);
// On both sides of the length from which attention is int8 (24).
const lengths = fc.array(fc.integer({ min: 1, max: 32 }), { minLength: 1, maxLength: 5 });

async function withBackend<T>(backend: Backend, run: (backend: Backend) => Promise<T>): Promise<T> {
  try {
    return await run(backend);
  } finally {
    backend.close();
  }
}

const MAX = 160;

function emissions(backend: Backend, batch: Parameters<typeof encode>[1]): Promise<Float32Array> {
  return withBackend(backend, (b) => encode(b, batch));
}

test("fp32 agrees with the reference on random shapes and batches", async () => {
  await fc.assert(
    fc.asyncProperty(shape, lengths, fc.integer(), async (config, sizes, seed) => {
      const weights = randomWeights(config, seed), batch = batchOf(config, sizes, seed + 1);
      const want = await emissions(new ReferenceBackend(weights, MAX), batch);
      const got = await emissions(
        await WasmBackend.create(baseline, weights, { precision: "fp32", maxTokens: MAX }),
        batch,
      );
      assertNear(got, want);
    }),
    { numRuns: 60 },
  );
});

test("an embedding of another width than the hidden state is projected", async () => {
  await fc.assert(
    fc.asyncProperty(shape, fc.integer({ min: 1, max: 50 }), lengths, async (base, e, sizes) => {
      const config = { ...base, embeddingSize: e };
      const weights = randomWeights(config, e), batch = batchOf(config, sizes, e);
      const want = await emissions(new ReferenceBackend(weights, MAX), batch);
      const got = await emissions(
        await WasmBackend.create(baseline, weights, { precision: "fp32", maxTokens: MAX }),
        batch,
      );
      assertNear(got, want);
    }),
    { numRuns: 30 },
  );
});

test("an int4 word embedding gives what its expanded form gives, whatever its width", async () => {
  await fc.assert(
    fc.asyncProperty(shape, fc.integer({ min: 1, max: 50 }), lengths, async (base, e, sizes) => {
      const config = { ...base, embeddingSize: e }, batch = batchOf(config, sizes, e);
      const { weights } = quantizeEncoder(randomWeights(config, e), { embeddings: "int4" });
      assert.ok(weights.wordEmbedding.type === "i4");
      const expanded = { ...weights, wordEmbedding: dequantizeMatrix(weights.wordEmbedding) };
      const want = await emissions(new ReferenceBackend(expanded, MAX), batch);
      const got = await emissions(
        await WasmBackend.create(baseline, weights, { precision: "fp32", maxTokens: MAX }),
        batch,
      );
      assertNear(got, want);
      // The same integers with the same scales, a byte each: int8 has nothing to round otherwise.
      const { data, rows, columns } = expanded.wordEmbedding, { scales } = weights.wordEmbedding;
      const bytes = Int8Array.from(data, (x, i) => {
        const scale = scales[Math.floor(i / columns)];
        return scale === 0 ? 0 : Math.round(x / scale);
      });
      const wordEmbedding = { type: "i8" as const, rows, columns, data: bytes, scales };
      const [packed, plain] = await Promise.all(
        [weights, { ...weights, wordEmbedding }].map(async (own) =>
          bits(
            await emissions(
              await WasmBackend.create(baseline, own, { precision: "int8", maxTokens: MAX }),
              batch,
            ),
          )
        ),
      );
      assert.equal(packed, plain);
    }),
    { numRuns: 30 },
  );
});

test("a layer that occurs twice takes memory once", async () => {
  const config = configOf({ layers: 3 }), weights = randomWeights(config, 5);
  const [first] = weights.layers, shared = { ...weights, layers: [first, first, first] };
  const repeated = { ...weights, layers: [first, structuredClone(first), structuredClone(first)] };
  const batch = batchOf(config, [12, 5], 1);
  const a = await WasmBackend.create(baseline, shared, { precision: "fp32", maxTokens: MAX });
  const b = await WasmBackend.create(baseline, repeated, { precision: "fp32", maxTokens: MAX });
  assert.equal(bits(await encode(a, batch)), bits(await encode(b, batch)));
  assert.ok(a.memoryBytes < b.memoryBytes);
});

test("int8 gives the same bits on every engine, near the reference of its own weights", async () => {
  await fc.assert(
    fc.asyncProperty(shape, lengths, fc.integer(), async (config, sizes, seed) => {
      const { weights } = quantizeEncoder(randomWeights(config, seed));
      const batch = batchOf(config, sizes, seed + 1);
      const got = await emissions(
        await WasmBackend.create(baseline, weights, { precision: "int8", maxTokens: MAX }),
        batch,
      );
      for (const engine of [unsigned, signed]) {
        const other = await emissions(
          await WasmBackend.create(engine, weights, { precision: "int8", maxTokens: MAX }),
          batch,
        );
        assert.equal(bits(other), bits(got));
      }
      const want = await emissions(new ReferenceBackend(weights, MAX), batch);
      // Rows of few values have no error to average, and few emissions may all lie near 0.
      if (config.hiddenSize < 8 || want.length < 30) return;
      assert.ok(relativeL2(got, want) <= 0.06, `relative L2 ${relativeL2(got, want)}`);
    }),
    { numRuns: 40 },
  );
});

const config = configOf({
  hiddenSize: 48,
  heads: 4,
  feedForwardSize: 80,
  maxPositions: 64,
  features: 7,
});
const float = randomWeights(config, 7);
const int8 = quantizeEncoder(float).weights;

for (const [name, weights] of [["fp32", float], ["int8", int8]] as const) {
  test(`${name}: a sequence alone and in any batch gives the same bits`, async () => {
    const sizes = [5, 1, 17, 64, 6, 2, 33], batch = batchOf(config, sizes, 3);
    await withBackend(
      await WasmBackend.create(baseline, weights, { precision: name, maxTokens: 200 }),
      async (backend) => {
        const together = await encode(backend, batch), labels = config.labels.length;
        for (let s = 0; s < sizes.length; s++) {
          const [from, to] = [batch.offsets[s], batch.offsets[s + 1]];
          const ids = batch.ids.slice(from, to), offsets = Int32Array.of(0, ids.length);
          const features = batch.features!.slice(7 * from, 7 * to);
          const alone = await encode(backend, { ids, offsets, features });
          const part = together.slice(batch.offsets[s] * labels, batch.offsets[s + 1] * labels);
          assert.equal(bits(alone), bits(part), `sequence ${s}`);
        }
      },
    );
  });

  test(`${name}: every length from 1 to the model's maximum`, async () => {
    const reference = new ReferenceBackend(weights, 64);
    await withBackend(
      await WasmBackend.create(baseline, weights, { precision: name, maxTokens: 64 }),
      async (backend) => {
        for (let length = 1; length <= 64; length++) {
          const batch = batchOf(config, [length], length);
          const got = await encode(backend, batch), want = await encode(reference, batch);
          const limit = name === "fp32" ? 1e-5 : 0.06;
          assert.ok(relativeL2(got, want) <= limit, `${length}: ${relativeL2(got, want)}`);
        }
      },
    );
  });

  test(`${name}: all-zero weights and all-equal tokens`, async () => {
    const zero = structuredClone(weights) as EncoderWeights;
    for (const { weight } of zero.layers.flatMap((l) => [l.qkv, l.up, l.down, l.attentionOutput])) {
      weight.data.fill(0);
    }
    const batch = {
      ids: new Int32Array(20).fill(3),
      offsets: Int32Array.of(0, 20),
      features: new Float32Array(140),
    };
    const got = await emissions(
      await WasmBackend.create(baseline, zero, { precision: name, maxTokens: 64 }),
      batch,
    );
    const want = await emissions(new ReferenceBackend(zero, 64), batch);
    assert.ok(relativeL2(got, want) <= (name === "fp32" ? 1e-5 : 0.06));
  });

  test(`${name}: a batch that does not fit is refused, and the backend still works`, async () => {
    await withBackend(
      await WasmBackend.create(baseline, weights, { precision: name, maxTokens: 64 }),
      async (backend) => {
        const good = batchOf(config, [9], 1), before = await encode(backend, good);
        const features = new Float32Array(7);
        const bad = [
          { ids: good.ids, offsets: good.offsets }, // no features
          { ...good, features: good.features!.slice(1) },
          batchOf(config, [60, 5], 1), // more tokens than the workspace
          { ids: Int32Array.of(1, 2), offsets: Int32Array.of(0, 0, 2) }, // an empty sequence
          {
            ids: Int32Array.of(1, config.vocabSize),
            offsets: Int32Array.of(0, 2),
            features: new Float32Array(14),
          },
          { ids: Int32Array.of(-1), offsets: Int32Array.of(0, 1), features },
          { ids: Int32Array.of(1), offsets: Int32Array.of(0, 2), features },
          { ids: new Int32Array(0), offsets: new Int32Array(0) },
        ];
        for (const batch of bad) {
          try {
            await encode(backend, batch);
            assert.unreachable("a bad batch was accepted");
          } catch (error) {
            assert.instance(error, InputError);
          }
        }
        assert.equal(bits(await encode(backend, good)), bits(before));
      },
    );
  });
}

test("features of a model that takes none are refused, and 0 everywhere is as if there were none", async () => {
  const plain = withoutFeatures(float), batch = batchOf(plain.config, [9, 4], 1);
  const create = (weights: EncoderWeights) =>
    WasmBackend.create(baseline, weights, { precision: "fp32", maxTokens: 64 });
  const features = new Float32Array(7 * 13), want = await emissions(await create(plain), batch);
  assert.equal(bits(await emissions(await create(float), { ...batch, features })), bits(want));
  try {
    await emissions(await create(plain), { ...batch, features });
    assert.unreachable("features were accepted");
  } catch (error) {
    assert.match((error as Error).message, /there are 91 features for 13 tokens; .* takes none/);
  }
});

test("weights that overflow give NaN emissions, not a trap, and leave nothing behind", async () => {
  const broken = structuredClone(float) as EncoderWeights;
  broken.layers[0].up.weight.data.fill(3e38);
  const batch = batchOf(config, [9, 4], 1);
  const got = await emissions(
    await WasmBackend.create(baseline, broken, { precision: "fp32", maxTokens: 64 }),
    batch,
  );
  assert.ok(!got.every(Number.isFinite));
});

test("fp32 takes int8 weights and expands them; int8 does not take float32", async () => {
  const batch = batchOf(config, [30], 4);
  const want = await emissions(new ReferenceBackend(int8, 64), batch);
  const got = await emissions(
    await WasmBackend.create(baseline, int8, { precision: "fp32", maxTokens: 64 }),
    batch,
  );
  assert.ok(relativeL2(got, want) <= 1e-5);
  try {
    await WasmBackend.create(baseline, float, { precision: "int8", maxTokens: 64 });
    assert.unreachable("float32 weights were accepted as int8");
  } catch (error) {
    assert.is((error as ModelError).code, "model/dtype");
  }
});

test("a closed backend says so", async () => {
  const backend = await WasmBackend.create(baseline, int8, { precision: "int8", maxTokens: 64 });
  backend.close();
  assert.throws(() => void encode(backend, batchOf(config, [3], 1)));
});

test.run();
