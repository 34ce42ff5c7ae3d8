/**
 * A recogniser with lexicons: every token is seen with its features, in every backend, window and batch.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Ner } from "../../mod.ts";
import { ReferenceBackend } from "../../src/backend/reference/reference.ts";
import { encode } from "../../src/backend/encoder.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { FeatureFinder } from "../../src/lexicon/features.ts";
import { fingerprintsOf } from "../../src/lexicon/fingerprint.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import { featureCount, type Lexicons } from "../../src/model/lexicon.ts";
import { windowsOf } from "../../src/ner/windows.ts";
import { tokenizerFromJson } from "../../src/tokenizer/load.ts";
import { bits, configOf, randomWeights, relativeL2, shipped } from "../support.ts";

const json = readFileSync(new URL("../fixtures/tiny-torchscript/tokenizer.json", import.meta.url));
const tokenizer = tokenizerFromJson(json.toString());
const kernels = [await shipped("baseline")];

const names = fingerprintsOf(["প্যারাসিটামল", "Metformin"]);
const known = fingerprintsOf(["জ্বর", "Metformin 500mg"]);
const lexicons: Lexicons = {
  types: ["MED", "DIS"],
  inflected: true,
  longest: Math.max(names.longest, known.longest),
  lists: [
    { type: "MED", fingerprints: names.words, rates: undefined },
    {
      type: undefined,
      fingerprints: known.words,
      rates: Uint8Array.of(0, 200, 55, 90, 180, 0, 75, 30),
    },
  ],
};
const features = featureCount(lexicons), labels = ["O", "B-MED", "I-MED", "B-DIS", "I-DIS"];
const SIZES = { hiddenSize: 48, heads: 4, vocabSize: tokenizer.vocabSize, labels };

const modelOf = (maxPositions: number): ModelBundle => ({
  weights: randomWeights(configOf({ ...SIZES, maxPositions, features }), 11),
  crf: undefined,
  tokenizer,
  lexicons,
});

const SHORT = ["জ্বরের জন্য প্যারাসিটামল নিন।", "", "Metformin 500mg twice a day.", "Nothing here."];
const LONG = Array.from({ length: 9 }, (_, i) => `${SHORT[i % 4]} ${"x ".repeat(i)}`).join(" ");

for (const backend of ["int8", "fp32"] as const) {
  test(`${backend}: near the reference, alone and in any batch the same bits`, async () => {
    const bundle = modelOf(64), texts = [...SHORT, LONG];
    const ner = await Ner.fromBundle(bundle, { backend, kernels, maxTokens: 100 });
    const reference = await Ner.fromBundle(bundle, { backend: "reference", kernels });
    const together = await ner.emissionsBatch(texts);
    for (const [i, text] of texts.entries()) {
      const { data } = await ner.emissions(text), want = (await reference.emissions(text)).data;
      assert.equal(bits(data), bits(together[i]!.data));
      if (data.length === 0) continue;
      const distance = relativeL2(data, want);
      assert.ok(distance <= (backend === "fp32" ? 1e-5 : 0.06), `${text}: ${distance}`);
    }
    ner.close();
  });
}

test("a token in a window has the features that it has in the text", async () => {
  const bundle = modelOf(16), ner = await Ner.fromBundle(bundle, { backend: "reference", kernels });
  const { data, tokens } = await ner.emissions(LONG);
  assert.ok(tokens.length > 40);
  const encoding = tokenizer.encode(LONG);
  const all = new FeatureFinder(lexicons).features(LONG, encoding);
  const backend = new ReferenceBackend(bundle.weights, 16);
  for (const { start, end, keepStart, keepEnd } of windowsOf(tokens.length, 14)) {
    const ids = Int32Array.from([
      tokenizer.cls,
      ...encoding.ids.subarray(start, end),
      tokenizer.sep,
    ]);
    const own = new Float32Array(ids.length * features);
    own.set(all.subarray(start * features, end * features), features);
    const rows = await encode(backend, {
      ids,
      offsets: Int32Array.of(0, ids.length),
      features: own,
    });
    const first = 1 + keepStart - start, n = labels.length;
    assert.equal(
      data.slice(keepStart * n, keepEnd * n),
      rows.slice(first * n, (first + keepEnd - keepStart) * n),
    );
  }
});

test("a document in pieces has the features of the whole, also where a term lies across them", async () => {
  const ner = await Ner.fromBundle(modelOf(64), { backend: "fp32", kernels });
  // Parts of 8192 code units are tokenized together, and the first ends within "500mg": it is cut before.
  const text = `Metformin 500mg জ্বরের ${"q".repeat(150)} `.repeat(100);
  assert.is(text.slice(8188, 8193), "500mg");
  const whole = await ner.extract(text), found: typeof whole = [];
  const pieces = Array.from(
    { length: Math.ceil(text.length / 8192) },
    (_, i) => text.slice(8192 * i, 8192 * (i + 1)),
  );
  for await (const entity of ner.extractDocument(pieces)) found.push(entity);
  assert.ok(whole.length > 50);
  assert.equal(found, whole);
  ner.close();
});

test("a packed model gives the same bits as the one that it was packed from", async () => {
  const bundle = modelOf(64);
  const [a, b] = [
    await Ner.fromBundle(bundle, { backend: "fp32", kernels }),
    await Ner.fromBytes(writePackage(bundle), { backend: "fp32", kernels }),
  ];
  for (const text of SHORT) {
    assert.equal(bits((await b.emissions(text)).data), bits((await a.emissions(text)).data));
  }
});

test.run();
