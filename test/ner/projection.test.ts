/**
 * A projection behind embeddings that are as wide as the hidden state (ALBERT, RemBERT): it is a role of its
 * own, and no path may lose it because two sizes are equal.
 *
 * The measure is the reference backend over the weights as they were made. Without the projection the relative
 * L2 is above 0.5 here; with it, fp32 keeps 1e-5 (order of sums) and int8 0.05 (random weights).
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Ner } from "../../mod.ts";
import { collectModel, streamPackage } from "../../src/formats/package/stream.ts";
import { readPackage } from "../../src/formats/package/read.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { readSafetensors } from "../../src/formats/safetensors/read.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { writeExport } from "../../src/formats/write_export.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { tokenizerFromJson } from "../../src/tokenizer/load.ts";
import { throwsCode } from "../formats/helpers.ts";
import { configOf, randomWeights, relativeL2, shipped } from "../support.ts";

const json = readFileSync(new URL("../fixtures/tiny-torchscript/tokenizer.json", import.meta.url));
const tokenizer = tokenizerFromJson(json.toString());
const kernels = [await shipped("baseline")];
const TEXTS = ["জ্বর হলে প্যারাসিটামল নিন।", "Metformin 500mg twice a day."];

function modelOf(embeddingProjection: boolean | undefined): ModelBundle {
  const config = configOf({
    hiddenSize: 48,
    embeddingSize: 48,
    heads: 4,
    vocabSize: tokenizer.vocabSize,
    maxPositions: 64,
    embeddingProjection,
  });
  return { weights: randomWeights(config, 11), crf: undefined, tokenizer };
}

async function emissions(
  bundle: ModelBundle,
  backend: "reference" | "fp32" | "int8",
): Promise<Float32Array> {
  const ner = await Ner.fromBundle(bundle, { backend, kernels });
  const all: number[] = [];
  for (const text of TEXTS) all.push(...(await ner.emissions(text)).data);
  ner.close();
  return Float32Array.from(all);
}

const bundle = modelOf(true);
const want = await emissions(bundle, "reference");

async function same(got: ModelBundle, what: string): Promise<void> {
  assert.ok(got.weights.embeddingProjection, what);
  const fp32 = relativeL2(await emissions(got, "fp32"), want);
  assert.ok(fp32 <= 1e-5, `${what}: fp32 ${fp32}`);
  const int8 = relativeL2(await emissions(got, "int8"), want);
  assert.ok(int8 <= 0.05, `${what}: int8 ${int8}`);
}

/** A file in pieces of 1000 bytes. */
async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) {
    yield await Promise.resolve(bytes.subarray(at, at + 1000));
  }
}

test("a projection shows in the emissions", async () => {
  const { embeddingProjection: _, ...weights } = bundle.weights;
  const config = { ...weights.config, embeddingProjection: undefined };
  const without = { ...bundle, weights: { ...weights, config, embeddingProjection: undefined } };
  assert.ok(relativeL2(await emissions(without, "fp32"), want) > 0.5);
});

test("every backend applies it", () => same(bundle, "as it was made"));

test("a package keeps it, read whole or as it arrives, in float32 and int8", async () => {
  const bytes = writePackage(bundle);
  await same(readPackage(bytes), "package");
  const chunks = (): { size: number; chunks: AsyncGenerator<Uint8Array> } => ({
    size: bytes.length,
    chunks: pieces(bytes),
  });
  await same(await collectModel(await streamPackage(chunks())), "stream");
  const int8 = writePackage({ ...bundle, weights: quantizeEncoder(bundle.weights).weights });
  const read = await emissions(readPackage(int8), "int8");
  assert.ok(relativeL2(read, want) <= 0.05, `int8 package: ${relativeL2(read, want)}`);
  const ner = await Ner.fromStream({ size: int8.length, chunks: pieces(int8) }, { kernels });
  const { data } = await ner.emissions(TEXTS[0]!);
  ner.close();
  assert.equal(data, read.subarray(0, data.length));
});

test("an export back to ONNX keeps it, and says so in config.json", async () => {
  for (const dtype of ["f32", "int8"] as const) {
    const files = writeExport(bundle, { dtype });
    const model = files.get("model.onnx")!, config = files.get("config.json")!;
    const read = bundleFromExport({ model, config, tokenizer: files.get("tokenizer.json")! });
    assert.is(read.weights.config.embeddingProjection, true);
    if (dtype === "f32") await same(read, "export");
    else {
      const got = relativeL2(await emissions(read, "int8"), want);
      assert.ok(got <= 0.05, `int8 export: ${got}`);
    }
  }
});

test("packages say it only where the sizes do not: those of before are written as ever", () => {
  const configIn = (model: ModelBundle): Record<string, unknown> =>
    JSON.parse(readSafetensors(writePackage(model)).metadata.get("config")!);
  assert.is(configIn(bundle)["embeddingProjection"], true);
  assert.not("embeddingProjection" in configIn(modelOf(undefined)));
  // A package of before, whose sizes are equal, has no projection, and none is asked for.
  const old = readPackage(writePackage(modelOf(undefined)));
  assert.is(old.weights.embeddingProjection, undefined);
  assert.is(old.weights.config.embeddingProjection, undefined);
});

test("weights and configuration that contradict each other are refused, not cut to fit", () => {
  const config = { ...bundle.weights.config, embeddingProjection: undefined };
  const odd: ModelBundle = { ...bundle, weights: { ...bundle.weights, config } };
  throwsCode(() => writePackage(odd), "model/weights", /an embedding projection/);
  throwsCode(() => quantizeEncoder(odd.weights), "model/weights", /an embedding projection/);
  const { embeddingProjection: _, ...lacking } = bundle.weights;
  const without = { ...lacking, embeddingProjection: undefined };
  throwsCode(() => writePackage({ ...bundle, weights: without }), "model/weights", /projection/);
  const narrow = configOf({ hiddenSize: 48, embeddingSize: 20, embeddingProjection: false });
  throwsCode(
    () => writePackage({ ...bundle, weights: { ...bundle.weights, config: narrow } }),
    "model/config",
    /need a projection/,
  );
});

test.run();
