/**
 * Checkpoints as they are written: read back bit for bit, under the names that PyTorch's files have.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { ModelConfig } from "../../src/model/config.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import { bundleFromCheckpoint, type CheckpointFiles } from "../../src/formats/hf/checkpoint.ts";
import { writeCheckpoint } from "../../src/formats/hf/write_checkpoint.ts";
import { readSafetensors } from "../../src/formats/safetensors/read.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { tokenizerFromVocab } from "../../src/tokenizer/load.ts";
import { configOf, randomWeights } from "../support.ts";

const tokenizer = tokenizerFromVocab("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\n");

function bundleOf(parts: Partial<ModelConfig>, seed = 1): ModelBundle {
  const sizes = { hiddenSize: 16, feedForwardSize: 24, layerNormEpsilon: Math.fround(1e-12) };
  const weights = randomWeights(configOf({ ...sizes, ...parts }), seed);
  const values = (size: number) => Float32Array.from({ length: size }, (_, i) => i / 7 - 1);
  return { weights, crf: { start: values(3), end: values(3), transitions: values(9) }, tokenizer };
}

function read(files: ReadonlyMap<string, Uint8Array>): ModelBundle {
  const roles: CheckpointFiles = {
    model: files.get("model.safetensors")!,
    config: files.get("config.json")!,
    tokenizer: files.get("tokenizer.json"),
    crf: files.get("crf.safetensors"),
  };
  return bundleFromCheckpoint(roles);
}

const modelType = (files: ReadonlyMap<string, Uint8Array>): string =>
  JSON.parse(new TextDecoder().decode(files.get("config.json"))).model_type;

const FORMS: readonly (readonly [string, Partial<ModelConfig>])[] = [
  ["bert", {}],
  ["bert", { activation: "gelu_tanh", layerNormEpsilon: Math.fround(1e-5) }],
  ["electra", { embeddingSize: 8 }],
  ["albert", { embeddingProjection: true }],
  ["bert", { head: { size: 9, activation: "tanh" } }],
  ["electra", { embeddingSize: 8, head: { size: 16, activation: "gelu_tanh" } }],
];

for (const [architecture, parts] of FORMS) {
  test(`read back bit for bit: ${architecture} ${JSON.stringify(parts)}`, () => {
    const bundle = bundleOf(parts);
    const files = writeCheckpoint(bundle);
    assert.is(modelType(files), architecture);
    const again = read(files);
    assert.equal(again.weights, bundle.weights);
    assert.equal(again.crf, bundle.crf);
    assert.equal(again.tokenizer.toJSON(), tokenizer.toJSON());
    assert.equal(writeCheckpoint(again), files);
  });
}

test("a model without token types gets one of zeros; quantized weights are expanded", () => {
  const bundle = bundleOf({ typeVocabSize: 0 });
  const again = read(writeCheckpoint(bundle));
  assert.equal(again.weights.typeEmbedding!.data, new Float32Array(16));
  const packed = quantizeEncoder(bundle.weights).weights;
  const expanded = read(writeCheckpoint({ ...bundle, weights: packed })).weights;
  assert.equal(quantizeEncoder(expanded).weights.layers, packed.layers);
});

test("transformers' own file has the same tensors, of the same shapes", () => {
  for (const name of ["bert-safetensors", "electra-safetensors"]) {
    const folder = new URL(`../fixtures/zoo/${name}/`, import.meta.url);
    const file = (part: string) => new Uint8Array(readFileSync(new URL(part, folder)));
    const bundle = bundleFromCheckpoint({
      model: file("model.safetensors"),
      config: file("config.json"),
      tokenizer: file("tokenizer.json"),
    });
    const ours = readSafetensors(writeCheckpoint(bundle).get("model.safetensors")!).tensors;
    const theirs = readSafetensors(file("model.safetensors")).tensors;
    assert.equal(
      [...ours].map(([key, { shape }]) => [key, shape]).sort(),
      [...theirs].map(([key, { shape }]) => [key, shape]).sort(),
      name,
    );
    for (const [key, { data }] of ours) assert.equal(data, theirs.get(key)!.data, key);
  }
});

test.run();
