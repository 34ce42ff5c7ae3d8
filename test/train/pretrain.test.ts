/**
 * Pretraining: what is hidden and packed, that it learns, and that a run goes on with the same bits.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { NerError } from "../../src/errors.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import { createTrainer } from "../../src/runtime/trainer.ts";
import { tokenizerFromVocab } from "../../src/tokenizer/load.ts";
import { freshModel } from "../../src/train/loop/start.ts";
import type { MakeTrainer } from "../../src/train/types.ts";
import { drawingLoss } from "../../src/train/losses/drawn.ts";
import { type Corpus, MemoryCorpus } from "../../src/train/pretrain/corpus.ts";
import { generatorOf } from "../../src/train/pretrain/heads.ts";
import { idOf, insideWord } from "../../src/train/pretrain/marked.ts";
import { Masking } from "../../src/train/pretrain/masking.ts";
import type { PretrainOptions } from "../../src/train/pretrain/options.ts";
import { HeldOut } from "../../src/train/pretrain/overlap.ts";
import { Packer, type PackingOptions } from "../../src/train/pretrain/packing.ts";
import {
  Pretraining,
  type PretrainInput,
  type PretrainRecord,
} from "../../src/train/pretrain/pretrain.ts";
import { Random } from "../../src/train/random.ts";
import { random } from "../support.ts";
import { loaded } from "./support.ts";

const ANIMALS = ["cat", "dog", "hen", "cow"], SOUNDS = ["mews", "barks", "clucks", "moos"];
const tokenizer = tokenizerFromVocab(
  // deno-fmt-ignore
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...ANIMALS, ...SOUNDS, "the", "now", "at", "home", "un", "##der", "##neath", "##ing", ""].join("\n"),
);
const id = (piece: string): number => tokenizer.tokenToId(piece)!;

/** `the cat mews now`: the sound follows from the animal. */
const LINES = ANIMALS.flatMap((animal, i) =>
  ["", " now", " at home", " underneath"].flatMap((rest) => [
    `the ${animal} ${SOUNDS[i]}${rest}`,
    `now the ${animal} ${SOUNDS[i]}${rest}`,
  ])
);

function packed(lines: readonly string[], options: PackingOptions): Uint32Array[] {
  const sequences: Uint32Array[] = [];
  const packer = new Packer(tokenizer, options, (sequence) => sequences.push(sequence));
  for (const line of lines) packer.add(line);
  packer.end();
  return sequences;
}

const pieces = (sequence: Uint32Array): string =>
  Array.from(sequence, (token) => tokenizer.idToToken(idOf(token))).join(" ");

test("texts that follow each other share a sequence while they fit, and documents do not", () => {
  const lines = ["the cat", "mews now", "the dog barks", "", "at home"];
  assert.equal(packed(lines, { length: 8 }).map(pieces), [
    "[CLS] the cat [SEP] mews now [SEP]",
    "[CLS] the dog barks [SEP]",
    "[CLS] at home [SEP]",
  ]);
  assert.equal(packed(lines, { length: 8, join: false }).map(pieces), [
    "[CLS] the cat [SEP]",
    "[CLS] mews now [SEP]",
    "[CLS] the dog barks [SEP]",
    "[CLS] at home [SEP]",
  ]);
});

test("a long text is cut between words, and every token is in it once", () => {
  const text = Array.from({ length: 40 }, (_, i) => i % 3 ? "now" : "underneath").join(" ");
  for (const length of [5, 6, 9, 31]) {
    const sequences = packed([text], { length });
    assert.ok(sequences.every((sequence) => sequence.length <= length));
    assert.ok(sequences.every((sequence) => !insideWord(sequence[1]!)));
    const inner = sequences.flatMap((sequence) => [...sequence.subarray(1, -1)].map(idOf));
    assert.equal(inner, [...tokenizer.encode(text).ids]);
  }
});

test("words are hidden whole, about as many as asked, and anew each time", () => {
  const masking = new Masking(tokenizer, 0.3);
  const [sequence] = packed(["the underneath cat mews unhappy now", "the dog underneath"], {
    length: 32,
  });
  const original = Array.from(sequence!, idOf), counts = { mask: 0, other: 0, same: 0 };
  const seen = new Set<string>();
  for (let i = 0; i < 2000; i++) {
    const { ids, tokens, pieces } = masking.mask(sequence!, new Random(1, "hide", i));
    assert.ok(tokens.length <= Math.round(0.3 * sequence!.length) && tokens.length > 0);
    assert.equal([...pieces], [...tokens].map((t) => original[t]));
    seen.add(tokens.join());
    const hidden = new Set(tokens);
    original.forEach((piece, t) => {
      // A word's tokens are hidden together; [CLS], [SEP] and the unknown word never.
      if (insideWord(sequence![t]!)) assert.is(hidden.has(t), hidden.has(t - 1));
      if ([id("[CLS]"), id("[SEP]"), id("[UNK]")].includes(piece)) assert.not(hidden.has(t));
      if (!hidden.has(t)) assert.is(ids[t], piece);
      else if (ids[t] === id("[MASK]")) counts.mask++;
      else if (ids[t] === piece) counts.same++;
      else counts.other++;
    });
  }
  assert.ok(seen.size > 20);
  const all = counts.mask + counts.other + counts.same;
  // Deviations of a share of 0.8 of some 6000 draws are 0.5 %; a random piece is the same one in 15.
  assert.ok(Math.abs(counts.mask / all - 0.8) < 0.02, JSON.stringify(counts));
  assert.ok(Math.abs(counts.other / all - 0.1 * 14 / 15) < 0.02, JSON.stringify(counts));
});

test("a word that is too long to be hidden whole is hidden from its beginning", () => {
  const [sequence] = packed(["underneath"], { length: 32 });
  const { tokens } = new Masking(tokenizer, 0.15).mask(sequence!, new Random(1, "hide"));
  assert.equal([...tokens], [1]);
});

test("shared stretches are found, exactly those that plain search finds", () => {
  const next = random(5), letter = (): string => "ab c"[Math.floor(next() * 4)]!;
  const text = (size: number): string => Array.from({ length: size }, letter).join("");
  const letters = (value: string): string => value.replaceAll(" ", "");
  for (let round = 0; round < 300; round++) {
    const length = 8, held = [text(30), text(5)], other = text(60);
    const out = new HeldOut(length);
    for (const one of held) out.add(one);
    const own = letters(other);
    const found = held.map(letters).some((one) =>
      one.length < length
        ? one !== "" && one === own
        : Array.from({ length: one.length - length + 1 }, (_, i) => one.slice(i, i + length))
          .some((stretch) => own.includes(stretch))
    );
    assert.is(out.shares(other), found, `${held} | ${other}`);
  }
  const out = new HeldOut(10);
  out.add("Ｃｈｅｓｔ pain, for three days");
  assert.ok(out.shares("He had CHEST PAIN: for two days."));
  assert.not.ok(out.shares("He had pain in his chest."));
});

test("a generator's pieces are drawn with the probabilities that it gives them", async () => {
  const model = generatorOf(fresh().weights.config, tokenizer, 1);
  const trainer = await one(model, { maxTokens: 16, maxMasked: 4, seed: 1, dropout: 0 });
  const batch = { ids: Int32Array.from([2, 13, 4, 4, 3]), offsets: Int32Array.from([0, 5]) };
  const counts = new Map<number, number>(), probabilities = new Float64Array(tokenizer.vocabSize);
  const runs = 3000;
  for (let i = 0; i < runs; i++) {
    const { loss, drawn } = drawingLoss(
      Int32Array.from([2]),
      Int32Array.from([5]),
      new Random(1, "replace", i),
    );
    const evaluate: typeof loss.evaluate = (input) => {
      const { memory, start, columns } = input.emissions;
      const logits = memory.subarray(start, start + columns);
      let sum = 0;
      for (const x of logits) sum += Math.exp(x);
      logits.forEach((x, j) => probabilities[j] = Math.exp(x) / sum);
      return loss.evaluate(input);
    };
    await trainer.evaluate([{ batch, loss: { ...loss, evaluate } }]);
    counts.set(drawn[0]!, (counts.get(drawn[0]!) ?? 0) + 1);
  }
  trainer.close();
  // Chi squared of 22 degrees of freedom: above 48 once in a thousand seeds.
  const chi = probabilities.reduce(
    (sum, p, j) => sum + ((counts.get(j) ?? 0) - p * runs) ** 2 / (p * runs),
    0,
  );
  assert.ok(chi < 48, `chi squared ${chi}`);
});

const SIZES = { hiddenSize: 32, layers: 2, heads: 2, feedForwardSize: 64, maxPositions: 32 };
const fresh = (): ModelBundle => freshModel(SIZES, tokenizer, ["O"], 1);
const one: MakeTrainer = (model, options) => createTrainer(model, { ...options, threads: 1 });
const corpusOf = (lines: readonly string[]): Corpus =>
  new MemoryCorpus(packed(lines, { length: 12, join: false }));
const CORPUS = corpusOf(LINES.filter((_, i) => i % 5 !== 3));
const HELD_OUT = corpusOf(LINES.filter((_, i) => i % 5 === 3));

const input = (options: PretrainOptions = {}, parts: Partial<PretrainInput> = {}) => ({
  model: fresh(),
  corpus: CORPUS,
  heldOut: HELD_OUT,
  options: { tokens: 64, passes: 3, rate: 2e-3, share: 0.2, evaluate: 4, ...options },
  ...parts,
});

/** Runs to the end, or to the record after which `stop` says so. */
async function run(
  from: PretrainInput,
  stop?: (record: PretrainRecord) => boolean,
): Promise<{ records: PretrainRecord[]; result: ModelBundle; files: Map<string, Uint8Array> }> {
  const pretraining = await Pretraining.create(one, from), records: PretrainRecord[] = [];
  try {
    for await (const record of pretraining.run()) {
      records.push(record);
      if (stop?.(record)) break;
    }
    assert.is(
      pretraining.over,
      stop === undefined || records.at(-1)!.step === pretraining.totalSteps,
    );
    return { records, result: pretraining.result(), files: pretraining.checkpoint() };
  } finally {
    pretraining.close();
  }
}

for (const objective of ["masked", "replaced"] as const) {
  test(`it learns what follows from what: ${objective}`, async () => {
    const { records } = await run(
      input({ objective, passes: 80, rate: 4e-3, evaluate: 100, dropout: 0 }),
    );
    const looks = records.flatMap((record) => record.kind === "held-out" ? [record] : []);
    assert.is(looks.at(-1)!.step, records.findLast(({ kind }) => kind === "step")!.step);
    // Who knows nothing has ln 20 = 3.0 of pieces, and 0.5 where a fifth of the tokens is replaced.
    const { loss } = looks.at(-1)!, most = objective === "masked" ? 1.2 : 0.3;
    assert.ok(loss < most, `held-out loss ${loss}`);
  });

  test(`a run that was ended goes on with the same bits: ${objective}`, async () => {
    const options = { objective, accumulate: 2 }, whole = await run(input(options));
    const steps = whole.records.filter(({ kind }) => kind === "step").length;
    const passes = new Set(whole.records.flatMap((r) => r.kind === "step" ? [r.pass] : []));
    assert.is(passes.size, 3);
    // In the middle of a pass, at its end, and after a look.
    for (const at of [1, steps / 3, 4]) {
      const part = await run(input(options), (record) => {
        return record.step === at && record.kind === (at === 4 ? "held-out" : "step");
      });
      const rest = await run(input(options, {
        model: loaded(part.files),
        state: part.files.get("optimizer.safetensors"),
      }));
      assert.equal([...part.records, ...rest.records], whole.records);
      assert.equal(rest.files, whole.files);
    }
  });
}

test("a head that came with the model stays as it was", async () => {
  const model = freshModel(SIZES, tokenizer, ["O", "B-X", "I-X"], 3);
  const { result } = await run(input({}, { model }));
  assert.equal(result.weights.classifier, model.weights.classifier);
  assert.not.equal(result.weights.layers, model.weights.layers);
});

test("what cannot be is refused", async () => {
  const refused = async (from: PretrainInput, code: string, message: RegExp): Promise<void> => {
    try {
      (await Pretraining.create(one, from)).close();
    } catch (error) {
      assert.instance(error, NerError);
      assert.is((error as NerError).code, code);
      return assert.match((error as Error).message, message);
    }
    assert.unreachable(`expected ${code}`);
  };
  await refused(input({ share: 0 }), "input/option", /^share is 0; expected a number from 0\.01/);
  await refused(
    input({ objective: "guessed" as "masked" }),
    "input/option",
    /^objective is "guessed"; expected masked or replaced/,
  );
  const none = new MemoryCorpus([]);
  await refused(input({}, { corpus: none }), "input/data", /no sequence to learn from/);
  const long = new MemoryCorpus(packed([LINES.join(" ")], { length: 40 }));
  await refused(input({}, { corpus: long }), "input/batch", /a sequence of 40 tokens; .* sees 32/);
  const bare = tokenizerFromVocab(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", ""].join("\n"));
  const model = freshModel(SIZES, bare, ["O"], 1);
  await refused(input({}, { model }), "input/tokenizer", /neither \[MASK\] nor <mask>/);
  const { files } = await run(input(), ({ step }) => step === 1);
  const state = files.get("optimizer.safetensors");
  await refused(input({ seed: 2 }, { state }), "checkpoint/state", /begun with another options/);
  await refused(
    input({}, { state, corpus: HELD_OUT }),
    "checkpoint/state",
    /begun with another corpus/,
  );
  await refused(
    input({}, { state: files.get("model.safetensors") }),
    "checkpoint/state",
    /its format is "pt"/,
  );
});

test.run();
