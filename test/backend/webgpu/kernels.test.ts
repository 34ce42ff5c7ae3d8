/**
 * Each kernel by itself: operations against the reference backend's on random shapes, bytes against the WASM kernels'.
 *
 * Tolerances, relative L2 of one operation on inputs that are equal to the last bits: float32 1e-5, as for the WASM kernels
 * (test/backend/encoder.test.ts); half precision 5e-3, roundings of 2^-11 of each factor and of the sums of 16, through one
 * layer, where there are enough values for them to be told from one that cancels. Quantized bytes, scales, zero points
 * and sums have none.
 */
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Backend } from "../../../src/backend/backend.ts";
import { ReferenceBackend } from "../../../src/backend/reference/reference.ts";
import { toHalf } from "../../../src/backend/webgpu/half.ts";
import { padded } from "../../../src/backend/webgpu/layout.ts";
import { attentionTiles, cutGrid } from "../../../src/backend/webgpu/steps.ts";
import { uploadLinear } from "../../../src/backend/webgpu/upload.ts";
import type { WebGpuBackend } from "../../../src/backend/webgpu/webgpu.ts";
import { ACTIVATION_NAMES } from "../../../src/model/activations.ts";
import { float16ToNumber } from "../../../src/formats/floats.ts";
import { ACTIVATION_NONE } from "../../../src/kernels/contract.ts";
import { engines, FREE } from "../../kernels/engine.ts";
import { compute, KINDS, product } from "../../kernels/int8.ts";
import {
  batchOf,
  bits,
  configOf,
  normal,
  random,
  randomWeights,
  relativeL2,
} from "../../support.ts";
import { backendOf, device, gpuTest, precisions } from "./device.ts";
import { INT8_PRODUCTS, newMachine, productOn, quantizeOn, read } from "./kernel.ts";

const MAX = 160;

/** Columns whose products of bytes, 255 times 127 at most, add up to what a float32 holds exactly: 2^24. */
const MOST_EXACT = 518;

test("halves are the nearest ones, ties to even", () => {
  for (let bits = 0; bits < 0x7c00; bits++) {
    const here = float16ToNumber(bits), next = float16ToNumber(bits + 1);
    assert.is(toHalf(here), bits);
    assert.is(toHalf(-here), bits | 0x8000);
    if (bits === 0x7bff) break;
    const middle = (here + next) / 2;
    assert.is(toHalf(middle), bits + bits % 2);
    assert.is(toHalf(middle * (1 - 2 ** -23)), bits);
    assert.is(toHalf(middle * (1 + 2 ** -23)), bits + 1);
  }
  assert.equal([65519, 65520, 1e30, Infinity, -Infinity].map(toHalf), [
    0x7bff,
    0x7c00,
    0x7c00,
    0x7c00,
    0xfc00,
  ]);
  assert.is(toHalf(NaN) & 0x7e00, 0x7e00);
});

test("grids are cut into dispatches that cover every row once", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300_000 }),
      fc.constantFrom(1, 16, 64),
      fc.integer({ min: 1, max: 1000 }),
      fc.integer({ min: 1, max: 100_000_000 }),
      (count, block, work, most) => {
        const groups = (blocks: number) => [blocks, 1, 1] as const;
        let row = 0;
        for (const each of cutGrid({ count, block, work, groups }, most)) {
          assert.is(each.first, row);
          assert.ok(each.end > row && each.groups[0] === Math.ceil((each.end - row) / block));
          assert.ok(each.groups[0] <= 65_535 && (each.work <= most || each.groups[0] === 1));
          row = each.end;
        }
        assert.is(row, count);
      },
    ),
  );
  assert.equal([...attentionTiles(Int32Array.of(0, 33, 34))], [
    0,
    33,
    0,
    0,
    0,
    33,
    32,
    0,
    33,
    1,
    0,
    0,
  ]);
});

const shape = fc.record({
  headSize: fc.integer({ min: 1, max: 20 }),
  heads: fc.integer({ min: 1, max: 5 }),
  feedForwardSize: fc.integer({ min: 1, max: 150 }),
  embeddingSize: fc.integer({ min: 2, max: 150 }),
  labels: fc.integer({ min: 1, max: 20 }),
  activation: fc.constantFrom(...ACTIVATION_NAMES),
  features: fc.constantFrom(1, 25),
}).filter(({ headSize, heads }) => headSize * heads > 1).map(({ headSize, labels, ...rest }) =>
  configOf({
    ...rest,
    layers: 1,
    hiddenSize: headSize * rest.heads,
    embeddingProjection: true,
    labels: Array.from({ length: labels }, (_, i) => `L${i}`),
  })
);
const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 });

/** Reads a tensor of both after the same operation, and compares. */
async function agree(
  what: string,
  [gpu, reference]: readonly [WebGpuBackend, ReferenceBackend],
  name: keyof Backend["workspace"],
  limit = 1e-5,
): Promise<void> {
  const got = await gpu.read(gpu.workspace[name]);
  const want = await reference.read(reference.workspace[name] as never);
  const distance = relativeL2(got, want);
  const near = got.every((value, i) => Math.abs(value - want[i]) <= 1e-6);
  assert.is(got.length, want.length);
  if (limit > 1e-5 && (want.length < 30 || gpu.config.hiddenSize < 8)) return;
  assert.ok(near || distance <= limit, `${what}: relative L2 ${distance}`);
}

for (const precision of precisions.filter((each) => each !== "int8")) {
  const limit = precision === "f16" ? 5e-3 : 1e-5;

  gpuTest(`${precision}: every operation agrees with the reference on random shapes`, async () => {
    await fc.assert(
      fc.asyncProperty(shape, lengths, fc.integer(), async (config, sizes, seed) => {
        const weights = randomWeights(config, seed), batch = batchOf(config, sizes, seed + 1);
        const gpu = await backendOf(weights, { precision, maxTokens: MAX });
        const both = [gpu, new ReferenceBackend(weights, MAX)] as const;
        // deno-lint-ignore no-explicit-any -- each backend is given its own tensors
        const on = (act: (backend: any, tensors: any) => void) =>
          both.forEach((backend) => act(backend, backend.workspace));
        on((backend) => backend.begin(batch));
        on((backend, { embedded }) => backend.embed(embedded));
        await agree("embed", both, "embedded");
        on((backend, { embedded }) => backend.addFeatures(embedded, backend.features.input));
        await agree("addFeatures", both, "embedded");
        on((backend, { embedded, hidden }) =>
          backend.linear(embedded, backend.embeddingProjection, hidden)
        );
        await agree("linear", both, "hidden", limit);
        on((backend, { hidden, qkv }) => backend.linear(hidden, backend.layers[0].qkv, qkv));
        on((backend, { qkv, context }) => backend.attention(qkv, context));
        await agree("attention", both, "context", limit);
        on((backend, { context, update }) =>
          backend.linear(context, backend.layers[0].attentionOutput, update)
        );
        on((backend, { hidden, update }) =>
          backend.addNorm(hidden, update, backend.layers[0].attentionNorm)
        );
        await agree("addNorm", both, "hidden", limit);
        on((backend, { hidden, inner }) => backend.linear(hidden, backend.layers[0].up, inner));
        on((backend, { inner }) => backend.activate(inner, config.activation));
        await agree("activate in a product", both, "inner", limit);
        on((backend, { inner }) => backend.activate(inner, config.activation));
        await agree("activate", both, "inner", limit);
        on((backend, { hidden, emissions }) =>
          backend.linear(hidden, backend.classifier, emissions)
        );
        on((backend, { emissions }) => backend.addFeatures(emissions, backend.features.window));
        await agree("addFeatures of three tokens", both, "emissions", limit);
        gpu.close();
        assert.is(gpu.memoryBytes, 0);
      }),
      { numRuns: precision === "f16" ? 6 : 10 },
    );
  });
}

/** Rows that are hard to round: of all magnitudes, of one sign, constant, with ties, with numbers that are not finite. */
function hardRows(width: number): readonly (readonly number[])[] {
  const next = random(5),
    row = (of: (i: number) => number) => Array.from({ length: width }, (_, i) => of(i));
  return [
    ...[1e-30, 1e-6, 1, 1000, 1e30].flatMap((size) => [
      row(() => (next() - 0.5) * size),
      row(() => next() * size),
      row(() => (next() - 0.9) * size),
    ]),
    // Steps of exactly one, halfway between two integers; zero points 0 to 7.
    ...Array.from(
      { length: 8 },
      (_, z) => row((i) => i === 0 ? 255 - z : i === 1 ? -z : ((i * 37) % 510) / 2 - z),
    ),
    row(() => 0),
    row(() => 3.7),
    row(() => -2.2),
    row(() => 1e-38),
    row((i) => i % 2 ? 3e38 : -3e38),
    row((i) => i === 3 ? NaN : i),
    row((i) => i === 5 ? Infinity : i),
    row((i) => i === 6 ? -Infinity : i),
  ];
}

for (const [levels, width] of [[255, 16], [255, 272], [181, 80]] as const) {
  gpuTest(`rows of ${width} become the WASM kernels' bytes, of ${levels} levels`, async () => {
    const rows = hardRows(width), m = rows.length, x = Float32Array.from(rows.flat());
    const machine = newMachine();
    const quantized = await quantizeOn(machine, machine.memory.of(x), [m, width], levels);
    const got = new Uint8Array(await read(machine, quantized.bytes, m * width));
    const words = new Uint32Array(await read(machine, quantized.rows, m * 8));
    machine.release();
    const scales = new Float32Array(words.buffer), zeros = new Int32Array(words.buffer);

    // The family whose activations are one byte each; of one row at a time, they lie in order.
    const { run: runKernel, memory } = engines.find(({ name }) => /relaxed, unsigned/.test(name))!;
    const packed = FREE + 4 * width, rowParams = packed + width;
    rows.forEach((row, i) => {
      new Float32Array(memory.buffer).set(row, FREE >> 2);
      runKernel("quantize", 1, {
        x: FREE,
        stride: 4 * width,
        m: 1,
        k: width,
        packed,
        rowParams,
        levels,
        chunkRows: 1,
        activation: ACTIVATION_NONE,
        update: 0,
        n: 0,
        gamma: 0,
        beta: 0,
        epsilon: 0,
      });
      const [scale] = new Float32Array(memory.buffer, rowParams, 1);
      const [zero] = new Int32Array(memory.buffer, rowParams + 4, 1);
      assert.ok(Object.is(scales[2 * i], scale), `scale of row ${i}: ${scales[2 * i]}, ${scale}`);
      // What is not finite has no integers that count.
      if (Number.isNaN(scale)) return;
      assert.is(zeros[2 * i + 1] + 128, zero, `zero point of row ${i}`);
      const want = new Uint8Array(memory.buffer, packed, width);
      const own = got.subarray(i * width, (i + 1) * width).map((byte) => byte ^ 0x80);
      assert.equal(own, want.slice(), `bytes of row ${i}`);
    });
  });
}

gpuTest("int8 sums are exact, in either form, with a tile's tails", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 80 }),
      fc.integer({ min: 1, max: 150 }),
      fc.integer(),
      async (m, n, k, seed) => {
        const next = random(seed), pitch = Math.ceil(k / 16) * 16, wide = Math.ceil(n / 16) * 16;
        const data = Int8Array.from({ length: n * k }, () => Math.floor(next() * 255) - 127);
        const x = Int8Array.from({ length: m * pitch }, () => Math.floor(next() * 256) - 128);
        const zeros = Int32Array.from({ length: m }, () => Math.floor(next() * 256) - 128);
        const machine = newMachine(), { memory } = machine;
        // Scales of 1 and biases of 0: what is written is the sum.
        const { parts: [part] } = uploadLinear(memory, "int8", {
          weight: { type: "i8", rows: n, columns: k, data, scales: new Float32Array(n).fill(1) },
          bias: new Float32Array(n),
        });
        const one = new Uint32Array(Float32Array.of(1).buffer)[0];
        const rows = memory.of(
          Uint32Array.from({ length: 2 * m }, (_, i) => i % 2 ? zeros[i >> 1] : one),
        );
        const operands = [memory.of(x), part.weights, part.columns, rows];
        for (const name of INT8_PRODUCTS) {
          const got = await productOn(machine, name, operands, { m, n: wide, k: pitch });
          for (let i = 0; i < m; i++) {
            for (let j = 0; j < n; j++) {
              let sum = 0;
              for (let c = 0; c < k; c++) sum += (x[i * pitch + c] - zeros[i]) * data[j * k + c];
              assert.is(got[i * wide + j], sum, `${name} ${m}x${n}x${k}, row ${i}, column ${j}`);
            }
          }
        }
        machine.release();
      },
    ),
    { numRuns: 8 },
  );
});

gpuTest("a sum of the longest row of the largest numbers is exact", async () => {
  const k = 66_000, machine = newMachine(), { memory } = machine;
  const x = memory.of(new Int8Array(k).fill(127)), want = 255 * -127 * k;
  // What leaves through the zero point is all of it, so that every bit is seen: a float32 has no room for them.
  for (const [left, rest] of [[want, 0], [want - 1, 1], [want + 3, -3]] as const) {
    const data = new Int8Array(k).fill(-127);
    const { parts: [part] } = uploadLinear(memory, "int8", {
      weight: { type: "i8", rows: 1, columns: k, data, scales: Float32Array.of(1) },
      bias: new Float32Array(1),
    });
    const columns = new Int32Array(12 * 16), one = new Int32Array(Float32Array.of(1).buffer)[0];
    columns[0] = one;
    columns[8] = left - 128 * -127 * k;
    const operands = [x, part.weights, memory.of(new Uint8Array(columns.buffer))];
    operands.push(memory.of(Uint32Array.of(one, 1)));
    for (const name of INT8_PRODUCTS) {
      const [got] = await productOn(machine, name, operands, { m: 1, n: 16, k });
      assert.is(got, rest, name);
    }
  }
  machine.release();
});

gpuTest("quantizer and product give the WASM kernels' integers, whichever family's", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 80 }),
      fc.integer({ min: 2, max: MOST_EXACT }),
      fc.constantFrom(...KINDS),
      fc.constantFrom(127, 181, 204, 255, undefined),
      fc.integer(),
      async (m, n, k, kind, budget, seed) => {
        const given = product(m, n, k, seed, kind, budget), { w, levels } = given;
        // Rows of integers as wide as there are levels, and scales of 1: what is written is the sum.
        const next = random(seed), extreme = kind === "extreme weights";
        for (let i = 0; i < m; i++) {
          const zero = Math.floor(next() * (levels + 1));
          for (let c = 0; c < k; c++) {
            const q = c < 2 ? c * levels : extreme ? Math.round(next()) * levels : next() * levels;
            given.x[i * k + c] = Math.round(q) - zero;
          }
        }
        const p = { ...given, scales: new Float32Array(n).fill(1), bias: new Float32Array(n) };
        const machine = newMachine(), { memory } = machine;
        const pitch = padded(k), wide = padded(n), x = new Float32Array(m * pitch);
        for (let i = 0; i < m; i++) x.set(p.x.subarray(i * k, (i + 1) * k), i * pitch);
        const { bytes, rows } = await quantizeOn(machine, memory.of(x), [m, pitch], levels);
        const weight = { type: "i8" as const, rows: n, columns: k, data: w, scales: p.scales };
        const { parts: [part] } = uploadLinear(memory, "int8", { weight, bias: p.bias });
        const operands = [bytes, part.weights, part.columns, rows];
        const families = engines.filter(({ lanes }) => !lanes || budget !== undefined);
        for (const name of INT8_PRODUCTS) {
          const sums = await productOn(machine, name, operands, { m, n: wide, k: pitch });
          const got = new Float32Array(m * n);
          for (let i = 0; i < m; i++) got.set(sums.subarray(i * wide, i * wide + n), i * n);
          assert.ok(got.every(Number.isInteger));
          for (const family of families) {
            const message = `${name} and ${family.name}, ${m}x${n}x${k}, ${kind}, ${levels} levels`;
            assert.equal(got, compute(family, p), message);
          }
        }
        machine.release();
      },
    ),
    { numRuns: 12 },
  );
});

for (const precision of precisions.filter((each) => each !== "int8")) {
  gpuTest(
    `${precision}: large tiles and small ones give the same bits, and the product`,
    async () => {
      const sizes = [[1, 1, 1], [64, 64, 16], [65, 66, 40], [130, 70, 100], [
        16,
        200,
        130,
      ]] as const;
      for (const [m, n, k] of sizes) {
        const next = random(m), pitch = Math.ceil(k / 16) * 16, wide = Math.ceil(n / 16) * 16;
        const weight = { type: "f32" as const, rows: n, columns: k, data: normal(next, n * k, 1) };
        const bias = normal(next, n, 1), x = new Float32Array(m * pitch);
        for (let i = 0; i < m; i++) x.set(normal(next, k, 1), i * pitch);
        const machine = newMachine(), { memory } = machine;
        const { parts: [part] } = uploadLinear(memory, precision, { weight, bias });
        const operands = [memory.of(x), part.weights, part.columns], results: Float32Array[] = [];
        for (const tile of ["", "_few"] as const) {
          const name = `product_${precision as "f32" | "f16"}${tile}` as const;
          results.push(await productOn(machine, name, operands, { m, n: wide, k: pitch }));
        }
        machine.release();
        assert.equal(bits(results[1]), bits(results[0]), `${m}x${n}x${k}`);
        const want = new Float32Array(m * wide);
        for (let i = 0; i < m; i++) {
          for (let j = 0; j < n; j++) {
            let sum = bias[j];
            for (let c = 0; c < k; c++) sum += x[i * pitch + c] * weight.data[j * k + c];
            want[i * wide + j] = sum;
          }
        }
        const distance = relativeL2(results[0], want);
        assert.ok(distance <= (precision === "f16" ? 5e-3 : 1e-5), `${m}x${n}x${k}: ${distance}`);
      }
    },
  );
}

gpuTest("attention of 1 to 2048 tokens, in memory that grows with them", async () => {
  const lengthsOf = [[16, [1, 2, 31, 32, 33, 257, 2048]], [72, [1, 47]], [130, [1, 33]]] as const;
  for (const [headSize, lengths] of lengthsOf) {
    // Of one token, it is a matrix of weights.
    let weightBytes = 0;
    for (const length of lengths) {
      const config = configOf({
        hiddenSize: headSize,
        heads: 1,
        layers: 1,
        feedForwardSize: 16,
        maxPositions: 2048,
      });
      const weights = randomWeights(config, length), batch = batchOf(config, [length], 1);
      const { createBuffer } = device;
      let largest = 0;
      device.createBuffer = (descriptor) => {
        largest = Math.max(largest, descriptor.size);
        return createBuffer.call(device, descriptor);
      };
      const gpu = await backendOf(weights, { maxTokens: length });
      const reference = new ReferenceBackend(weights, length);
      for (const backend of [gpu, reference] as Backend[]) {
        const { hidden, qkv, context } = backend.workspace;
        backend.begin(batch);
        backend.embed(hidden);
        backend.linear(hidden, backend.layers[0].qkv, qkv);
        backend.attention(qkv, context);
      }
      await agree(`attention of ${length}`, [gpu, reference], "context");
      gpu.close();
      Reflect.deleteProperty(device, "createBuffer");
      if (length === 1) weightBytes = largest;
      // Query, key and value of each token, in padded heads.
      const linear = length * 3 * Math.ceil(headSize / 16) * 16 * 4;
      console.log(`S = ${length}, head ${headSize}: largest buffer ${largest} bytes`);
      assert.ok(largest <= Math.max(linear, weightBytes), `${length}: ${largest} bytes`);
    }
  }
});

test.run();
