/**
 * Adapters: PEFT's own file, what is written under its names, and what is refused.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ReferenceBackend } from "../../src/backend/reference/reference.ts";
import { NerError } from "../../src/errors.ts";
import { readAdapter, writeAdapter } from "../../src/formats/hf/adapter.ts";
import { bundleFromCheckpoint } from "../../src/formats/hf/checkpoint.ts";
import { readSafetensors } from "../../src/formats/safetensors/read.ts";
import { writeSafetensors } from "../../src/formats/safetensors/write.ts";
import { encode } from "../../src/backend/encoder.ts";
import { ADAPTED, type Adapter, mergeAdapter } from "../../src/model/adapter.ts";
import type { F32Matrix } from "../../src/model/weights.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { configOf, normal, random, randomWeights, relativeL2 } from "../support.ts";

const file = (path: string) => new Uint8Array(readFileSync(new URL(path, import.meta.url)));
const text = (path: string) => new TextDecoder().decode(file(path));

/** Made by tools/fixtures/adapter_reference.py. */
const PEFT = file("fixtures/peft/adapter_model.safetensors");
const CONFIG = text("fixtures/peft/adapter_config.json");

const base = bundleFromCheckpoint({
  model: file("../fixtures/zoo/bert-safetensors/model.safetensors"),
  config: file("../fixtures/zoo/bert-safetensors/config.json"),
  tokenizer: file("../fixtures/zoo/bert-safetensors/tokenizer.json"),
});
const { labels } = base.weights.config;

function refused(action: () => unknown, code: string, message: RegExp): void {
  try {
    action();
  } catch (error) {
    assert.instance(error, NerError);
    assert.is((error as NerError).code, code);
    assert.match((error as Error).message, message);
    return;
  }
  assert.unreachable(`expected ${code}`);
}

test("an adapter of PEFT's, merged, answers as PEFT does", async () => {
  const adapter = readAdapter(PEFT, { config: CONFIG, labels });
  assert.equal(
    adapter.parts.map(({ layer, map }) => `${layer} ${map}`),
    ["0 query", "0 value", "0 up", "1 query", "1 value", "1 up"],
  );
  const { ids, emissions } = JSON.parse(text("fixtures/peft/expected.json"));
  const batch = { ids: Int32Array.from(ids), offsets: Int32Array.of(0, ids.length) };
  const merged = mergeAdapter(base.weights, adapter);
  const got = await encode(new ReferenceBackend(merged, 64), batch);
  // Both in float32, some twenty roundings deep.
  assert.ok(relativeL2(got, Float32Array.from(emissions)) < 2e-6);
});

const config = configOf({ hiddenSize: 8, feedForwardSize: 12 });
const weights = randomWeights(config, 1);

function adapterOf(parts: Partial<Adapter> = {}): Adapter {
  const next = random(2);
  const matrix = (rows: number, columns: number): F32Matrix => ({
    type: "f32",
    rows,
    columns,
    data: normal(next, rows * columns, 1),
  });
  const inputs = (map: string) => map === "down" ? 12 : 8,
    outputs = (map: string) => map === "up" ? 12 : 8;
  return {
    rank: 2,
    alpha: 3,
    labels: ["O", "B-X", "I-X", "B-Y", "I-Y"],
    parts: [0, 1].flatMap((layer) =>
      ADAPTED.map((map) => ({ layer, map, a: matrix(2, inputs(map)), b: matrix(outputs(map), 2) }))
    ),
    classifier: { weight: matrix(5, 8), bias: normal(next, 5, 1) },
    crf: { start: normal(next, 5, 1), end: normal(next, 5, 1), transitions: normal(next, 25, 1) },
    ...parts,
  };
}

test("what is written is read again, whatever the architecture, from the bytes alone", () => {
  for (const own of [config, configOf({ hiddenSize: 8, embeddingSize: 4 })]) {
    for (const adapter of [adapterOf(), adapterOf({ crf: undefined })]) {
      const files = writeAdapter(adapter, own);
      assert.equal([...files.keys()].sort(), ["adapter_config.json", "adapter_model.safetensors"]);
      assert.equal(readAdapter(files.get("adapter_model.safetensors")!), adapter);
    }
  }
});

test("merging adds scale B A to the rows of its map and to no others", () => {
  const adapter = adapterOf(),
    [part] = adapter.parts.filter(({ map, layer }) => map === "key" && layer === 1);
  const merged = mergeAdapter(weights, { ...adapter, parts: [part!] });
  assert.equal(merged.layers[0], weights.layers[0]);
  const before = weights.layers[1]!.qkv.weight.data, after = merged.layers[1]!.qkv.weight.data;
  for (let row = 0; row < 24; row++) {
    for (let c = 0; c < 8; c++) {
      let sum = 0;
      for (let r = 0; r < 2; r++) {
        sum += part!.b.data[(row - 8) * 2 + r]! * part!.a.data[r * 8 + c]!;
      }
      const at = row * 8 + c, own = row >= 8 && row < 16 ? before[at]! + 1.5 * sum : before[at]!;
      assert.is(after[at], Math.fround(own));
    }
  }
  assert.equal(merged.config.labels, adapter.labels);
  refused(() => mergeAdapter(quantizeEncoder(weights).weights, adapter), "model/dtype", /float32/);
});

test("an adapter of another model is refused", () => {
  const wider = randomWeights(configOf({ hiddenSize: 16, feedForwardSize: 12 }), 1);
  refused(
    () => mergeAdapter(wider, adapterOf()),
    "model/mismatch",
    /layer 0, query, A is \[2,8\].*needs \[2,16\]/,
  );
  const one = randomWeights(configOf({ hiddenSize: 8, feedForwardSize: 12, layers: 1 }), 1);
  refused(
    () => mergeAdapter(one, adapterOf()),
    "model/mismatch",
    /a part for layer 1, and the model has 1/,
  );
});

test("what changes the result and is not computed is refused", () => {
  const changed = (fields: object) => () =>
    readAdapter(PEFT, { labels, config: JSON.stringify({ ...JSON.parse(CONFIG), ...fields }) });
  refused(changed({ use_dora: true }), "config/unsupported", /use_dora is true; only false/);
  refused(changed({ peft_type: "IA3" }), "config/unsupported", /peft_type is "IA3"/);
  refused(changed({ bias: "all" }), "config/unsupported", /bias is "all"/);
  refused(changed({ rank_pattern: { query: 4 } }), "config/unsupported", /rank_pattern/);
  refused(changed({ r: 3 }), "adapter/tensor", /lora_A.weight" is \[2,12\], expected \[3,12\]/);
  refused(changed({ r: 0 }), "adapter/config", /r is 0/);
  refused(
    () => readAdapter(PEFT, { labels }),
    "adapter/config",
    /hand in its adapter_config\.json/,
  );
  refused(
    () => readAdapter(PEFT, { config: CONFIG }),
    "adapter/config",
    /does not name its labels/,
  );
  refused(
    () => readAdapter(PEFT, { config: CONFIG, labels: ["O"] }),
    "adapter/tensor",
    /classifier\.weight/,
  );
});

test("a tensor that is missing or has no place is refused", () => {
  const { tensors } = readSafetensors(PEFT),
    query = "base_model.model.bert.encoder.layer.0.attention.self.query";
  const read = (
    edit: (
      map: Map<
        string,
        (typeof tensors) extends ReadonlyMap<string, infer T> ? T : never
      >,
    ) => void,
  ) =>
  () => {
    const copy = new Map(tensors);
    edit(copy);
    return readAdapter(writeSafetensors(copy), { config: CONFIG, labels });
  };
  refused(
    read((map) => map.delete(`${query}.lora_B.weight`)),
    "adapter/tensor",
    /lora_B\.weight" is missing/,
  );
  const any = tensors.get(`${query}.lora_A.weight`)!;
  refused(
    read((map) => map.set("base_model.model.bert.pooler.dense.lora_A.weight", any)),
    "adapter/tensor",
    /changes "bert\.pooler\.dense", which is not known/,
  );
  refused(
    read((map) => map.set(`${query}.lora_magnitude_vector`, any)),
    "adapter/tensor",
    /not known/,
  );
});

test.run();
