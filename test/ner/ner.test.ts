/** Text to entities, on the tiny exported model: what a user relies on. */
import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { InputError, ModelError, NerError } from "../../src/errors.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { Ner, type NerOptions } from "../../mod.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { bits, shipped } from "../support.ts";

const file = (path: string): Promise<Uint8Array> =>
  readFile(new URL(`../fixtures/tiny-torchscript/${path}`, import.meta.url));
const exported = bundleFromExport({
  model: await file("model.onnx"),
  config: await file("config.json"),
  tokenizer: await file("tokenizer.json"),
  crf: await file("crf.safetensors"),
});
const kernels = [await shipped("baseline")];
const load = (options: NerOptions = {}): Promise<Ner> =>
  Ner.fromBundle(exported, { ...options, kernels });

async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    assert.instance(error, NerError);
    return (error as NerError).code;
  }
  return "none";
}

const SENTENCES = [
  "রক্তচাপ বেশি থাকলে ডাক্তারের পরামর্শ নিন।",
  "Metformin 500mg twice a day with food.",
  "পেটে ব্যথা হলে ওষুধ খাওয়ার আগে ডাক্তারকে জানান, 50 mg নয়।",
  "😀 ডাক্তার\u200d \u200cকিডনি\nলিভার\t হৃদরোগ",
  "x",
];

test("a package gives what the export gives, quantized", async () => {
  const packed = writePackage({ ...exported, weights: quantizeEncoder(exported.weights).weights });
  const a = await Ner.fromBytes(packed, { kernels }), b = await load();
  for (const text of SENTENCES) {
    assert.equal(await a.extract(text), await b.extract(text));
    assert.equal(bits((await a.emissions(text)).data), bits((await b.emissions(text)).data));
  }
});

test("entities are slices of the text, in order, apart, with a probability", async () => {
  const ner = await load();
  let found = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.constantFrom(...SENTENCES), fc.string({ unit: "binary" })), {
        maxLength: 6,
      }),
      async (parts) => {
        const text = parts.join(" "), entities = await ner.extract(text);
        let last = 0;
        for (const { type, text: slice, start, end, score } of entities) {
          assert.is(text.slice(start, end), slice);
          assert.ok(start >= last && end > start, `${start}..${end} after ${last}`);
          assert.ok(score >= 0 && score <= 1);
          assert.ok(ner.info().types.includes(type));
          last = end;
        }
        found += entities.length;
      },
    ),
    { numRuns: 150 },
  );
  assert.ok(found > 100, "the model must find something, or this test sees nothing");
});

test("alone, in any batch, with any maxTokens: the same bits", async () => {
  const long = Array(30).fill(SENTENCES[2]).join(" ");
  const texts = [...SENTENCES, "", long, SENTENCES[0], "   "];
  for (const backend of ["int8", "fp32"] as const) {
    const ner = await load({ backend }), alone = [];
    for (const text of texts) alone.push(await ner.extract(text));
    for (const maxTokens of [64, 65, 100, 4096]) {
      const other = await load({ backend, maxTokens });
      assert.equal(await other.extractBatch(texts), alone, `${backend}, ${maxTokens}`);
      assert.equal(
        bits((await other.emissions(long)).data),
        bits((await ner.emissions(long)).data),
      );
    }
  }
});

test("calls may overlap", async () => {
  const ner = await load();
  const want = await ner.extractBatch(SENTENCES);
  const got = await Promise.all(SENTENCES.map((text) => ner.extract(text)));
  assert.equal(got, want);
});

test("the emissions of a long text are those of its windows, every token once", async () => {
  const ner = await load(), text = Array(40).fill(SENTENCES[0]).join(" ");
  const { tokens, data, labels } = await ner.emissions(text);
  assert.ok(tokens.length > 3 * ner.info().maxPositions);
  assert.is(data.length, tokens.length * labels.length);
  assert.ok(data.every(Number.isFinite));
  // No row was left out: a row of zeros would be one that no window filled.
  for (let t = 0; t < tokens.length; t++) {
    assert.ok(data.subarray(t * labels.length, (t + 1) * labels.length).some((v) => v !== 0));
  }
});

test("nothing to find: empty texts, white space, no texts", async () => {
  const ner = await load();
  assert.equal(await ner.extract(""), []);
  assert.equal(await ner.extract(" \t\n"), []);
  assert.equal(await ner.extractBatch([]), []);
  assert.equal(ner.tokenize(""), []);
  assert.is((await ner.emissions("")).data.length, 0);
});

test("constrained output never holds an I-x that continues nothing; the option lifts it", async () => {
  const strict = await load(), free = await load({ constrained: false });
  const text = SENTENCES.join(" ");
  assert.ok((await strict.extract(text)).length > 0);
  assert.ok((await free.extract(text)).length > 0);
});

test("wrong arguments are typed errors, and the instance still works", async () => {
  const ner = await load(), before = await ner.extract(SENTENCES[0]);
  const wrong = [undefined, null, 7, {}, ["x"]] as unknown as string[];
  for (const text of wrong) {
    assert.is(await codeOf(() => ner.extract(text)), "input/type");
    assert.is(await codeOf(() => ner.extractBatch(["fine", text])), "input/type");
    assert.is(await codeOf(() => ner.tokenize(text)), "input/type");
  }
  assert.is(await codeOf(() => ner.extractBatch("x" as unknown as string[])), "input/type");
  assert.equal(await ner.extract(SENTENCES[0]), before);
});

test("wrong options are typed errors", async () => {
  for (const maxTokens of [0, 2, 1.5, NaN, -1, 2 ** 31]) {
    assert.is(await codeOf(() => load({ maxTokens })), "input/option");
  }
  assert.is(await codeOf(() => load({ backend: "cuda" as "int8" })), "input/option");
  const odd: readonly unknown[] = [
    null,
    5,
    { kernels: 5 },
    { constrained: "no" },
    { allowStripAccents: 1 },
    { threading: null },
    { maxMemoryBytes: "1" },
  ];
  const packed = writePackage(exported);
  for (const options of odd as NerOptions[]) {
    const said = JSON.stringify(options);
    const path = new URL("../../models/none", import.meta.url);
    assert.is(await codeOf(() => Ner.load(path, options)), "input/option", said);
    assert.is(await codeOf(() => Ner.fromBytes(packed, options)), "input/option", said);
    assert.is(await codeOf(() => Ner.fromBundle(exported, options)), "input/option", said);
  }
  try {
    await load({ maxMemoryBytes: 1 });
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), /maxMemoryBytes leaves it 0: allow more/);
  }
  const bytes = "x" as unknown as Uint8Array;
  assert.is(await codeOf(() => Ner.fromBytes(bytes, { kernels })), "input/bytes");
});

test("weights and tokenizer of different models are refused", async () => {
  const { weights } = exported, { data, columns } = weights.wordEmbedding;
  const config = { ...weights.config, vocabSize: 20 };
  const wordEmbedding = {
    type: "f32" as const,
    rows: 20,
    columns,
    data: (data as Float32Array).subarray(0, 20 * columns),
  };
  const mixed = { ...exported, weights: { ...weights, config, wordEmbedding } };
  try {
    await Ner.fromBundle(mixed, { kernels });
    assert.unreachable("it was accepted");
  } catch (error) {
    assert.instance(error, ModelError);
    assert.is((error as ModelError).code, "model/vocab");
  }
});

test("memory is fixed: nothing grows over many calls", async () => {
  const ner = await load({ maxTokens: 64 }), { memoryBytes } = ner.info();
  for (let i = 0; i < 3000; i++) await ner.extract(SENTENCES[i % SENTENCES.length]);
  assert.is(ner.info().memoryBytes, memoryBytes);
});

test("a closed recogniser says so; closing twice is allowed", async () => {
  const ner = await load();
  ner.close();
  ner.close();
  for (const call of [() => ner.extract("x"), () => ner.tokenize("x"), () => ner.emissions("x")]) {
    try {
      await call();
      assert.unreachable("it answered");
    } catch (error) {
      assert.instance(error, InputError);
      assert.is((error as InputError).code, "input/closed");
    }
  }
});

test.run();
