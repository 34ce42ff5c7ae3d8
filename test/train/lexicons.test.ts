/**
 * Lexicons in training: what a dictionary learns, that no text is seen with its own entities, and that a run goes on.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Ner, type Recogniser } from "../../mod.ts";
import type { InputError } from "../../src/errors.ts";
import { writeAdapter } from "../../src/formats/hf/adapter.ts";
import { fingerprintsOf } from "../../src/lexicon/fingerprint.ts";
import { createTrainer } from "../../src/runtime/trainer.ts";
import { tokenizerFromVocab } from "../../src/tokenizer/load.ts";
import { DictionaryMaker, FOLDS } from "../../src/train/data/dictionary.ts";
import { Labeller } from "../../src/train/data/labels.ts";
import type { LabelledText } from "../../src/corpus/text.ts";
import { type FineTuneInput, FineTuning } from "../../src/train/loop/fine_tune.ts";
import { TrainingLexicons } from "../../src/train/loop/lexicons.ts";
import { freshModel } from "../../src/train/loop/start.ts";
import { Random } from "../../src/train/random.ts";
import { relativeL2, shipped } from "../support.ts";
import { loaded } from "./support.ts";

const NAMES = ["napa", "ace", "omez", "losec", "seclo", "zimax", "fexo", "monas"];
const WORDS = [...NAMES, "take", "for", "fever", "cough", "no"];
const tokenizer = tokenizerFromVocab(["[PAD]", "[UNK]", "[CLS]", "[SEP]", ...WORDS, ""].join("\n"));
const LABELS = ["O", "B-DIS", "I-DIS", "B-MED", "I-MED"];
const TYPES = ["DIS", "MED"];

/** `take *napa* for *fever*`, of a group that its first entity names. */
function text(marked: string): LabelledText {
  const entities = [];
  let plain = "";
  for (const [i, part] of marked.split("*").entries()) {
    const type = NAMES.includes(part) ? "MED" : "DIS";
    if (i % 2) entities.push({ type, start: plain.length, end: plain.length + part.length });
    plain += part;
  }
  const [first] = entities;
  return {
    text: plain,
    entities,
    where: marked,
    group: first && plain.slice(first.start, first.end),
  };
}

const TEXTS = NAMES.flatMap((name) => [text(`take *${name}* for *fever*`), text(`no *${name}*`)]);

/** Rates of a dictionary's term, in 255ths. */
function ratesOf(maker: DictionaryMaker, term: string, without?: { way: number; fold: number }) {
  const { fingerprints, rates } = maker.make(without), [a, b] = fingerprintsOf([term]).words;
  for (let i = 0; i < fingerprints.length / 2; i++) {
    if (fingerprints[2 * i] === a && fingerprints[2 * i + 1] === b) {
      return [...rates!.subarray(4 * i, 4 * i + 4)];
    }
  }
  return undefined;
}

test("a dictionary has each entity's shares by type, that of none, and a count", () => {
  const texts = [
    text("take *napa* for *fever*"),
    text("no fever"),
    text("*fever*, no fever, napa"),
  ];
  const maker = new DictionaryMaker(texts, TYPES, { inflected: false, seed: 1 });
  // fever: an entity 2 times of 4; napa 1 of 2.
  const byte = (x: number) => Math.round(255 * x);
  assert.equal(ratesOf(maker, "fever"), [
    byte(2 / 4.5),
    0,
    byte(1 - 2 / 4.5),
    byte(Math.log(5) / 4),
  ]);
  assert.equal(ratesOf(maker, "napa"), [
    0,
    byte(1 / 2.5),
    byte(1 - 1 / 2.5),
    byte(Math.log(3) / 4),
  ]);
  assert.is(ratesOf(maker, "take"), undefined);
});

test("without a fold its texts say nothing, and groups are dealt out whole", () => {
  const maker = new DictionaryMaker(TEXTS, TYPES, { inflected: false, seed: 1 });
  assert.is(maker.ways, 2);
  TEXTS.forEach(({ group }, i) => {
    const fold = maker.foldOf(1, i);
    assert.is(fold, maker.foldOf(1, TEXTS.findIndex((other) => other.group === group)));
    assert.is(ratesOf(maker, group!, { way: 1, fold }), undefined, "all its texts are of the fold");
    assert.ok(ratesOf(maker, group!));
    assert.ok(maker.foldOf(0, i) >= 0 && maker.foldOf(0, i) < FOLDS);
  });
  const alone = TEXTS.map(({ group: _, ...rest }) => rest);
  assert.is(new DictionaryMaker(alone, TYPES, { inflected: false, seed: 1 }).ways, 1);
});

test("a text in training has features of other texts' entities, some dropped; another text has all", () => {
  const tags = new Labeller(LABELS).tags, random = new Random(1, "lexicon");
  const own = TrainingLexicons.make({ dictionary: true }, TEXTS, tags, 1);
  const [first] = TEXTS, encoding = tokenizer.encode(first!.text);
  const begins = (features: Float32Array, token: number) =>
    features.subarray(token * own.count, token * own.count + 4).some((value) => value !== 0);
  assert.ok(begins(own.features(first!.text, encoding), 1));
  let named = 0, ill = 0;
  for (let i = 0; i < 1000; i++) {
    const features = own.training(first!.text, encoding, 0, random);
    if (begins(features, 1)) named++;
    if (begins(features, 3)) ill++;
  }
  // napa stands in two texts of its group: never where groups are dealt out, and else in 85 of 100, unless both texts
  // are of one fold.
  assert.ok(named === 0 || Math.abs(named - 510) < 60, `${named}`);
  assert.ok(Math.abs(ill - 850) < 50, `${ill}`);
});

const SIZES = { hiddenSize: 16, layers: 1, heads: 2, feedForwardSize: 32, maxPositions: 16 };
const AUGMENT = { exchange: 0.5, join: 0.3 };

function input(parts: Partial<FineTuneInput> = {}): FineTuneInput {
  return {
    model: freshModel(SIZES, tokenizer, LABELS, 1),
    labels: LABELS,
    train: TEXTS,
    validation: TEXTS.slice(0, 4),
    lexicons: { dictionary: true, lists: [{ type: "MED", terms: NAMES }] },
    options: { epochs: 3, rate: 5e-3, tokens: 48, texts: 4, augment: AUGMENT },
    ...parts,
  };
}

async function run(from: FineTuneInput, steps = Infinity) {
  const tuning = await FineTuning.create(
    (model, options) => createTrainer(model, { ...options, threads: 1 }),
    from,
  );
  for await (const record of tuning.run()) if (record.step >= steps) break;
  const found = {
    files: tuning.checkpoint(),
    result: tuning.result(),
    adapter: tuning.adapter(),
  };
  tuning.close();
  return found;
}

test("a run with lexicons learns what they add, and goes on with the same bits", async () => {
  const whole = await run(input()), { weights, lexicons } = whole.result;
  assert.equal(lexicons!.lists.map(({ type }) => type), [undefined, "MED"]);
  assert.is(weights.features!.input.rows, 2 * 4 + 1 + 2);
  assert.ok(weights.features!.window.data.some((value) => value !== 0));
  const part = await run(input(), 5), { files } = part;
  const model = loaded(files);
  const rest = await run(input({ model, state: files.get("optimizer.safetensors") }));
  assert.equal(rest.files, whole.files);
});

test("a run without lexicons of its own goes on with those of its model", async () => {
  const { files } = await run(input()), model = loaded(files), labels = ["O", "B-WAY", "I-WAY"];
  const train = [text("take *fever*")].map((one) => ({
    ...one,
    entities: one.entities.map((entity) => ({ ...entity, type: "WAY" })),
  }));
  const other = input({ model, labels, train, validation: train, lexicons: undefined });
  const { weights, lexicons } = (await run(other)).result;
  assert.equal(lexicons, model.lexicons);
  assert.not.equal(weights.features!.input.data, model.weights.features!.input.data);
  assert.is(weights.features!.window.columns, 3);
  // What the dictionary says was not made without the texts, as it is for a run that makes it: another run.
  const state = files.get("optimizer.safetensors");
  try {
    await run(input({ model, state, lexicons: undefined }));
    assert.unreachable();
  } catch (error) {
    assert.is((error as InputError).code, "checkpoint/state");
  }
});

test("adapters are learnt beside a model with lexicons, for its labels and for others", async () => {
  const model = loaded((await run(input())).files), kernels = [await shipped("baseline")];
  const lora = { rank: 2 }, options = { epochs: 2, rate: 2e-2, tokens: 48, texts: 4, lora };
  const from = { model, lexicons: undefined, options };
  const others = TEXTS.map((one) => ({
    ...one,
    entities: one.entities.map(({ start, end }) => ({ start, end, type: "THING" })),
  }));
  const things = { labels: ["O", "B-THING", "I-THING"], train: others, validation: others };
  const base = await Ner.fromBundle(model, { backend: "fp32", kernels });
  for (const parts of [from, { ...from, ...things }]) {
    const { result, adapter } = await run(input(parts)), { labels } = result.weights.config;
    assert.equal(result.weights.features!.input, model.weights.features!.input);
    if (labels.length === LABELS.length) {
      assert.equal(result.weights.features!.window, model.weights.features!.window);
    } else assert.ok(result.weights.features!.window.data.every((value) => value === 0));
    const bytes = writeAdapter(adapter!, model.weights.config).get("adapter_model.safetensors");
    const beside = await base.withAdapter(bytes!);
    const merged = await Ner.fromBundle(result, { backend: "fp32", kernels });
    const ofText = async (ner: Recogniser) => (await ner.emissions(TEXTS[0]!.text)).data;
    // Both differ by the order of sums.
    assert.ok(relativeL2(await ofText(beside), await ofText(merged)) < 1e-5);
    beside.close();
    merged.close();
  }
  base.close();
});

test.run();
