/** A package as a stream: the same model, whatever the pieces; errors let the source go. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { NerError } from "../../src/errors.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { collectModel, streamPackage } from "../../src/formats/package/stream.ts";
import { readSafetensors } from "../../src/formats/safetensors/read.ts";
import { writeSafetensors } from "../../src/formats/safetensors/write.ts";
import { Ner, type NerOptions } from "../../mod.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { LAYER_LINEARS, linearsOf } from "../../src/model/linears.ts";
import type { LayerWeights } from "../../src/model/weights.ts";
import { unchecked } from "../formats/helpers.ts";
import { bits, randomWeights, shipped } from "../support.ts";

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
const packages = {
  int8: writePackage({ ...exported, weights: quantizeEncoder(exported.weights).weights }),
  int4: writePackage({
    ...exported,
    weights: quantizeEncoder(exported.weights, { embeddings: "int4" }).weights,
  }),
  f32: writePackage(exported),
};
const kernels = [await shipped("baseline")];
const TEXT = "রক্তচাপ বেশি থাকলে ডাক্তারের পরামর্শ নিন, Metformin 500mg twice a day.";

/** A stream of a package in pieces, which counts how often it was let go. */
function source(
  bytes: Uint8Array,
  pieces: readonly number[],
  size = bytes.length,
): { size: number; chunks: AsyncGenerator<Uint8Array>; closed: () => number } {
  let closed = 0;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const length = Math.max(0, pieces[i % pieces.length]);
        yield bytes.slice(at, at + length);
        await Promise.resolve();
        at += length;
      }
    } finally {
      closed++;
    }
  }
  return { size, chunks: chunks(), closed: () => closed };
}

test("in any pieces, with any backend: the model that the bytes give", async () => {
  for (const bytes of Object.values(packages)) {
    for (const backend of ["int8", "fp32", "reference"] as const) {
      const options = { kernels, backend };
      const want = (await (await Ner.fromBytes(bytes, options)).emissions(TEXT)).data;
      for (const pieces of [[1 << 20], [4096], [1, 0, 777, 13]]) {
        const stream = source(bytes, pieces);
        const got = (await (await Ner.fromStream(stream, options)).emissions(TEXT)).data;
        assert.equal(bits(got), bits(want));
        assert.is(stream.closed(), 1);
      }
    }
  }
});

test("an int8 package that keeps one linear layer in float32 streams as its bytes load", async () => {
  const head = { size: 12, activation: "tanh" } as const;
  const sizes = { embeddingSize: 16, layers: 2, typeVocabSize: 0, head };
  const float = randomWeights({ ...exported.weights.config, ...sizes }, 5);
  const { weights } = quantizeEncoder(float);
  const layers = (name: (typeof LAYER_LINEARS)[number]): LayerWeights[] =>
    weights.layers.map((layer, i) => i === 1 ? { ...layer, [name]: float.layers[i][name] } : layer);
  const { embeddingProjection, headDense, classifier } = float;
  const mixed = [
    { ...weights, embeddingProjection },
    { ...weights, headDense },
    { ...weights, classifier },
    ...LAYER_LINEARS.map((name) => ({ ...weights, layers: layers(name) })),
  ];
  assert.is(mixed.length, linearsOf(weights).length - sizes.layers * 4 + 4);
  for (const weights of mixed) {
    const bytes = writePackage({ ...exported, weights });
    const want = (await (await Ner.fromBytes(bytes, { kernels })).emissions(TEXT)).data;
    const ner = await Ner.fromStream(source(bytes, [4096]), { kernels });
    assert.equal(bits((await ner.emissions(TEXT)).data), bits(want));
  }
});

test("collected, a stream is the bundle that the bytes give", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.values(packages)),
      fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 5 }),
      async (bytes, pieces) => {
        const bundle = await collectModel(await streamPackage(source(bytes, pieces)));
        assert.equal(writePackage(bundle), bytes);
      },
    ),
    { numRuns: 20 },
  );
});

async function failure(
  bytes: Uint8Array,
  options: NerOptions = {},
  size?: number,
): Promise<{ code: string; closed: number }> {
  const stream = source(bytes, [5000], size);
  try {
    await Ner.fromStream(stream, { ...options, kernels });
  } catch (error) {
    assert.instance(error, NerError, String(error));
    return { code: (error as NerError).code, closed: stream.closed() };
  }
  throw new Error("it was accepted");
}

test("a damaged or mislabelled stream is a typed error, and the source is let go", async () => {
  const { int8 } = packages;
  for (const length of [0, 7, 8, 100, 5000, 20_000, int8.length - 1]) {
    const cut = int8.slice(0, length);
    // Cut, and honest or not about its size.
    for (const size of [cut.length, int8.length]) {
      const { code, closed } = await failure(cut, {}, size);
      assert.is(code, "safetensors/truncated", `${length} of ${size} bytes`);
      assert.is(closed, 1);
    }
  }
  assert.is((await failure(Uint8Array.of(...int8, 0))).code, "safetensors/layout");
  assert.is((await failure(file("crf.safetensors"))).code, "package/format");
  const damaged = int8.slice();
  damaged[damaged.length - 1] = 0x80; // -128, in the last matrix
  assert.equal(await failure(damaged), { code: "package/checksum", closed: 1 });
  const { tensors, metadata } = readSafetensors(damaged);
  const wrong = writeSafetensors(tensors, unchecked(metadata));
  assert.equal(await failure(wrong), { code: "model/weights", closed: 1 });
  // Before the first byte is asked for: a generator that was never begun has nothing to end.
  assert.equal(await failure(int8, { maxTokens: 1 }), { code: "input/option", closed: 0 });
  const odd = {
    size: 10,
    chunks: (async function* () {
      yield await Promise.resolve("bytes" as unknown as Uint8Array);
    })(),
  };
  try {
    await Ner.fromStream(odd, { kernels });
    assert.unreachable();
  } catch (error) {
    assert.is((error as NerError).code, "input/bytes", String(error));
    assert.match(String(error), /a chunk of the stream is "bytes"; expected a Uint8Array/);
  }
});

test("bytes whose number nobody states are read to their end, and no further than the tensors", async () => {
  for (const bytes of Object.values(packages)) {
    const { chunks } = source(bytes, [5000]);
    const bundle = await collectModel(await streamPackage({ chunks }));
    assert.equal(writePackage(bundle), bytes);
    const cut = bytes.slice(0, -1), more = new Uint8Array(bytes.length + 1);
    more.set(bytes);
    for (const [wrong, code] of [[cut, "truncated"], [more, "layout"]] as const) {
      try {
        const { chunks } = source(wrong, [5000]);
        await collectModel(await streamPackage({ chunks }));
        assert.unreachable();
      } catch (error) {
        assert.is((error as NerError).code, `safetensors/${code}`);
      }
    }
  }
});

test("a header that claims more than there is gets no memory", async () => {
  const bytes = packages.int8.slice(0, 64);
  new DataView(bytes.buffer).setUint32(0, 90_000_000, true);
  assert.is((await failure(bytes)).code, "safetensors/truncated");
});

test("an error of the source passes through", async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield packages.int8.slice(0, 30_000);
    await Promise.resolve();
    throw new Error("the line is cut");
  }
  try {
    await Ner.fromStream({ size: packages.int8.length, chunks: broken() }, { kernels });
    assert.unreachable("it was accepted");
  } catch (error) {
    assert.is((error as Error).message, "the line is cut");
  }
});

test.run();
