/**
 * `ner.withAdapter`: what a user relies on, on the tiny exported model and on PEFT's own file.
 *
 * The measure is the merged model, which `convert --adapter` packs. In float32 both differ by the order of sums: 1e-5
 * relative L2. In int8 the merged matrix is rounded and the adapter beside the rounded base is not, so each stays within
 * int8's distance of the merged model in float32: 0.05 on these random weights.
 */
import { readFile } from "node:fs/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Ner, type Recogniser } from "../../mod.ts";
import { NerError } from "../../src/errors.ts";
import { readAdapter, writeAdapter } from "../../src/formats/hf/adapter.ts";
import { bundleFromCheckpoint } from "../../src/formats/hf/checkpoint.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { readSafetensors } from "../../src/formats/safetensors/read.ts";
import { writeSafetensors } from "../../src/formats/safetensors/write.ts";
import { ADAPTED, type Adapter, mergeAdapter } from "../../src/model/adapter.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { bits, normal, random, relativeL2, shipped } from "../support.ts";

const file = async (path: string): Promise<Uint8Array> =>
  new Uint8Array(await readFile(new URL(`../${path}`, import.meta.url)));
const folder = "fixtures/tiny-torchscript";
const base = bundleFromExport({
  model: await file(`${folder}/model.onnx`),
  config: await file(`${folder}/config.json`),
  tokenizer: await file(`${folder}/tokenizer.json`),
  crf: await file(`${folder}/crf.safetensors`),
});
const { config } = base.weights;
const kernels = [await shipped("baseline")];
const TEXTS = [
  "পেটে ব্যথা হলে ওষুধ খাওয়ার আগে ডাক্তারকে জানান, 50 mg নয়।",
  "Metformin 500mg twice a day with food.",
  "😀 ডাক্তার\u200d \u200cকিডনি\nলিভার\t হৃদরোগ",
];

function adapterOf(seed: number, rank: number, labels: readonly string[]): Adapter {
  const next = random(seed), { hiddenSize: h, feedForwardSize: f, layers } = config;
  const matrix = (rows: number, columns: number) => ({
    type: "f32" as const,
    rows,
    columns,
    data: normal(next, rows * columns, 0.5 / Math.sqrt(columns)),
  });
  const parts = Array.from({ length: layers }, (_, layer) =>
    ADAPTED.map((map) => ({
      layer,
      map,
      a: matrix(rank, map === "down" ? f : h),
      b: matrix(map === "up" ? f : h, rank),
    }))).flat();
  const n = labels.length;
  const crf = {
    start: normal(next, n, 1),
    end: normal(next, n, 1),
    transitions: normal(next, n * n, 1),
  };
  const classifier = { weight: matrix(n, h), bias: normal(next, n, 1) };
  return { rank, alpha: 2 * rank, parts, labels, classifier, crf };
}

const bytesOf = (adapter: Adapter): Uint8Array =>
  writeAdapter(adapter, config).get("adapter_model.safetensors")!;
const FOOD = adapterOf(1, 4, ["O", "B-FOOD", "I-FOOD"]);
const TOOL = adapterOf(2, 7, ["O", "B-TOOL", "I-TOOL", "B-AMOUNT", "I-AMOUNT"]);

/** The model that `convert --adapter` makes. */
function merged(adapter: Adapter): ModelBundle {
  return { ...base, weights: mergeAdapter(base.weights, adapter), crf: adapter.crf };
}

async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    assert.instance(error, NerError);
    return (error as NerError).code;
  }
  return "none";
}

async function emissions(ner: Recogniser): Promise<Float32Array> {
  const parts = await ner.emissionsBatch(TEXTS);
  return Float32Array.from(parts.flatMap(({ data }) => [...data]));
}

for (const [backend, limit] of [["fp32", 1e-5], ["int8", 0.05], ["reference", 1e-6]] as const) {
  test(`${backend}: an adapter beside the model answers as the merged model does`, async () => {
    const ner = await Ner.fromBundle(base, { backend, kernels });
    for (const adapter of [FOOD, TOOL]) {
      const beside = await ner.withAdapter(bytesOf(adapter));
      const alone = await Ner.fromBundle(merged(adapter), { backend: "fp32", kernels });
      const distance = relativeL2(await emissions(beside), await emissions(alone));
      assert.ok(distance <= limit, `relative L2 ${distance}`);
      const { labels, types, crf } = beside.info();
      assert.equal([labels, types, crf], [alone.info().labels, alone.info().types, true]);
      assert.equal((await beside.emissions(TEXTS[0])).labels, adapter.labels);
      const places = (found: Awaited<ReturnType<Ner["extract"]>>) =>
        found.map(({ type, start, end }) => [type, start, end]);
      if (backend === "int8") continue;
      for (const text of TEXTS) {
        assert.equal(places(await beside.extract(text)), places(await alone.extract(text)));
      }
    }
  });
}

test("many adapters share one encoder, their calls overlap, and each is closed by itself", async () => {
  const ner = await Ner.fromBundle(base, { kernels }), before = ner.info().memoryBytes;
  const food = await ner.withAdapter(bytesOf(FOOD)), tool = await food.withAdapter(bytesOf(TOOL));
  const wanted = new Map<Recogniser, Float32Array>();
  for (const one of [ner, food, tool]) wanted.set(one, await emissions(one));
  const calls = Array.from({ length: 12 }, (_, i) => [ner, food, tool][i * 7 % 3]);
  const results = await Promise.all(calls.map((one) => emissions(one)));
  calls.forEach((one, i) => assert.equal(bits(results[i]), bits(wanted.get(one)!), `call ${i}`));

  // Weights that come while passes of others are under way, and take memory that has yet to grow.
  const long = TEXTS.join(" ").repeat(60), wantLong = bits((await ner.emissions(long)).data);
  const under = ner.emissions(long),
    large = await ner.withAdapter(bytesOf(adapterOf(3, 60, FOOD.labels)));
  assert.equal(bits((await under).data), wantLong);
  large.close();

  const { memoryBytes, adapterBytes } = food.info();
  assert.is(ner.info().adapterBytes, undefined);
  // One place for whichever is in use, and an array each; the model's matrices are there once.
  const largest = large.info().adapterBytes!;
  assert.ok(
    memoryBytes - before < 2 * largest + adapterBytes! + 4 * 65536,
    `${before} to ${memoryBytes}`,
  );
  ner.close();
  assert.is(await codeOf(() => ner.extract("x")), "input/closed");
  assert.is(await codeOf(() => ner.withAdapter(bytesOf(FOOD))), "input/closed");
  assert.equal(bits(await emissions(food)), bits(wanted.get(food)!));
  food.close();
  food.close();
  assert.is(await codeOf(() => food.extract("x")), "input/closed");
  const again = await tool.withAdapter(bytesOf(FOOD));
  assert.equal(bits(await emissions(again)), bits(wanted.get(food)!));
  assert.equal(bits(await emissions(tool)), bits(wanted.get(tool)!));
  tool.close();
  again.close();
});

test("a call that is under way ends when its recogniser is closed, and no other does", async () => {
  const ner = await Ner.fromBundle(base, { kernels, maxTokens: 16 });
  const food = await ner.withAdapter(bytesOf(FOOD)), long = TEXTS.join(" ").repeat(20);
  const want = bits((await ner.emissions(long)).data);
  const ended = codeOf(() => food.emissions(long)), other = ner.emissions(long);
  food.close();
  assert.is(await ended, "input/closed");
  assert.equal(bits((await other).data), want);
  const closing = codeOf(() => ner.withAdapter(bytesOf(TOOL)));
  ner.close();
  assert.is(await closing, "input/closed");
});

test("PEFT's own file has the model's labels and its CRF, unless others are named", async () => {
  const zoo = "fixtures/zoo/bert-safetensors";
  const [model, configJson, tokenizer] = await Promise.all(
    ["model.safetensors", "config.json", "tokenizer.json"].map((name) => file(`${zoo}/${name}`)),
  );
  const bundle = bundleFromCheckpoint({ model, config: configJson, tokenizer });
  const ner = await Ner.fromBundle(bundle, { backend: "fp32", kernels });
  const bytes = await file("formats/fixtures/peft/adapter_model.safetensors");
  const peft = new TextDecoder().decode(await file("formats/fixtures/peft/adapter_config.json"));
  assert.is(await codeOf(() => ner.withAdapter(bytes)), "adapter/config");
  const { labels } = ner.info(), beside = await ner.withAdapter(bytes, { config: peft });
  assert.equal(beside.info().labels, labels);
  const other = labels.map((_, i) => i === 0 ? "O" : `B-X${i}`);
  const named = await ner.withAdapter(bytes, { config: peft, labels: other });
  assert.equal(named.info().labels, other);
  assert.equal(bits(await emissions(named)), bits(await emissions(beside)));
  ner.close();
});

test("what is no adapter of this model is refused by name, and all goes on", async () => {
  const ner = await Ner.fromBundle(base, { kernels }), before = bits(await emissions(ner));
  const food = await ner.withAdapter(bytesOf(FOOD)), own = bits(await emissions(food));
  const bytes = bytesOf(FOOD), { tensors, metadata } = readSafetensors(bytes);
  const edited = (
    edit: (
      map: Map<string, typeof tensors extends ReadonlyMap<string, infer T> ? T : never>,
    ) => void,
  ) => {
    const copy = new Map(tensors);
    edit(copy);
    return writeSafetensors(copy, Object.fromEntries(metadata));
  };
  const described = (fields: object) =>
    writeSafetensors(new Map(tensors), {
      ...Object.fromEntries(metadata),
      adapter_config: JSON.stringify({ ...JSON.parse(metadata.get("adapter_config")!), ...fields }),
    });
  const query = "base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight";
  assert.ok(tensors.has(query));
  const broken = tensors.get(query)!, holed = { ...broken, data: broken.data.slice() };
  new DataView(holed.data.buffer).setFloat32(8, NaN, true);
  const wider = { ...config, hiddenSize: config.hiddenSize * 2 };
  const foreign = (own: typeof config): Uint8Array => {
    const { parts, ...rest } = FOOD,
      resized = parts.map((part) => ({
        ...part,
        a: {
          ...part.a,
          columns: part.a.columns * own.hiddenSize / config.hiddenSize,
          data: new Float32Array(part.a.rows * part.a.columns * own.hiddenSize / config.hiddenSize),
        },
      }));
    return bytesOf({ ...rest, parts: resized });
  };
  const deeper = { ...FOOD, parts: FOOD.parts.map((part) => ({ ...part, layer: part.layer + 7 })) };
  const cases: readonly (readonly [unknown, string])[] = [
    ["adapter.safetensors", "input/bytes"],
    [new Uint8Array(3), "safetensors/truncated"],
    [bytes.subarray(0, bytes.length - 1), "safetensors/truncated"],
    [described({ r: 0 }), "adapter/config"],
    [described({ r: 5 }), "adapter/tensor"],
    [described({ use_dora: true }), "config/unsupported"],
    [edited((map) => map.set(query, holed)), "model/weights"],
    [edited((map) => map.delete(query.replace("_A", "_B"))), "adapter/tensor"],
    [edited((map) => map.set(query.replace("query", "gate"), broken)), "adapter/tensor"],
    [
      edited((map) => {
        for (const [name, tensor] of tensors) {
          map.set(name.replace("model.bert.", "model.roberta."), tensor);
        }
      }),
      "adapter/tensor",
    ],
    [foreign(wider), "model/mismatch"],
    [bytesOf(deeper), "model/mismatch"],
  ];
  for (const [given, code] of cases) {
    assert.is(await codeOf(() => ner.withAdapter(given as Uint8Array)), code);
    assert.is(await codeOf(() => food.withAdapter(given as Uint8Array)), code);
  }
  assert.equal(bits(await emissions(food)), own);
  assert.equal(bits(await emissions(ner)), before);
  const small = await Ner.fromBundle(base, {
    kernels,
    maxMemoryBytes: ner.info().memoryBytes - 65536,
  });
  assert.is(
    await codeOf(() => small.withAdapter(bytesOf(adapterOf(3, 900, ["O", "B-X"])))),
    "runtime/memory",
  );
  assert.equal(bits(await emissions(small)), before);
});

test("an int8 package and an adapter give what the model that was packed does", async () => {
  const weights = quantizeEncoder(base.weights).weights;
  const packed = await Ner.fromBundle({ ...base, weights }, { kernels });
  const float = await Ner.fromBundle(base, { kernels });
  const read = readAdapter(bytesOf(TOOL));
  assert.equal(read, TOOL);
  const a = await packed.withAdapter(bytesOf(TOOL)), b = await float.withAdapter(bytesOf(TOOL));
  assert.equal(bits(await emissions(a)), bits(await emissions(b)));
});

test("that a model's entities are whole words says nothing of an adapter's", async () => {
  const ner = await Ner.fromBundle({ ...base, wholeWords: true }, { kernels });
  const beside = await ner.withAdapter(bytesOf(FOOD));
  assert.equal([ner.info().wholeWords, beside.info().wholeWords], [true, false]);
  beside.close();
  ner.close();
});

test.run();
