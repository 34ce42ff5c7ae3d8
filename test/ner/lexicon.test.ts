/**
 * A recogniser with lexicons: every token is seen with its features, in every backend, window and batch.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  addTerms,
  type Entity,
  type ModelError,
  Ner,
  type Recogniser,
  shiftTypes,
  type TermOptions,
} from "../../mod.ts";
import { ReferenceBackend } from "../../src/backend/reference/reference.ts";
import { encode } from "../../src/backend/encoder.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { FeatureFinder } from "../../src/lexicon/features.ts";
import { fingerprintsOf } from "../../src/lexicon/fingerprint.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import { featureCount, type Lexicons } from "../../src/model/lexicon.ts";
import { samplesOf } from "../../src/ner/sample.ts";
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

test("weights are rounded by what layers are given, features included", async () => {
  const bundle = modelOf(512), { layers: [{ qkv }], features: tables } = bundle.weights;
  const none = lexicons.lists.map((list) => ({
    ...list,
    fingerprints: new Int32Array(0),
    rates: list.rates && new Uint8Array(0),
  }));
  const without = { ...bundle, lexicons: { ...lexicons, lists: none } };
  const given = async (model: ModelBundle): Promise<Float64Array> =>
    (await samplesOf(model, [LONG], kernels)).get(qkv.weight)!.mean();
  const [a, b] = [
    await given({ ...bundle, lexicons: lexicons }),
    await given(without),
  ];
  assert.is(a.length, b.length);
  // The first layer is given the embedding, to which features add rows of their table.
  const encoding = tokenizer.encode(LONG), rows = encoding.ids.length + 2;
  const found = new FeatureFinder(lexicons).features(LONG, encoding);
  const { data } = tables!.input, width = data.length / features, want = new Float32Array(width);
  found.forEach((x, i) => {
    for (let c = 0; c < width; c++) want[c]! += x * data[i % features * width + c]! / rows;
  });
  const got = Float32Array.from(a, (x, i) => x - b[i]!);
  // Means of sums of float32.
  assert.ok(relativeL2(got, want) < 1e-5, `${relativeL2(got, want)}`);
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

/** Terms of the caller's own, in no list of the model's. */
const OWN: TermOptions = {
  lexicon: [{ type: "DIS", terms: ["nothing", "twice a day"] }, { type: "MED", terms: ["500mg"] }],
};

/** The same in the model's own lists: with the rates, by hand, of a term that was an entity in all of 8 texts. */
function learntModel(): ModelBundle {
  const med = fingerprintsOf(["500mg"]), dis = fingerprintsOf(["nothing", "twice a day"]);
  const both = [...dis.words, ...med.words];
  // 8 of 8.5, what is left, and ln(9) of 4; a row each of nothing, twice a day and 500mg.
  const [most, rest, count] = [240, 15, 140];
  const ill = [0, most, rest, count], rates = [...ill, ...ill, most, 0, rest, count];
  const [plain, rated] = lexicons.lists;
  return {
    ...modelOf(64),
    lexicons: {
      ...lexicons,
      lists: [
        { ...plain!, fingerprints: Int32Array.from([...plain!.fingerprints, ...med.words]) },
        {
          ...rated!,
          fingerprints: Int32Array.from([...rated!.fingerprints, ...both]),
          rates: Uint8Array.from([...rated!.rates!, ...rates]),
        },
      ],
    },
  };
}

const TEXTS = [...SHORT, LONG];
const emissionsOf = async (ner: Recogniser): Promise<unknown> =>
  (await ner.emissionsBatch(TEXTS)).map(({ data }) => bits(data));

test("a caller's terms count as those that the model has learnt to trust", async () => {
  const options = { backend: "fp32", kernels } as const, bundle = modelOf(64);
  const ner = await Ner.fromBundle(bundle, options);
  const before = await emissionsOf(ner);
  const learnt = await Ner.fromBundle(learntModel(), options), want = await emissionsOf(learnt);
  assert.not.equal(want, before);
  const view = await ner.withLexicon(OWN);
  assert.equal(await emissionsOf(view), want);
  assert.equal(await emissionsOf(ner), before, "the recogniser beside it knows nothing of them");
  assert.is(view.info().memoryBytes, ner.info().memoryBytes);
  // A term at a time, in views of views, is all of them.
  const [dis, med] = OWN.lexicon!;
  const first = await ner.withLexicon({ lexicon: [dis!] });
  const second = await first.withLexicon({ lexicon: [med!] });
  first.close();
  assert.equal(await emissionsOf(second), want);
  for (
    const made of [
      await Ner.fromBundle(bundle, { ...options, ...OWN }),
      await Ner.fromBytes(writePackage(addTerms(bundle, OWN)), options),
    ]
  ) assert.equal(await emissionsOf(made), want);
});

test("it is the same in a call, a batch, a stream and a document, and calls beside each other", async () => {
  const ner = await Ner.fromBundle(modelOf(64), { backend: "fp32", kernels });
  const learnt = await Ner.fromBundle(learntModel(), { backend: "fp32", kernels });
  const want = await learnt.extractBatch(TEXTS), plain = await ner.extractBatch(TEXTS);
  assert.not.equal(want, plain);
  const [own, none, alone] = await Promise.all([
    ner.extractBatch(TEXTS, OWN),
    ner.extractBatch(TEXTS),
    Promise.all(TEXTS.map((text) => ner.extract(text, OWN))),
  ]);
  assert.equal([own, none, alone], [want, plain, want]);
  const stream: Entity[][] = [], document: Entity[] = [];
  for await (const entities of ner.extractStream(TEXTS, OWN)) stream.push(entities);
  assert.equal(stream, want);
  for await (const entity of ner.extractDocument([LONG], OWN)) document.push(entity);
  assert.equal(document, want.at(-1));
  assert.equal(await ner.extractNBest(LONG, 2, OWN), await learnt.extractNBest(LONG, 2));
  const sentences = { sentences: true };
  assert.equal(
    await ner.extractBatch(TEXTS, { ...OWN, ...sentences }),
    await learnt.extractBatch(TEXTS, sentences),
  );
});

test("a weight, and a type that no list of the model is of, are evidence before the CRF as elsewhere", async () => {
  const options = { backend: "fp32", kernels } as const;
  const ner = await Ner.fromBundle(modelOf(64), options), text = SHORT[3]!;
  const heavy = await ner.withLexicon({
    lexicon: [{ type: "DIS", terms: ["nothing"], weight: 40 }],
  });
  assert.equal(await emissionsOf(heavy), await emissionsOf(ner));
  const [{ data }] = await heavy.probabilitiesBatch([text]);
  assert.ok(data[3]! + data[4]! > 0.999, "the first token is one of an illness");
  // Of plain lists of medicines alone nothing can be said of an illness.
  const plain: Lexicons = { ...lexicons, lists: [lexicons.lists[0]!] };
  const few = { ...modelOf(64), lexicons: plain };
  const config = configOf({ ...SIZES, maxPositions: 64, features: featureCount(plain) });
  const listed = await Ner.fromBundle({ ...few, weights: randomWeights(config, 11) }, options);
  const both = await listed.withLexicon(OWN);
  const only = await listed.withLexicon({ lexicon: [OWN.lexicon![1]!] });
  assert.equal(await emissionsOf(both), await emissionsOf(only));
  assert.not.equal(
    (await both.probabilities(text)).data,
    (await only.probabilities(text)).data,
  );
});

test("terms that count as those of lexicons need a model that has some", async () => {
  const { terms } = addTerms(modelOf(64), OWN);
  const { lexicons: _, ...bare } = modelOf(64);
  const config = configOf({ ...SIZES, maxPositions: 64 });
  try {
    const bundle = { ...bare, weights: randomWeights(config, 11), terms };
    await Ner.fromBundle(bundle, { backend: "fp32", kernels });
    assert.unreachable();
  } catch (error) {
    assert.is((error as ModelError).code, "model/lexicon");
    assert.match((error as ModelError).message, /"DIS" count as those of its lexicons, but it/);
  }
});

test("shifted where the model's dictionary knows nothing: as much at all other tokens, and not within its terms", async () => {
  const bundle = modelOf(512), shift = 0.75;
  const moved = shiftTypes(bundle, { MED: shift }, { unknown: true });
  const load = (model: ModelBundle) => Ner.fromBundle(model, { backend: "reference", kernels });
  const [before, after] = await Promise.all([load(bundle), load(moved)]);
  const text = "জ্বর Metformin 500mg জ্বরের twice Metformin x";
  const [a, b] = [await before.emissions(text), await after.emissions(text)];
  const own = new FeatureFinder({ ...lexicons, lists: [lexicons.lists[1]!] });
  const terms = own.match(text), among = { known: 0, unknown: 0 };
  assert.is(terms.length, 3);
  for (const [t, { start, end }] of a.tokens.entries()) {
    const known = terms.some((term) => term.start < end && start < term.end);
    among[known ? "known" : "unknown"]++;
    labels.forEach((label, i) => {
      const difference = b.data[t * labels.length + i]! - a.data[t * labels.length + i]!;
      const want = label.endsWith("MED") && !known ? shift : 0;
      // A term's shares are bytes, whose sum may be off by a unit each: 3 of 255.
      assert.ok(Math.abs(difference - want) < shift * 3 / 255 + 1e-5, `${label}: ${difference}`);
    });
  }
  assert.ok(among.known > 4 && among.unknown > 2, JSON.stringify(among));
  before.close();
  after.close();
  const [plain] = lexicons.lists, none = { ...lexicons, lists: [plain!] };
  for (const model of [{ ...bundle, lexicons: none }, { ...bundle, lexicons: undefined }]) {
    assert.throws(
      () => shiftTypes(model, { MED: 1 }, { unknown: true }),
      /has no dictionary of its own/,
    );
  }
});

test.run();
