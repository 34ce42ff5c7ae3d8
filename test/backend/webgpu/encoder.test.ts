/**
 * The whole encoder on a GPU, and what becomes of it when something fails.
 *
 * Tolerances, relative L2 against onnxruntime-web's float32: f32 1e-5 (sums of a few hundred terms, as in
 * test/backend/encoder.test.ts); f16 5e-3 (2^-11 a rounding, some ten a layer). int8 is as far from float32 as the WASM
 * kernels' int8, within a tenth: the same integers, but attention, which is int8 there and float32 here.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ortWeb } from "../../../bench/ort.ts";
import type { PackedBatch } from "../../../src/backend/backend.ts";
import { encode } from "../../../src/backend/encoder.ts";
import { ReferenceBackend } from "../../../src/backend/reference/reference.ts";
import { WasmBackend } from "../../../src/backend/wasm/wasm.ts";
import { deviceDescriptor, Gpu } from "../../../src/backend/webgpu/device.ts";
import { NerError } from "../../../src/errors.ts";
import { encoderToOnnx } from "../../../src/formats/onnx/write_encoder.ts";
import { chooseKernels } from "../../../src/kernels/module.ts";
import { mergeAdapter } from "../../../src/model/adapter.ts";
import type { EncoderWeights } from "../../../src/model/weights.ts";
import { withoutFeatures } from "../../../src/model/without_lexicons.ts";
import { quantizeEncoder } from "../../../src/quantize/encoder.ts";
import {
  batchOf,
  bits,
  configOf,
  normal,
  random,
  randomWeights,
  relativeL2,
  shipped,
} from "../../support.ts";
import { backendOf, device, emissionsOn, gpuTest, newDevice, precisions } from "./device.ts";

const config = configOf({
  hiddenSize: 48,
  heads: 4,
  feedForwardSize: 80,
  maxPositions: 64,
  features: 7,
});
const float = randomWeights(config, 7), int8 = quantizeEncoder(float).weights;
const weightsFor = (precision: string) => precision === "int8" ? int8 : float;

async function fails(code: string, act: () => Promise<unknown> | unknown): Promise<string> {
  try {
    await act();
  } catch (error) {
    assert.instance(error, NerError, String(error));
    assert.is((error as NerError).code, code, String(error));
    return (error as NerError).message;
  }
  return assert.unreachable(code) as never;
}

test("what to ask an adapter for is never more than it has", () => {
  const limits = { maxStorageBufferBindingSize: 1 << 27, maxBufferSize: 1 << 28 };
  const of = (...features: string[]) =>
    deviceDescriptor({ limits, features: new Set(features) } as unknown as GPUAdapter);
  assert.equal(of(), { requiredLimits: limits, requiredFeatures: [] });
  assert.equal(of("subgroups", "shader-f16").requiredFeatures, ["shader-f16"]);
});

test("what an error scope holds is a typed error, and a lost device is told of first", async () => {
  const errors: Partial<Record<GPUErrorFilter, string>> = {}, open: GPUErrorFilter[] = [];
  const { promise: lost, resolve: lose } = Promise.withResolvers<GPUDeviceLostInfo>();
  const gpu = new Gpu({
    lost,
    pushErrorScope: (filter: GPUErrorFilter) => void open.push(filter),
    popErrorScope: () => {
      const message = errors[open.pop()!];
      return Promise.resolve(message === undefined ? null : { message });
    },
  } as unknown as GPUDevice);
  assert.is(await gpu.guarded("a test", () => 7), 7);
  errors["out-of-memory"] = "no room";
  assert.match(await fails("runtime/memory", () => gpu.guarded("a test", () => 7)), /no room/);
  delete errors["out-of-memory"];
  for (const filter of ["validation", "internal"] as const) {
    errors[filter] = "is wrong";
    assert.match(
      await fails("runtime/gpu", () => gpu.guarded("a test", () => 7)),
      /^a test: .*wrong/,
    );
    delete errors[filter];
  }
  errors.validation = "is lost";
  const run = gpu.guarded("a test", () => 7);
  setTimeout(() => lose({ reason: "unknown", message: "reset" } as never), 5);
  assert.match(await fails("runtime/gpu-lost", () => run), /lost \(reset\)/);
  await fails("runtime/gpu-lost", () => gpu.guarded("a test", () => 7));
  assert.equal(open, []);
});

/** Emissions of each sequence by onnxruntime-web in float32, packed as the batch is. */
async function byOrt(
  weights: EncoderWeights,
  { ids, offsets }: PackedBatch,
): Promise<Float32Array> {
  const session = await (await ortWeb(1)).open(encoderToOnnx(weights));
  const all: number[] = [];
  for (let s = 1; s < offsets.length; s++) {
    const own = ids.slice(offsets[s - 1], offsets[s]);
    all.push(
      ...await session.run(session.input({ ids: own, offsets: Int32Array.of(0, own.length) })),
    );
  }
  await session.close();
  return Float32Array.from(all);
}

gpuTest("whole models agree with onnxruntime-web in float32", async () => {
  const kernels = await chooseKernels([await shipped("baseline")]);
  for (const hiddenSize of [64, 192]) {
    const config = configOf({ hiddenSize, heads: 4, feedForwardSize: 4 * hiddenSize, layers: 4 });
    const weights = randomWeights(config, 11), quantized = quantizeEncoder(weights).weights;
    const batch = batchOf(config, [1, 5, 33, 64, 17], 12), want = await byOrt(weights, batch);
    const wasm = await WasmBackend.create(kernels, quantized, {
      precision: "int8",
      maxTokens: 160,
    });
    const bound = relativeL2(await encode(wasm, batch), want);
    wasm.close();
    for (const precision of precisions) {
      const own = precision === "int8" ? quantized : weights;
      const got = await emissionsOn(await backendOf(own, { precision }), batch);
      const distance = relativeL2(got, want);
      const limit = precision === "f32" ? 1e-5 : precision === "f16" ? 5e-3 : 1.1 * bound;
      console.log(
        `hidden ${hiddenSize}, ${precision}: ${distance.toExponential(2)}` +
          (precision === "int8" ? `; WASM int8 ${bound.toExponential(2)}` : ""),
      );
      assert.ok(distance <= limit, `${precision}: relative L2 ${distance}, allowed ${limit}`);
    }
  }
});

for (const precision of precisions) {
  gpuTest(
    `${precision}: a sequence alone, in any batch and in many submissions gives the same bits`,
    async () => {
      const sizes = [5, 1, 17, 64, 6, 2, 33], batch = batchOf(config, sizes, 3);
      const weights = weightsFor(precision), labels = config.labels.length;
      const backend = await backendOf(weights, { precision });
      const together = await encode(backend, batch);
      for (let s = 0; s < sizes.length; s++) {
        const [from, to] = [batch.offsets[s], batch.offsets[s + 1]];
        const ids = batch.ids.slice(from, to), offsets = Int32Array.of(0, ids.length);
        const features = batch.features!.slice(7 * from, 7 * to);
        const alone = await encode(backend, { ids, offsets, features });
        assert.equal(
          bits(alone),
          bits(together.slice(from * labels, to * labels)),
          `sequence ${s}`,
        );
      }
      backend.close();

      let pauses = 0;
      const cut = await backendOf(weights, { precision, submissionWork: 100_000 });
      const inPieces = await encode(cut, batch, () => (pauses++, undefined));
      assert.ok(pauses > 10, `${pauses} pauses`);
      assert.equal(bits(inPieces), bits(together));
      // A pause that ends the run leaves a backend that works.
      try {
        await encode(cut, batch, () => Promise.reject(new Error("enough")));
        assert.unreachable();
      } catch (error) {
        assert.is((error as Error).message, "enough");
      }
      assert.equal(bits(await encode(cut, batch)), bits(together));
      cut.close();
    },
  );

  gpuTest(`${precision}: runs that overlap take turns, and each gives its own`, async () => {
    const backend = await backendOf(weightsFor(precision), { precision });
    const batches = [[3, 9], [40], [1, 1, 1]].map((sizes, i) => batchOf(config, sizes, i));
    const alone: Float32Array[] = [];
    for (const batch of batches) alone.push(await encode(backend, batch));
    const together = await Promise.all(batches.map((batch) => encode(backend, batch)));
    together.forEach((got, i) => assert.equal(bits(got), bits(alone[i])));
    backend.close();
  });
}

/** The shared device, but for what is other. */
function deviceWith(others: Record<string, unknown>): GPUDevice {
  return new Proxy(device, {
    get(target, name): unknown {
      if (typeof name === "string" && name in others) return others[name];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** The device with bindings of so many bytes at most, and how many buffers it was asked for. */
function narrowDevice(most: number): { device: GPUDevice; made(): number } {
  let made = 0;
  const narrow = deviceWith({
    limits: { maxBufferSize: most, maxStorageBufferBindingSize: most },
    createBuffer: (descriptor: GPUBufferDescriptor) => {
      assert.ok(descriptor.size <= most, `a buffer of ${descriptor.size} bytes`);
      made++;
      return device.createBuffer(descriptor);
    },
  });
  return { device: narrow, made: () => made };
}

gpuTest("tables that are larger than a binding may be are split", async () => {
  const config = configOf({ hiddenSize: 64, vocabSize: 1200, feedForwardSize: 80 });
  const weights = randomWeights(config, 3), batch = batchOf(config, [9, 30], 4);
  const want = await encode(new ReferenceBackend(weights, 64), batch);
  for (const embeddings of [undefined, "int8", "int4"] as const) {
    const quantized = embeddings && quantizeEncoder(weights, { embeddings }).weights;
    const own = quantized ? { ...weights, wordEmbedding: quantized.wordEmbedding } : weights;
    const small = narrowDevice(32_000).device;
    const oracle = quantized ? await encode(new ReferenceBackend(own, 64), batch) : want;
    const got = await emissionsOn(await backendOf(own, { device: small, maxTokens: 40 }), batch);
    assert.ok(relativeL2(got, oracle) <= 1e-5, `relative L2 ${relativeL2(got, oracle)}`);
    assert.match(
      await fails("runtime/memory", () => backendOf(own, { device: small, maxTokens: 160 })),
      /a buffer of \d+ bytes is needed/,
    );
  }
});

gpuTest("so are matrices of every precision, to the same bits", async () => {
  const config = configOf({ hiddenSize: 128, heads: 2, feedForwardSize: 200, vocabSize: 60 });
  const float = randomWeights(config, 3), batch = batchOf(config, [9, 3], 4);
  for (const precision of precisions) {
    const own = precision === "int8" ? quantizeEncoder(float).weights : float;
    // Of 128 columns, a panel of weights has this many bytes; nothing else here has more.
    const panel = 64 * 128 * { f32: 4, f16: 2, int8: 1 }[precision];
    const wide = narrowDevice(1 << 27), narrow = narrowDevice(Math.max(2 * panel, 32_000));
    const got: Uint32Array[] = [];
    for (const { device } of [wide, narrow]) {
      got.push(
        bits(
          await emissionsOn(await backendOf(own, { device, precision, maxTokens: 12 }), batch),
        ),
      );
    }
    assert.equal(got[1], got[0], precision);
    assert.ok(narrow.made() > wide.made(), `${precision}: nothing was split`);
  }
});

gpuTest("an adapter beside the encoder gives what the merged model gives", async () => {
  const weights = withoutFeatures(float), { config: plain } = weights, next = random(9);
  const batch = batchOf(plain, [20, 7], 3);
  const matrix = (rows: number, columns: number) => ({
    type: "f32" as const,
    rows,
    columns,
    data: normal(next, rows * columns, 1 / Math.sqrt(columns)),
  });
  const adapter = {
    rank: 5,
    alpha: 7,
    parts: (["query", "value", "attentionOutput", "up", "down"] as const).map((map) => ({
      layer: 1,
      map,
      a: matrix(5, map === "down" ? 80 : 48),
      b: matrix(map === "up" ? 80 : 48, 5),
    })),
    labels: ["X", "Y", "Z", "W", "V"],
    classifier: { weight: matrix(5, 48), bias: normal(next, 5, 0.1) },
    crf: undefined,
  };
  const want = await encode(new ReferenceBackend(mergeAdapter(weights, adapter), 64), batch);
  const base = await backendOf(weights),
    before = base.memoryBytes,
    without = await encode(base, batch);
  const adapted = base.adapt(adapter), other = adapted.share();
  assert.ok(adapted.adapterBytes! > 0 && base.memoryBytes >= before + adapted.adapterBytes!);
  assert.ok(relativeL2(await encode(adapted, batch), want) <= 1e-5);
  adapted.close();
  assert.ok(relativeL2(await encode(other, batch), want) <= 1e-5);
  other.close();
  assert.equal(bits(await encode(base, batch)), bits(without));
  base.close();
  await fails("input/closed", () => encode(base, batch));
  assert.is(base.memoryBytes, 0);
});

gpuTest("memory is bounded, and given back", async () => {
  let released = 0;
  const backend = await backendOf(float, { released: () => released++ }), { memoryBytes } = backend;
  const exact = await backendOf(float, { maxMemoryBytes: memoryBytes });
  await encode(exact, batchOf(config, [60, 60, 40], 1));
  assert.is(exact.memoryBytes, memoryBytes);
  exact.close();
  await fails("runtime/memory", () => backendOf(float, { maxMemoryBytes: memoryBytes - 1 }));
  const shared = backend.share();
  backend.close();
  backend.close();
  assert.is(released, 0);
  const run = encode(shared, batchOf(config, [20], 1));
  shared.close();
  await fails("input/closed", () => run);
  assert.is(released, 1);
  assert.is(shared.memoryBytes, 0);
});

gpuTest("all buffers are counted, and none is left behind", async () => {
  for (const precision of precisions) {
    const live = new Set<GPUBuffer>();
    const watched = deviceWith({
      createBuffer: (descriptor: GPUBufferDescriptor) => {
        const buffer = device.createBuffer(descriptor), { destroy } = buffer;
        buffer.destroy = () => {
          live.delete(buffer);
          destroy.call(buffer);
          return undefined;
        };
        live.add(buffer);
        return buffer;
      },
    });
    const bytes = () => [...live].reduce((sum, { size }) => sum + size, 0);
    const backend = await backendOf(weightsFor(precision), { device: watched, precision });
    assert.is(backend.memoryBytes, bytes());
    await encode(backend, batchOf(config, [60, 60, 40], 1));
    assert.is(backend.memoryBytes, bytes());
    const running = encode(backend, batchOf(config, [20], 1));
    backend.close();
    await fails("input/closed", () => running);
    assert.is(live.size, 0, `${precision}: ${live.size} buffers are left`);
  }
});

gpuTest(
  "a device that has no more memory is told of, and works when it has some again",
  async () => {
    const batch = batchOf(config, [33, 12], 1), open: GPUErrorFilter[] = [];
    let full = false;
    const small = deviceWith({
      pushErrorScope: (filter: GPUErrorFilter) => {
        open.push(filter);
        device.pushErrorScope(filter);
      },
      popErrorScope: async () => {
        const filter = open.pop(), error = await device.popErrorScope();
        return full && filter === "out-of-memory" ? { message: "there is no memory" } : error;
      },
    });
    const backend = await backendOf(float, { device: small }), want = await encode(backend, batch);
    full = true;
    assert.match(
      await fails("runtime/memory", () => backendOf(float, { device: small })),
      /^loading a model: .*no memory/,
    );
    assert.match(
      await fails("runtime/memory", () => encode(backend, batch)),
      /^a run: .*no memory/,
    );
    full = false;
    assert.equal(bits(await encode(backend, batch)), bits(want));
    backend.close();
    assert.equal(open, []);
  },
);

gpuTest(
  "a device that is destroyed, before a run or in it, is told of; a new one works",
  async () => {
    const batch = batchOf(config, [33, 12], 1),
      want = await emissionsOn(await backendOf(float), batch);
    for (const when of ["before", "in"] as const) {
      const own = await newDevice(), backend = await backendOf(float, { device: own });
      assert.equal(bits(await encode(backend, batch)), bits(want));
      if (when === "before") {
        own.destroy();
        await own.lost;
      }
      const run = (async () => await encode(backend, batch))();
      if (when === "in") own.destroy();
      assert.match(await fails("runtime/gpu-lost", () => run), /new one/);
      await fails("runtime/gpu-lost", () => encode(backend, batch));
      await fails("runtime/gpu-lost", () => backendOf(float, { device: own }));
      backend.close();
      assert.is(backend.memoryBytes, 0);
    }
  },
);

gpuTest("what a device refuses is a typed error", async () => {
  const own = await newDevice(), { createShaderModule } = own;
  own.createShaderModule = ({ code, ...rest }) =>
    createShaderModule.call(own, { ...rest, code: code.replace("fn main", "fn other") });
  assert.match(await fails("runtime/gpu", () => backendOf(float, { device: own })), /^compiling /);
  own.destroy();
  await fails("model/dtype", () => backendOf(float, { precision: "int8" }));
  if (!precisions.includes("f16")) {
    await fails("runtime/gpu", () => backendOf(float, { precision: "f16" }));
  }
});

test.run();
