/**
 * Adapters beside an encoder, backend against backend.
 *
 * The oracle is the reference backend over the merged weights, which shares no code with the kernels. fp32 to 1e-5 and
 * int8 to 0.06 relative L2, as in encoder.test.ts, of which int8 beside an adapter has no more to round.
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ReferenceBackend } from "../../src/backend/reference/reference.ts";
import { encode } from "../../src/backend/encoder.ts";
import { WasmBackend } from "../../src/backend/wasm/wasm.ts";
import { InputError, ModelError, RuntimeError } from "../../src/errors.ts";
import { chooseKernels } from "../../src/kernels/module.ts";
import { ADAPTED, type Adapter, mergeAdapter } from "../../src/model/adapter.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import { dequantizeEncoder, quantizeEncoder } from "../../src/quantize/encoder.ts";
import {
  batchOf,
  bits,
  configOf,
  emulated,
  normal,
  random,
  randomWeights,
  relativeL2,
  shipped,
} from "../support.ts";

const baseline = await chooseKernels([await shipped("baseline")]);
const engines = [await emulated("unsigned"), await emulated("signed")];
const others = await Promise.all(engines.map((module) => chooseKernels([module])));
const MAX = 160;

/** An adapter whose parts change what they are added to by about half. */
function adapterOf(
  { hiddenSize: h, feedForwardSize: f, layers }: ModelConfig,
  seed: number,
  rank: number,
  labels: number,
  maps: readonly typeof ADAPTED[number][] = ADAPTED,
): Adapter {
  const next = random(seed);
  const matrix = (rows: number, columns: number, deviation: number) => ({
    type: "f32" as const,
    rows,
    columns,
    data: normal(next, rows * columns, deviation),
  });
  const parts = Array.from(
    { length: layers },
    (_, layer) =>
      ADAPTED.filter((map) => maps.includes(map)).map((map) => {
        const k = map === "down" ? f : h;
        const b = matrix(map === "up" ? f : h, rank, 0.5 / Math.sqrt(rank));
        return { layer, map, a: matrix(rank, k, 1 / Math.sqrt(k)), b };
      }),
  ).flat();
  return {
    rank,
    alpha: 1.5 * rank,
    parts,
    labels: Array.from({ length: labels }, (_, i) => `A${i}`),
    classifier: { weight: matrix(labels, h, 1 / Math.sqrt(h)), bias: normal(next, labels, 0.1) },
    crf: undefined,
  };
}

const shape = fc.record({
  headSize: fc.integer({ min: 1, max: 20 }),
  heads: fc.integer({ min: 1, max: 5 }),
  layers: fc.integer({ min: 1, max: 3 }),
  feedForwardSize: fc.integer({ min: 1, max: 90 }),
}).filter(({ headSize, heads }) => headSize * heads > 1).map(({ headSize, ...rest }) =>
  configOf({ ...rest, hiddenSize: headSize * rest.heads })
);
const adapters = fc.record({
  rank: fc.integer({ min: 1, max: 21 }),
  labels: fc.integer({ min: 1, max: 40 }),
  maps: fc.subarray([...ADAPTED]),
});
const lengths = fc.array(fc.integer({ min: 1, max: 32 }), { minLength: 1, maxLength: 5 });

test("fp32 beside an adapter agrees with the reference of the merged model", async () => {
  await fc.assert(
    fc.asyncProperty(shape, adapters, lengths, fc.integer(), async (config, how, sizes, seed) => {
      const weights = randomWeights(config, seed), batch = batchOf(config, sizes, seed + 1);
      const adapter = adapterOf(config, seed + 2, how.rank, how.labels, how.maps);
      const want = await encode(new ReferenceBackend(mergeAdapter(weights, adapter), MAX), batch);
      const base = await WasmBackend.create(baseline, weights, {
        precision: "fp32",
        maxTokens: MAX,
      });
      const adapted = base.adapt(adapter), got = await encode(adapted, batch);
      assert.ok(relativeL2(got, want) <= 1e-5, `relative L2 ${relativeL2(got, want)}`);
      const oracle = new ReferenceBackend(weights, MAX).adapt(adapter);
      assert.equal(bits(await encode(oracle, batch)), bits(want));
      base.close();
      adapted.close();
    }),
    { numRuns: 60 },
  );
});

test("int8 beside an adapter: the same bits on every engine, near the merged model", async () => {
  await fc.assert(
    fc.asyncProperty(shape, adapters, lengths, fc.integer(), async (config, how, sizes, seed) => {
      const { weights } = quantizeEncoder(randomWeights(config, seed));
      const batch = batchOf(config, sizes, seed + 1),
        options = { precision: "int8", maxTokens: MAX } as const;
      const adapter = adapterOf(config, seed + 2, how.rank, how.labels, how.maps);
      const adapted = (await WasmBackend.create(baseline, weights, options)).adapt(adapter);
      const got = await encode(adapted, batch);
      for (const engine of others) {
        const other = (await WasmBackend.create(engine, weights, options)).adapt(adapter);
        assert.equal(bits(await encode(other, batch)), bits(got));
      }
      const merged = mergeAdapter(dequantizeEncoder(weights), adapter);
      const want = await encode(new ReferenceBackend(merged, MAX), batch);
      if (config.hiddenSize < 8 || want.length < 30) return;
      assert.ok(relativeL2(got, want) <= 0.06, `relative L2 ${relativeL2(got, want)}`);
    }),
    { numRuns: 40 },
  );
});

const config = configOf({ hiddenSize: 48, heads: 4, feedForwardSize: 80, maxPositions: 64 });
const float = randomWeights(config, 7), int8 = quantizeEncoder(float).weights;
const one = adapterOf(config, 1, 8, 5), two = adapterOf(config, 2, 3, 9, ["query", "value"]);

for (const [precision, weights] of [["fp32", float], ["int8", int8]] as const) {
  const make = () => WasmBackend.create(baseline, weights, { precision, maxTokens: 200 });

  test(`${precision}: adapters take turns with each other and the encoder, and none changes another's bits`, async () => {
    const base = await make(), before = base.memoryBytes, batch = batchOf(config, [5, 1, 33, 6], 3);
    const plain = bits(await encode(base, batch)), a = base.adapt(one), b = base.adapt(two);
    assert.ok(base.memoryBytes > before && a.adapterBytes! > b.adapterBytes!);
    const grown = base.memoryBytes;
    const alone = async (adapter: Adapter) =>
      bits(await encode((await make()).adapt(adapter), batch));
    const wanted = new Map([[base, plain], [a, await alone(one)], [b, await alone(two)]]);
    assert.not.equal(wanted.get(a), wanted.get(b));
    for (const backend of [a, b, base, b, a, a, base, b]) {
      assert.equal(bits(await encode(backend, batch)), wanted.get(backend));
    }
    // One made from an adapted backend is beside the encoder, not on top of the other.
    const third = a.adapt(two);
    assert.equal(bits(await encode(third, batch)), wanted.get(b));
    assert.is(base.memoryBytes, grown);

    base.close();
    assert.throws(() => void encode(base, batch), (error: unknown) => error instanceof InputError);
    assert.throws(() => base.adapt(one), (error: unknown) => error instanceof InputError);
    for (const backend of [a, b]) {
      assert.equal(bits(await encode(backend, batch)), wanted.get(backend));
    }
    a.close();
    a.close();
    assert.throws(() => void encode(a, batch), (error: unknown) => error instanceof InputError);
    assert.equal(bits(await encode(b, batch)), wanted.get(b));
    b.close();
    third.close();
    assert.is(base.memoryBytes, 0);
  });

  test(`${precision}: with an adapter, a sequence alone and in any batch gives the same bits`, async () => {
    const sizes = [5, 1, 17, 64, 6, 2, 33], batch = batchOf(config, sizes, 3);
    const backend = (await make()).adapt(one), together = await encode(backend, batch);
    for (let s = 0; s < sizes.length; s++) {
      const ids = batch.ids.slice(batch.offsets[s], batch.offsets[s + 1]);
      const alone = await encode(backend, { ids, offsets: Int32Array.of(0, ids.length) });
      const part = together.slice(batch.offsets[s] * 5, batch.offsets[s + 1] * 5);
      assert.equal(bits(alone), bits(part), `sequence ${s}`);
    }
  });
}

test("an adapter that has no room, or is another model's, is refused, and the encoder works on", async () => {
  const limited = await WasmBackend.create(baseline, int8, {
    precision: "int8",
    maxTokens: 64,
    maxMemoryBytes: 1 << 20,
  });
  const batch = batchOf(config, [9, 4], 1), before = bits(await encode(limited, batch));
  const fails = (adapter: Adapter, kind: typeof RuntimeError | typeof ModelError, code: string) => {
    try {
      limited.adapt(adapter);
    } catch (error) {
      assert.instance(error, kind);
      assert.is((error as RuntimeError).code, code);
      return;
    }
    assert.unreachable(code);
  };
  fails(adapterOf(config, 1, 2000, 5), RuntimeError, "runtime/memory");
  fails(adapterOf({ ...config, hiddenSize: 32 }, 1, 2, 5), ModelError, "model/mismatch");
  fails(adapterOf({ ...config, layers: 3 }, 1, 2, 5), ModelError, "model/mismatch");
  assert.equal(bits(await encode(limited, batch)), before);
  const small = limited.adapt(two);
  await encode(small, batch);
  small.close();
  assert.equal(bits(await encode(limited, batch)), before);
  limited.close();
  assert.is(limited.memoryBytes, 0);
});

test.run();
