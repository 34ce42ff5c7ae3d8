/**
 * Distillation where teachers or students have lexicons: what each teacher sees of a text, against the recogniser's own
 * emissions, and that a run goes on.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { PackedBatch } from "../../src/backend/backend.ts";
import { fingerprintsOf } from "../../src/lexicon/fingerprint.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import { featureCount, type Lexicons } from "../../src/model/lexicon.ts";
import { Ner } from "../../src/runtime/ner.ts";
import { createTrainer } from "../../src/runtime/trainer.ts";
import { chooseLayers } from "../../src/shrink/layers.ts";
import { tokenizerFromVocab } from "../../src/tokenizer/load.ts";
import { Labeller } from "../../src/train/data/labels.ts";
import type { LabelledText } from "../../src/corpus/text.ts";
import { Lessons } from "../../src/train/distill/lessons.ts";
import { distillSettingsOf } from "../../src/train/distill/options.ts";
import { type Teacher, teacherOf } from "../../src/train/distill/teacher.ts";
import { Epochs } from "../../src/train/loop/epochs.ts";
import { type FineTuneInput, FineTuning } from "../../src/train/loop/fine_tune.ts";
import { TrainingLexicons } from "../../src/train/loop/lexicons.ts";
import { pack } from "../../src/train/loop/sequences.ts";
import { startModel } from "../../src/train/loop/start.ts";
import type { MakeTrainer } from "../../src/train/types.ts";
import { configOf, randomWeights } from "../support.ts";
import { loaded } from "./support.ts";

const one: MakeTrainer = (model, options) => createTrainer(model, { ...options, threads: 1 });

const NAMES = ["napa", "ace", "omez", "losec"], ILLS = ["fever", "cough"];
const tokenizer = tokenizerFromVocab(
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "napa", "ace", ...ILLS, "take", "for", ""]
    .join("\n"),
);
const LABELS = ["O", "B-DIS", "I-DIS", "B-MED", "I-MED"], TYPES = ["DIS", "MED"];
const TEXTS: LabelledText[] = NAMES.flatMap((name) =>
  ILLS.map((ill) => {
    const text = `take ${name} for ${ill}`, end = 5 + name.length;
    const entities = [
      { type: "MED", start: 5, end },
      { type: "DIS", start: end + 5, end: text.length },
    ];
    return { text, entities, where: text };
  })
);

/** Plain lists by type. */
function lexiconsOf(lists: readonly (readonly [type: string, ...terms: string[]])[]): Lexicons {
  const prints = lists.map(([, ...terms]) => fingerprintsOf(terms));
  return {
    types: TYPES,
    inflected: false,
    longest: Math.max(...prints.map(({ longest }) => longest)),
    lists: lists.map(([type], i) => ({
      type,
      fingerprints: prints[i]!.words,
      rates: undefined,
    })),
  };
}

/** A model of random weights, with these lexicons. */
function modelOf(lexicons: Lexicons | undefined, seed: number): ModelBundle {
  const config = configOf({
    hiddenSize: 16,
    embeddingSize: 16,
    heads: 2,
    feedForwardSize: 32,
    layers: 3,
    vocabSize: tokenizer.vocabSize,
    maxPositions: 16,
    typeVocabSize: 1,
    layerNormEpsilon: Math.fround(1e-12),
    labels: LABELS,
    ...(lexicons && { features: featureCount(lexicons) }),
  });
  const bundle = { weights: randomWeights(config, seed), crf: undefined, tokenizer };
  return lexicons ? { ...bundle, lexicons } : bundle;
}

const DRUGS = lexiconsOf([["MED", ...NAMES]]);
const ILLNESSES = lexiconsOf([["DIS", "fever"], ["MED", "losec"]]);
const student = { labels: LABELS, tokenizer, length: 16, layers: 3, hiddenSize: 16 };
const parts = {
  texts: TEXTS,
  tokenizer,
  labeller: new Labeller(LABELS),
  length: 16,
  seed: 1,
  names: undefined,
  also: undefined,
};
const JOIN = { exchange: 0, resplit: 0, mask: 0, join: 1 };

test("a teacher with lexicons of its own says what the recogniser says of the text", async () => {
  const models = [
    modelOf(DRUGS, 1),
    modelOf(ILLNESSES, 2),
    modelOf(undefined, 3),
    modelOf(DRUGS, 4),
  ];
  const teachers: Teacher[] = [], says: Float32Array[][] = [];
  for (const model of models) {
    teachers.push(await teacherOf(one, model, 64));
    const ner = await Ner.fromBundle(model, { backend: "fp32", threads: 1 });
    says.push((await ner.emissionsBatch(TEXTS.map(({ text }) => text))).map(({ data }) => data));
    ner.close();
  }
  const lessons = new Lessons(teachers, student, distillSettingsOf({}));
  assert.is(lessons.finders.length, 2, "teachers with the same lexicons share what they say");
  const epochs = new Epochs({ ...parts, augment: undefined, others: lessons.finders });
  assert.is(epochs.sequences(1), epochs.plain, "nothing differs from epoch to epoch");
  const rows = 5;
  epochs.plain.forEach((sequence, i) => {
    const said = lessons.emissions([sequence]).subarray(rows, -rows);
    const want = Float32Array.from(
      says[0]![i]!,
      (_, k) => says.reduce((sum, own) => sum + own[i]![k]!, 0) / models.length,
    );
    assert.equal(said, want);
  });
  // Two texts in a row are one sequence with the features of both.
  const joined = new Epochs({ ...parts, augment: JOIN, others: lessons.finders }).sequences(0);
  const two = joined.find(({ ids }) => ids.length > 6)!;
  const wheres = two.where.split(" + ");
  lessons.finders.forEach((finder, i) => {
    const features = wheres.flatMap((text) => [...finder.features(text, tokenizer.encode(text))]);
    const special = Array(finder.count).fill(0);
    assert.equal([...two.others![i]!], [...special, ...features, ...special]);
  });
  for (const teacher of teachers) teacher.close();
});

test("a teacher with the student's lexicons sees what the student sees, another all that its own say", () => {
  const own = TrainingLexicons.make(
    { dictionary: true, lists: [{ type: "MED", terms: NAMES }] },
    TEXTS,
    parts.labeller.tags,
    1,
  );
  const seen: (readonly [who: string, features: Float32Array | undefined])[] = [];
  const fake = (who: string, lexicons: Lexicons | undefined): Teacher => ({
    ...{ labels: LABELS, crf: undefined, tokenizer, lexicons, maxPositions: 16, layers: 3 },
    ...{
      hiddenSize: 16,
      fingerprint: who,
      close() {},
      hidden: () => [],
      heads: 2,
      attention: () => [],
    },
    emissions({ ids, features }: PackedBatch) {
      seen.push([who, features]);
      return new Float32Array(5 * ids.length);
    },
  });
  // Made anew of the same texts, by another seed, it is the same dictionary.
  const again = TrainingLexicons.make(
    { dictionary: true, lists: [{ type: "MED", terms: NAMES }] },
    TEXTS,
    parts.labeller.tags,
    9,
  );
  const teachers = [
    fake("same", again.lexicons),
    fake("other", DRUGS),
    fake("none", undefined),
  ];
  const lessons = new Lessons(
    teachers,
    { ...student, lexicons: own.lexicons },
    distillSettingsOf({}),
  );
  assert.is(lessons.finders.length, 1);
  const epochs = new Epochs({
    ...parts,
    augment: undefined,
    lexicons: own,
    others: lessons.finders,
  });
  const whole = TEXTS.map(({ text }) => own.features(text, tokenizer.encode(text)));
  let less = 0;
  for (let epoch = 0; epoch < 4; epoch++) {
    epochs.sequences(epoch).forEach((sequence, i) => {
      seen.length = 0;
      lessons.emissions([sequence]);
      const inner = (features: Float32Array, count: number) => features.subarray(count, -count);
      const { text } = TEXTS[i]!, drugs = lessons.finders[0]!;
      const [same, other, none] = seen.map(([, features]) => features);
      assert.equal(same, sequence.features);
      assert.equal(inner(other!, drugs.count), drugs.features(text, tokenizer.encode(text)));
      assert.is(none, undefined);
      const sum = (values: Float32Array) => values.reduce((all, value) => all + value, 0);
      assert.ok(sum(same!) <= sum(whole[i]!));
      if (sum(same!) < sum(whole[i]!)) less++;
    });
  }
  assert.ok(less > 4, "some of its own entities are unknown to the dictionary of a text");
});

test("features are kept where they mean the same, and begin anew where they do not", () => {
  const base = modelOf(ILLNESSES, 2), own = base.weights.features!;
  const start = (lexicons: Lexicons) =>
    startModel(base, { labels: LABELS, crf: false, seed: 1, lexicons }).weights.features!;
  assert.equal(start(lexiconsOf([["DIS", "cough"], ["MED", "napa"]])), own);
  const turned = start(lexiconsOf([["MED", "losec"], ["DIS", "fever"]]));
  assert.is(turned.input.rows, own.input.rows);
  assert.not.equal(turned.input.data, own.input.data);
  assert.ok(turned.window.data.every((value) => value === 0));
});

const LISTS = [{ type: "MED", terms: NAMES }];

async function run(from: FineTuneInput, steps = Infinity) {
  const tuning = await FineTuning.create(one, from);
  for await (const record of tuning.run()) if (record.step >= steps) break;
  const found = { files: tuning.checkpoint(), result: tuning.result() };
  tuning.close();
  return found;
}

test("layers of a teacher with lexicons learn from three, and the run goes on with the same bits", async () => {
  const models = [modelOf(DRUGS, 1), modelOf(ILLNESSES, 2), modelOf(undefined, 3)];
  const teachers: Teacher[] = [];
  for (const model of models) teachers.push(await teacherOf(one, model, 64));
  const kept = { ...models[0]!, weights: chooseLayers(models[0]!.weights, [1, 3]) };
  const input = (more: Partial<FineTuneInput>): FineTuneInput => ({
    model: kept,
    labels: LABELS,
    train: TEXTS,
    validation: TEXTS.slice(0, 2),
    lexicons: { lists: LISTS },
    teaching: { teachers, unlabelled: [{ text: "take omez", entities: [], where: "plain" }] },
    options: { epochs: 3, rate: 1e-3, tokens: 64, texts: 4, augment: { join: 0.3, mask: 0.1 } },
    ...more,
  });
  const whole = await run(input({})), { files } = await run(input({}), 4);
  assert.equal(whole.result.lexicons, DRUGS);
  assert.not.equal(whole.result.weights.features, kept.weights.features);
  const model = loaded(files);
  const rest = await run(input({ model, state: files.get("optimizer.safetensors") }));
  assert.equal(rest.files, whole.files);
  for (const teacher of teachers) teacher.close();
});

test("hidden states are learnt of a teacher that sees its own features", async () => {
  const model = modelOf(DRUGS, 1), teacher = await teacherOf(one, model, 64);
  const states = { weight: 1, layers: [1, 2, 3] };
  const lessons = new Lessons([teacher], student, distillSettingsOf({ states }));
  const [sequence] = new Epochs({ ...parts, augment: undefined, others: lessons.finders }).plain;
  const batch = pack([sequence!]), none = { name: "", head: "labels" as const, count: 0 };
  const { hidden } = lessons.losses([sequence!], batch, { ...none, evaluate: () => 0 }, {
    crf: false,
  });
  const features = sequence!.others![0]!;
  const wanted = teacher.hidden({ ...batch, features }, [1, 2, 3]);
  const loss = hidden!.evaluate({
    hidden: wanted.map((memory) => ({
      ...{ rows: batch.ids.length, columns: 16, stride: 16, start: 0, memory },
    })),
    cotangent: wanted.map(({ length }) => new Float32Array(length)),
    scale: 1,
  });
  assert.is(loss, 0, "the teacher's own states are at no distance from what is taught");
  teacher.close();
});

test.run();
