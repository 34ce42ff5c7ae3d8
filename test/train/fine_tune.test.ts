/**
 * Fine-tuning: it learns, it goes on from a checkpoint with the same bits, and it says where it fails.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { NerError } from "../../src/errors.ts";
import { readAdapter, writeAdapter } from "../../src/formats/hf/adapter.ts";
import { bundleFromCheckpoint } from "../../src/formats/hf/checkpoint.ts";
import { mergeAdapter } from "../../src/model/adapter.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import { visitWeights } from "../../src/model/roles.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { createTrainer } from "../../src/runtime/trainer.ts";
import type { LabelledText } from "../../src/corpus/text.ts";
import {
  type FineTuneInput,
  FineTuning,
  type TrainRecord,
} from "../../src/train/loop/fine_tune.ts";
import { type FineTuneOptions, rateAt, rateOf, settingsOf } from "../../src/train/loop/options.ts";
import { sequencesOf } from "../../src/train/loop/sequences.ts";
import { freshModel, startModel } from "../../src/train/loop/start.ts";
import { Validation } from "../../src/train/loop/validate.ts";
import type { MakeTrainer } from "../../src/train/types.ts";
import { Labeller } from "../../src/train/data/labels.ts";
import { tokenizerFromVocab } from "../../src/tokenizer/load.ts";
import { loaded } from "./support.ts";

const DRUGS = ["napa", "ace", "omez", "losec"], ILLS = ["fever", "cough", "pain"];
const WORDS = [...DRUGS, ...ILLS, "take", "for", "extra", "no"];
const tokenizer = tokenizerFromVocab(
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ...WORDS, "[MASK]", ""].join("\n"),
);
const LABELS = ["O", "B-DIS", "I-DIS", "B-MED", "I-MED"];

/** A text of words, some of them entities: `take *napa* for *fever*`. */
function text(marked: string): LabelledText {
  const entities = [];
  let plain = "";
  for (const [i, part] of marked.split("*").entries()) {
    const type = DRUGS.includes(part.split(" ")[0]!) ? "MED" : "DIS";
    if (i % 2) entities.push({ type, start: plain.length, end: plain.length + part.length });
    plain += part;
  }
  return { text: plain, entities, where: marked };
}

const TEXTS = DRUGS.flatMap((drug) =>
  ILLS.flatMap((ill) => [text(`take *${drug}* for *${ill}*`), text(`no *${ill}* *${drug} extra*`)])
);

const SIZES = { hiddenSize: 16, layers: 2, heads: 2, feedForwardSize: 32, maxPositions: 16 };
const fresh = (seed = 1): ModelBundle => freshModel(SIZES, tokenizer, LABELS, seed);
const one: MakeTrainer = (model, options) => createTrainer(model, { ...options, threads: 1 });

/** All ways in which texts differ from epoch to epoch. */
const AUGMENT = { exchange: 0.5, mask: 0.2, resplit: 0.5, join: 0.3 };

const OPTIONS: FineTuneOptions = { epochs: 4, rate: 5e-3, tokens: 48, texts: 4, dropout: 0.1 };

function input(options: FineTuneOptions = {}, parts: Partial<FineTuneInput> = {}): FineTuneInput {
  return {
    model: fresh(),
    labels: LABELS,
    train: TEXTS.slice(0, 20),
    validation: TEXTS.slice(20),
    options: { ...OPTIONS, ...options },
    ...parts,
  };
}

interface Ran {
  readonly records: TrainRecord[];
  readonly result: ModelBundle;
}

/** Runs to the end, or to the record after which `stop` says so; then the checkpoint is what counts. */
async function run(
  from: FineTuneInput,
  stop?: (record: TrainRecord) => boolean,
): Promise<Ran & { files: Map<string, Uint8Array> }> {
  const tuning = await FineTuning.create(one, from), records: TrainRecord[] = [];
  try {
    for await (const record of tuning.run()) {
      records.push(record);
      if (stop?.(record)) break;
    }
    return { records, result: tuning.result(), files: tuning.checkpoint() };
  } finally {
    tuning.close();
  }
}

async function refused(from: FineTuneInput, code: string, message: RegExp): Promise<void> {
  try {
    await run(from);
  } catch (error) {
    assert.instance(error, NerError);
    assert.is((error as NerError).code, code);
    assert.match((error as Error).message, message);
    return;
  }
  assert.unreachable(`expected ${code}`);
}

test("a fresh encoder learns what is there to be learnt", async () => {
  const { records, result } = await run(input({ epochs: 12 }));
  const epochs = records.flatMap((r) => r.kind === "epoch" ? [r] : []);
  assert.is(epochs.length, 12);
  assert.ok(epochs.at(-1)!.loss < 0.1 * epochs[0]!.loss);
  assert.is(epochs.at(-1)!.scores!.micro.f1, 1);
  assert.is(epochs.at(-1)!.best!.score, 1);
  assert.equal(result.weights.config.labels, LABELS);
  assert.ok(result.crf!.transitions.some((value) => value !== 0));
});

const RUNS: FineTuneOptions[] = [
  {},
  { average: 0.9, augment: AUGMENT },
  { crf: false, accumulate: 2 },
];

for (const options of RUNS) {
  for (const at of [2, 7]) {
    test(`a run that was ended after step ${at} goes on with the same bits: ${JSON.stringify(options)}`, async () => {
      const whole = await run(input(options));
      const part = await run(input(options), (r) => r.kind === "step" && r.step === at);
      const rest = await run(input(options, {
        model: loaded(part.files),
        state: part.files.get("optimizer.safetensors"),
      }));
      assert.equal([...part.records, ...rest.records], whole.records);
      assert.equal(rest.files, whole.files);
      assert.equal(rest.result.weights, whole.result.weights);
    });
  }
}

test("a run that was ended between two epochs, and one that is over, go on with the same bits", async () => {
  const whole = await run(input());
  const part = await run(input(), (r) => r.kind === "epoch" && r.epoch === 2);
  const from = (files: ReadonlyMap<string, Uint8Array>) =>
    input({}, { model: loaded(files), state: files.get("optimizer.safetensors") });
  assert.equal((await run(from(part.files))).files, whole.files);
  const over = await run(from(whole.files));
  assert.equal(over.records, []);
  assert.equal(over.result.weights, whole.result.weights);
});

test("the seed decides: the same one twice, another one", async () => {
  const [a, b, c] = [await run(input()), await run(input()), await run(input({ seed: 2 }))];
  assert.equal(a.files, b.files);
  assert.not.equal(a.files.get("model.safetensors"), c.files.get("model.safetensors"));
});

test("the best epoch is kept, not the last, and patience ends a run", async () => {
  // Everything is found by the fourth epoch: what follows is no better.
  const { records, result } = await run(input({ epochs: 30, patience: 2 }));
  const epochs = records.flatMap((r) => r.kind === "epoch" ? [r] : []);
  const { best } = epochs.at(-1)!;
  assert.is(epochs.length, best!.since + 2);
  const score = new Validation(TEXTS.slice(20), tokenizer, 16, 48);
  const trainer = await one({ weights: result.weights, crf: result.crf! }, { maxTokens: 48 });
  const again = score.score((batch) => trainer.emissions(batch), LABELS, result.crf);
  trainer.close();
  assert.is(again.micro.f1, best!.score);
  assert.equal(again, epochs[best!.epoch - 1]!.scores);
});

test("without validation the last epoch counts, and its moving average if there is one", async () => {
  const last = await run(input({}, { validation: [] }));
  assert.equal(last.result.weights, loaded(last.files).weights);
  const mean = await run(input({ average: 0.5 }, { validation: [] }));
  assert.equal(mean.files.get("model.safetensors"), last.files.get("model.safetensors"));
  assert.not.equal(mean.result.weights, last.result.weights);
});

test("accumulated batches are one step, as if they were one batch", async () => {
  // Without dropout, and with batches that hold the same texts, sums differ by their order alone.
  const plain = { dropout: 0, epochs: 1, tokens: 500 };
  const together = await run(input({ ...plain, texts: 20 }));
  const apart = await run(input({ ...plain, texts: 5, accumulate: 4 }));
  assert.is(together.records.length, 2);
  const [a, b] = [together, apart].map(({ records }) => records[0]!);
  assert.ok(Math.abs(a!.loss - b!.loss) < 1e-6 * a!.loss);
});

test("frozen parts do not move, and a head over the same labels is kept", async () => {
  const model = fresh(3), freeze = { embeddings: true, layers: 1 };
  const { result } = await run(input({ freeze }, { model }));
  assert.equal(result.weights.wordEmbedding, model.weights.wordEmbedding);
  assert.equal(result.weights.layers[0], model.weights.layers[0]);
  assert.not.equal(result.weights.layers[1], model.weights.layers[1]);

  const kept = startModel(model, { labels: LABELS, crf: false, seed: 9 });
  assert.equal(kept.weights.classifier, model.weights.classifier);
  assert.is(kept.crf, undefined);
  const other = startModel(model, { labels: ["O", "B-X", "I-X"], crf: true, seed: 9 });
  assert.is(other.weights.classifier.weight.rows, 3);
  assert.equal(other.weights.layers, model.weights.layers);
  assert.equal(other.crf!.transitions, new Float32Array(9));
});

/** Checkpoints that transformers wrote (tools/fixtures/make_zoo.py). */
const FAMILIES = ["bert", "electra", "distilbert", "albert", "xlmr"];

for (const family of FAMILIES) {
  test(`a PyTorch checkpoint is a start, and goes on with the same bits: ${family}`, async () => {
    const folder = new URL(`../fixtures/zoo/${family}-safetensors/`, import.meta.url);
    const file = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));
    const model = bundleFromCheckpoint({
      model: file("model.safetensors"),
      config: file("config.json"),
      tokenizer: file("tokenizer.json"),
    });
    const from = (parts: Partial<FineTuneInput> = {}) =>
      input({ epochs: 2, rate: 1e-3 }, { model, ...parts });
    const whole = await run(from());
    const part = await run(from(), (r) => r.kind === "step" && r.step === 4);
    const state = part.files.get("optimizer.safetensors");
    const rest = await run(from({ model: loaded(part.files), state }));
    assert.equal([...part.records, ...rest.records], whole.records);
    assert.equal(rest.files, whole.files);
    assert.ok(whole.records.every(({ loss }) => Number.isFinite(loss)));
  });
}

test("a packed model is a start: what its integers stand for", async () => {
  const model = fresh(), packed = { ...model, weights: quantizeEncoder(model.weights).weights };
  const { weights } = startModel(packed, { labels: LABELS, crf: true, seed: 1 });
  visitWeights(weights.config, {
    matrix: (_name, _rows, _columns, part) => (assert.is(part!.type, "f32"), part!),
    table: (_name, _rows, _columns, part) => part!,
    vector: (_name, _size, part) => part!,
  }, weights);
  await run(input({ epochs: 1 }, { model: packed }));
});

test("long texts go in windows that hold all their tokens", () => {
  const long = text("take *napa* for *fever* no *cough* extra for *pain* take *ace*");
  const sequences = sequencesOf(
    [long],
    (text) => tokenizer.encode(text),
    tokenizer,
    new Labeller(LABELS),
    8,
  );
  assert.ok(sequences.length > 1);
  assert.ok(
    sequences.every(({ ids, labels }) =>
      ids.length <= 8 && labels.length === ids.length && ids[0] === tokenizer.cls && labels[0]! < 0
    ),
  );
  assert.ok(sequences.flatMap(({ ids }) => [...ids]).includes(tokenizer.tokenToId("ace")!));
});

test("rates rise, fall to nothing, and differ by part", () => {
  const settings = settingsOf(
    { rate: 1, warmup: 0.2, freeze: { embeddings: true, layers: 1 } },
    SIZES,
  );
  const rates = Array.from({ length: 10 }, (_, i) => rateAt(i + 1, 10, settings));
  assert.equal(rates, [0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]);
  const of = (name: string): number => rateOf({ name }, settings);
  assert.equal(
    ["embeddings.word.weight", "layers.0.attention.qkv.bias", "layers.1.feed_forward.up.weight"]
      .map(of),
    [0, 0, 1],
  );
  assert.equal(["classifier.weight", "crf.start"].map(of), [2, 10]);
});

test("adapters learn beside an encoder that does not move, and merge to the model that was validated", async () => {
  const model = fresh(3),
    maps = ["query", "value", "attentionOutput", "up", "down", "key"] as const;
  const tuning = await FineTuning.create(
    one,
    input({ lora: { rank: 4, maps }, epochs: 12, rate: 0.02 }, { model }),
  );
  const before = tuning.result();
  assert.equal(before.weights.layers, model.weights.layers, "B begins at zero");
  const records: TrainRecord[] = [];
  for await (const record of tuning.run()) records.push(record);
  const { learnt, parameters } = tuning.size, result = tuning.result(), adapter = tuning.adapter()!;
  tuning.close();
  assert.is(learnt, 2 * (4 * (4 * 16 + 16 * 4) + 2 * 4 * (16 + 32)) + 5 * 16 + 5 + 2 * 5 + 25);
  assert.ok(parameters > learnt);
  const last = records.at(-1)!;
  assert.ok(last.kind === "epoch" && last.scores!.micro.f1 > 0.9);

  const { weights } = result;
  assert.equal(weights.wordEmbedding, model.weights.wordEmbedding);
  assert.equal(weights.layers[0]!.up.bias, model.weights.layers[0]!.up.bias);
  assert.not.equal(weights.layers[0]!.qkv.weight, model.weights.layers[0]!.qkv.weight);
  const files = writeAdapter(adapter, model.weights.config);
  const read = readAdapter(files.get("adapter_model.safetensors")!);
  assert.equal(read, adapter);
  assert.equal(
    mergeAdapter(startModel(model, { labels: LABELS, crf: true, seed: 1 }).weights, read),
    weights,
  );
});

test("adapters go on from a checkpoint with the same bits", async () => {
  const lora = { rank: 2 }, model = fresh(3);
  for (const average of [0, 0.9]) {
    const from = (state?: Uint8Array) => input({ lora, average, rate: 0.02 }, { model, state });
    const whole = await run(from());
    const part = await run(from(), (r) => r.kind === "step" && r.step === 7);
    const rest = await run(from(part.files.get("optimizer.safetensors")));
    assert.equal([...part.records, ...rest.records], whole.records);
    assert.equal(rest.files, whole.files);
    assert.equal(rest.result.weights, whole.result.weights);
  }
  const { files } = await run(input({ lora }, { model }), (r) => r.step === 1);
  const state = files.get("optimizer.safetensors");
  await refused(
    input({ lora }, { model: loaded(files), state }),
    "checkpoint/state",
    /another encoder/,
  );
});

test("divergence names the epoch, the step and its texts", async () => {
  await refused(
    input({ rate: 1, headRate: 100, warmup: 0, clip: Infinity, epochs: 40 }),
    "train/diverged",
    /^training diverges in epoch \d+, step \d+, batch of 4 texts \((take|no) .*\): /,
  );
});

test("what cannot be is refused before memory is taken", async () => {
  await refused(
    input({ epochs: 0 }),
    "input/option",
    /epochs is 0; expected a whole number from 1/,
  );
  await refused(input({ length: 99 }), "input/option", /length is 99; expected at most 16/);
  await refused(
    input({ freeze: { layers: 3 } }),
    "input/option",
    /freeze\.layers is 3; expected 0 to 2/,
  );
  await refused(input({ lora: { rank: 0 } }), "input/option", /lora\.rank is 0/);
  await refused(input({ lora: { rank: 1, maps: [] } }), "input/option", /lora\.maps is \[\]/);
  const also = [{ texts: TEXTS, types: { MED: "MED" } }];
  await refused(input({ crf: false }, { also }), "input/option", /known in part need a CRF/);
  await refused(input({}, { train: [] }), "input/data", /no text to learn from has a token/);
  await refused(input({}, { labels: ["O", "B-X", "I-X"] }), "input/labels", /no label can say/);
});

test("a state of another run is refused, by what is other", async () => {
  const { files } = await run(input(), (r) => r.step === 1);
  const state = files.get("optimizer.safetensors")!, model = loaded(files);
  const code = "checkpoint/state";
  await refused(input({ rate: 1e-3 }, { model, state }), code, /begun with another options/);
  await refused(input({}, { model, state, train: TEXTS.slice(1) }), code, /another texts/);
  const augmented = (names: Record<string, string[]>, state?: Uint8Array) =>
    input({ augment: AUGMENT }, { model, names, state });
  const named = await run(augmented({ MED: ["napa"] }), (r) => r.step === 1);
  const after = named.files.get("optimizer.safetensors")!;
  await refused(augmented({ MED: ["ace"] }, after), code, /another names/);
  const corpus = { also: [{ texts: TEXTS, types: { MED: "MED" } }] };
  await refused(input({}, { model, state, ...corpus }), code, /another also/);
  await refused(
    input({}, { model, state: files.get("model.safetensors") }),
    code,
    /its format is "pt"/,
  );
  await refused(
    input({}, { model, state: state.slice(0, -9) }),
    "safetensors/truncated",
    /ends at/,
  );
});

test.run();
