/**
 * `edge-ner export`: what it writes is read back bit for bit, and onnxruntime-web computes the same from it.
 *
 * @module
 */
import fc from "fast-check";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  bundleFromExport,
  decodeSpans,
  loadBundle,
  Ner,
  NerError,
  quantizeEncoder,
  writeExport,
} from "../../mod.ts";
import type { EncoderWeights, ModelBundle, ModelConfig } from "../../mod.ts";
import { loadOrt } from "../../src/cli/ort.ts";
import { replaceFolder } from "../../src/cli/replace.ts";
import { SENTENCES } from "../../src/cli/sentences.ts";
import { ACTIVATION_NAMES } from "../../src/model/activations.ts";
import { visitWeights } from "../../src/model/roles.ts";
import { encoderToOnnx } from "../../src/formats/onnx/write_encoder.ts";
import { dequantizeMatrix } from "../../src/quantize/matrix.ts";
import { bits, configOf, normal, random, randomWeights, relativeL2 } from "../support.ts";
import { cli, fixture, scratch } from "./run.ts";
import type { Run } from "./run.ts";

const TINY = fixture("tiny-torchscript");
const path = scratch();
const { tokenizer } = await loadBundle(TINY);
const ort = await loadOrt();

/** A random model under the fixture's tokenizer. */
function modelOf(parts: Partial<ModelConfig>, seed: number, withCrf = true): ModelBundle {
  const config = configOf({ vocabSize: tokenizer.vocabSize, maxPositions: 80, ...parts });
  const labels = config.labels.length, next = random(seed);
  return {
    weights: randomWeights(config, seed),
    crf: withCrf
      ? {
        start: normal(next, labels, 1),
        end: normal(next, labels, 1),
        transitions: normal(next, labels * labels, 1),
      }
      : undefined,
    tokenizer,
  };
}

/** Reads an export's files as a user of the library does. */
function readBack(files: ReadonlyMap<string, Uint8Array>): ModelBundle {
  return bundleFromExport({
    model: files.get("model.onnx")!,
    config: files.get("config.json")!,
    tokenizer: files.get("tokenizer.json")!,
    tokenizerConfig: files.get("tokenizer_config.json")!,
    crf: files.get("crf.safetensors"),
  });
}

/** Every tensor by name, as the float32 values that it stands for. */
function tensorsOf(weights: EncoderWeights): Map<string, Uint32Array> {
  const tensors = new Map<string, Uint32Array>();
  visitWeights(weights.config, {
    matrix(name, _rows, _columns, part) {
      tensors.set(name, bits(dequantizeMatrix(part!).data));
      return part!;
    },
    table(name, _rows, _columns, part) {
      tensors.set(name, bits(part!.data));
      return part!;
    },
    vector(name, _size, part) {
      tensors.set(name, bits(part!));
      return part!;
    },
  }, weights);
  return tensors;
}

/** Logits of onnxruntime-web for texts in one padded batch, without what stands at padding. */
async function ortLogits(
  files: ReadonlyMap<string, Uint8Array>,
  texts: readonly string[],
): Promise<Float32Array[]> {
  const session = await ort.InferenceSession.create(files.get("model.onnx")!, {
    executionProviders: ["wasm"],
  });
  const sequences = texts.map((text) => [
    tokenizer.cls,
    ...tokenizer.encode(text).ids,
    tokenizer.sep,
  ]);
  const width = Math.max(...sequences.map((ids) => ids.length));
  const tensor = (value: (ids: number[], t: number) => number) =>
    new ort.Tensor(
      "int64",
      BigInt64Array.from(
        sequences.flatMap((ids) => Array.from({ length: width }, (_, t) => BigInt(value(ids, t)))),
      ),
      [sequences.length, width],
    );
  const known = {
    // Whatever stands at padding must not matter.
    input_ids: tensor((ids, t) => ids[t] ?? 17),
    attention_mask: tensor((ids, t) => t < ids.length ? 1 : 0),
    token_type_ids: tensor(() => 0),
  };
  const names = session.inputNames as (keyof typeof known)[];
  const { logits } = await session.run(
    Object.fromEntries(names.map((name) => [name, known[name]])),
  );
  await session.release();
  const labels = logits.dims[2];
  assert.equal(logits.dims, [sequences.length, width, labels]);
  return sequences.map((ids, i) =>
    (logits.data as Float32Array)
      .slice((i * width + 1) * labels, (i * width + ids.length - 1) * labels)
  );
}

/** Our emissions of the same texts. */
async function ours(
  bundle: ModelBundle,
  backend: "fp32" | "int8",
  texts: readonly string[],
): Promise<Float32Array[]> {
  const ner = await Ner.fromBundle(bundle, { backend });
  const emissions: Float32Array[] = [];
  for (const text of texts) emissions.push((await ner.emissions(text)).data);
  ner.close();
  return emissions;
}

const MODELS: readonly (readonly [string, Partial<ModelConfig>])[] = [
  ["BERT", { hiddenSize: 48, heads: 4, layers: 3 }],
  ["a projection", { hiddenSize: 48, embeddingSize: 20, heads: 3, activation: "gelu_tanh" }],
  ["a projection of one width", { hiddenSize: 24, embeddingProjection: true, heads: 3 }],
  ["no token types", { hiddenSize: 20, heads: 4, typeVocabSize: 0, layers: 1 }],
  ["a head of two layers", { hiddenSize: 24, heads: 3, head: { size: 10, activation: "tanh" } }],
];
const TEXTS = SENTENCES.slice(1, 4).concat("জ্বর", SENTENCES[9]);

test("float32: what was written is read back bit for bit, whatever the shape", () => {
  const shape = fc.record({
    heads: fc.integer({ min: 1, max: 3 }),
    perHead: fc.integer({ min: 1, max: 6 }),
    embedding: fc.option(fc.integer({ min: 1, max: 20 })),
    feedForwardSize: fc.integer({ min: 1, max: 20 }),
    layers: fc.integer({ min: 1, max: 3 }),
    typeVocabSize: fc.constantFrom(0, 2),
    activation: fc.constantFrom(...ACTIVATION_NAMES),
    head: fc.option(
      fc.record({
        size: fc.integer({ min: 2, max: 20 }),
        activation: fc.constantFrom(...ACTIVATION_NAMES),
      }),
      { nil: undefined },
    ),
    layerNormEpsilon: fc.constantFrom(1e-12, 1e-5),
    crf: fc.boolean(),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(shape, ({ heads, perHead, embedding, head, crf, seed, ...parts }) => {
      const hiddenSize = heads * perHead, embeddingSize = embedding ?? hiddenSize;
      // A matrix of one number cannot be told from a number.
      fc.pre(hiddenSize > 1 && embeddingSize > 1 && parts.feedForwardSize > 1);
      const bundle = modelOf(
        {
          hiddenSize,
          embeddingSize,
          heads,
          ...parts,
          ...(head && { head: { ...head } }),
        } as Partial<
          ModelConfig
        >,
        seed,
        crf,
      );
      const files = writeExport(bundle);
      const read = readBack(files);
      assert.equal(tensorsOf(read.weights), tensorsOf(bundle.weights));
      const { layerNormEpsilon } = bundle.weights.config;
      assert.equal(
        { ...read.weights.config, layerNormEpsilon },
        bundle.weights.config,
      );
      assert.is(Math.fround(read.weights.config.layerNormEpsilon), Math.fround(layerNormEpsilon));
      assert.equal(read.crf, bundle.crf);
      assert.equal(read.tokenizer.toJSON(), tokenizer.toJSON());
      assert.is(files.has("crf.safetensors"), crf);
    }),
    { numRuns: 40 },
  );
});

test("int8: the same integers and scales are read back, whatever the shape", () => {
  const shape = fc.record({
    heads: fc.integer({ min: 1, max: 3 }),
    perHead: fc.integer({ min: 1, max: 6 }),
    embedding: fc.option(fc.integer({ min: 2, max: 20 })),
    feedForwardSize: fc.integer({ min: 2, max: 20 }),
    typeVocabSize: fc.constantFrom(0, 2),
    head: fc.constantFrom(undefined, { size: 7, activation: "tanh" as const }),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(shape, ({ heads, perHead, embedding, seed, ...parts }) => {
      const hiddenSize = heads * perHead, embeddingSize = embedding ?? hiddenSize;
      fc.pre(hiddenSize > 1 && embeddingSize > 1);
      const bundle = modelOf({ hiddenSize, embeddingSize, heads, ...parts }, seed);
      const { weights } = quantizeEncoder(bundle.weights);
      const read = readBack(writeExport(bundle, { dtype: "int8" })).weights;
      assert.is(read.wordEmbedding.type, "i8");
      assert.equal(tensorsOf(quantizeEncoder(read).weights), tensorsOf(weights));
    }),
    { numRuns: 25 },
  );
});

test("quantized weights are written as the float32 numbers that they stand for", () => {
  const bundle = modelOf({ hiddenSize: 36, heads: 3, embeddingSize: 15 }, 5);
  for (const embeddings of ["int8", "int4"] as const) {
    const weights = quantizeEncoder(bundle.weights, { embeddings }).weights;
    const read = readBack(writeExport({ ...bundle, weights }));
    assert.equal(tensorsOf(read.weights), tensorsOf(weights));
  }
});

for (const [name, parts] of MODELS) {
  test(`float32, ${name}: onnxruntime-web gives our emissions, also for a padded batch`, async () => {
    const bundle = modelOf(parts, 11);
    const files = writeExport(bundle);
    const wanted = await ours(bundle, "fp32", TEXTS);
    for (const [i, got] of (await ortLogits(files, TEXTS)).entries()) {
      assert.ok(relativeL2(got, wanted[i]) <= 1e-5, `text ${i}: ${relativeL2(got, wanted[i])}`);
    }
    const [alone] = await ortLogits(files, TEXTS.slice(0, 1));
    assert.ok(relativeL2(alone, wanted[0]) <= 1e-5);
  });
}

for (const embeddings of ["int8", "int4"] as const) {
  test(`int8 with ${embeddings} embeddings: onnxruntime-web comes near our emissions`, async () => {
    for (const [name, parts] of MODELS.slice(0, 2)) {
      const bundle = modelOf({ ...parts, hiddenSize: 192, feedForwardSize: 384 }, 3);
      const quantized = {
        ...bundle,
        weights: quantizeEncoder(bundle.weights, { embeddings }).weights,
      };
      const files = writeExport(quantized, { dtype: "int8" });
      const wanted = await ours(quantized, "int8", TEXTS);
      // One by one: the engine quantizes a batch's activations together.
      for (const [i, text] of TEXTS.entries()) {
        const [got] = await ortLogits(files, [text]);
        const error = relativeL2(got, wanted[i]);
        assert.ok(error <= 0.03, `${name}, text ${i}: ${error}`);
      }
      const floats = writeExport(quantized).get("model.onnx")!.length;
      assert.ok(files.get("model.onnx")!.length < 0.3 * floats, "a quarter of the size");
    }
  });
}

test("a layer that occurs more than once is stored once", () => {
  const bundle = modelOf({ hiddenSize: 36, heads: 3, layers: 4 }, 8);
  const [layer] = bundle.weights.layers;
  const shared = { ...bundle.weights, layers: bundle.weights.layers.map(() => layer) };
  const one = encoderToOnnx({
    ...shared,
    config: { ...shared.config, layers: 1 },
    layers: [layer],
  });
  const four = encoderToOnnx(shared);
  assert.ok(four.length < encoderToOnnx(bundle.weights).length / 1.5);
  assert.ok(four.length - one.length < 20_000, "only nodes are added");
  assert.equal(
    tensorsOf(readBack(writeExport({ ...bundle, weights: shared })).weights),
    tensorsOf(shared),
  );
});

test("2 GB and more are refused before memory is asked for", () => {
  const weights = modelOf({}, 1).weights;
  const wordEmbedding = { ...weights.wordEmbedding, rows: 1 << 24, columns: 32 };
  assert.throws(
    () => encoderToOnnx({ ...weights, wordEmbedding } as EncoderWeights),
    (error: Error) =>
      error instanceof NerError && error.code === "onnx/size" && /2 GB/.test(error.message),
  );
});

async function ok(args: string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(args);
  assert.is(stderr, "");
  assert.is(code, 0);
  return stdout;
}

function refused({ code, stdout, stderr }: Run, message: RegExp): void {
  assert.is(stdout, "");
  assert.match(stderr, /^edge-ner: [^\n]+\n$/);
  assert.match(stderr, message);
  assert.is(code, 2);
}

test("a package is exported: its entities are ours and, decoded, onnxruntime-web's", async () => {
  const [packed, folder] = [path("tiny.safetensors"), path("export")];
  await ok(["convert", TINY, "-o", packed, "--dtype", "f32"]);
  const report = await ok(["export", packed, "-o", folder]);
  assert.match(report, /export: 5 files, \d+ kB; read back/);
  assert.match(report, /model\.onnx +\d/);
  assert.equal(readdirSync(folder).sort(), [
    "config.json",
    "crf.safetensors",
    "model.onnx",
    "tokenizer.json",
    "tokenizer_config.json",
  ]);
  const extract = (model: string): Promise<string> =>
    ok(["extract", "--model", model, "--format", "jsonl", ...TEXTS]);
  assert.is(await extract(folder), await extract(packed));

  const bundle = await loadBundle(packed);
  const ner = await Ner.fromBundle(bundle, { backend: "fp32" });
  const logits = await ortLogits(
    new Map([["model.onnx", new Uint8Array(readFileSync(`${folder}/model.onnx`))]]),
    TEXTS,
  );
  for (const [i, text] of TEXTS.entries()) {
    // As far as the tokens reach: extract widens what would tear a character.
    const spans = (emissions: ArrayLike<number>) =>
      decodeSpans(emissions, bundle.weights.config.labels, bundle.crf);
    assert.equal(spans(logits[i]), spans((await ner.emissions(text)).data));
  }
  ner.close();
});

test("config.json and tokenizer_config.json say what Hugging Face's loaders ask for", () => {
  const files = writeExport(
    modelOf({ hiddenSize: 24, embeddingSize: 10, activation: "gelu_tanh" }, 2),
  );
  const json = (name: string) => JSON.parse(new TextDecoder().decode(files.get(name)));
  const config = json("config.json");
  assert.is(config.model_type, "electra");
  assert.is(config.embedding_size, 10);
  assert.is(config.hidden_act, "gelu_pytorch_tanh");
  assert.equal(config.id2label, { 0: "O", 1: "B-A", 2: "I-A" });
  assert.equal(config.label2id, { O: 0, "B-A": 1, "I-A": 2 });
  const bert = writeExport(modelOf({}, 2));
  const plain = JSON.parse(new TextDecoder().decode(bert.get("config.json")));
  assert.is(plain.model_type, "bert");
  assert.not("embedding_size" in plain);
  assert.equal(json("tokenizer_config.json"), {
    tokenizer_class: "PreTrainedTokenizerFast",
    model_max_length: 80,
    model_input_names: ["input_ids", "token_type_ids", "attention_mask"],
    cls_token: "[CLS]",
    sep_token: "[SEP]",
    pad_token: "[PAD]",
    unk_token: "[UNK]",
    mask_token: "[MASK]",
    clean_up_tokenization_spaces: false,
  });
});

test("--force writes over an old export and leaves other files alone", async () => {
  const folder = path("old");
  mkdirSync(folder);
  writeFileSync(`${folder}/notes.txt`, "mine");
  writeFileSync(`${folder}/model.onnx`, "old");
  refused(await cli(["export", TINY, "-o", folder]), /old: holds files already; --force/);
  assert.is(readFileSync(`${folder}/model.onnx`, "utf8"), "old");
  await ok(["export", TINY, "-o", folder, "--force", "--dtype", "int8"]);
  assert.is(readFileSync(`${folder}/notes.txt`, "utf8"), "mine");
  assert.ok(readFileSync(`${folder}/model.onnx`).length > 40_000);
  assert.is(readdirSync(folder).length, 6);

  // A CRF of another model must not be taken for this one's.
  const { crf: _, ...soft } = await loadBundle(TINY);
  const files = writeExport({ ...soft, crf: undefined });
  await replaceFolder(folder, files, {
    force: true,
    check: () => {},
    stale: ["crf.safetensors"],
  });
  assert.not(existsSync(`${folder}/crf.safetensors`));
  assert.is(readdirSync(folder).length, 5);
});

test("a failed export leaves nothing behind; an empty folder is taken", async () => {
  const [parent, files] = [path("parent"), new Map([["a", Uint8Array.of(1)]])];
  mkdirSync(`${parent}/full`, { recursive: true });
  mkdirSync(`${parent}/empty`);
  writeFileSync(`${parent}/full/a`, "old");
  for (const name of ["new", "full", "empty"]) {
    let failure: unknown;
    await replaceFolder(`${parent}/${name}`, files, {
      force: true,
      check(copy) {
        assert.equal(readdirSync(copy), ["a"]);
        throw new Error("broken");
      },
    }).catch((error: unknown) => failure = error);
    assert.match((failure as Error).message, "broken");
  }
  assert.equal(readdirSync(parent).sort(), ["empty", "full"]);
  assert.is(readFileSync(`${parent}/full/a`, "utf8"), "old");
  assert.equal(readdirSync(`${parent}/empty`), []);
  await replaceFolder(`${parent}/empty`, files, { force: false, check: () => {} });
  assert.equal(readdirSync(`${parent}/empty`), ["a"]);

  mkdirSync(`${parent}/here`);
  const cwd = process.cwd();
  process.chdir(`${parent}/here`);
  try {
    await replaceFolder(".", files, { force: false, check: () => {} });
  } finally {
    process.chdir(cwd);
  }
  assert.equal(readdirSync(`${parent}/here`), ["a"]);
  assert.equal(readdirSync(parent).sort(), ["empty", "full", "here"]);
});

test("outputs that cannot be written and sources that are none are refused", async () => {
  writeFileSync(path("file"), "");
  refused(await cli(["export", TINY]), /required option '-o, --output <folder>'/);
  refused(await cli(["export", TINY, "-o", path("file")]), /file: is a file, not a folder/);
  refused(await cli(["export", TINY, "-o", path("none/x")]), /none is not a folder/);
  refused(await cli(["export", TINY, "-o", path("x"), "--dtype", "fp16"]), /fp16.*f32, int8/);
  refused(
    await cli(["export", "nothing", "-o", path("x")]),
    /no file, folder or installed model is called nothing; /,
  );
  refused(await cli(["export", fixture("tokenizer-cases.json"), "-o", path("x")]), /safetensors/);
  assert.not(existsSync(path("x")));
  const { code, stdout } = await cli(["export", "--help"]);
  assert.is(code, 0);
  assert.match(stdout, /Examples:\n +edge-ner export/);
});

test.run();
