/**
 * Distillation: its losses against all paths written out, several teachers, what is kept and what is refused, and that
 * a student learns from a teacher alone.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { NerError } from "../../src/errors.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import type { CrfWeights } from "../../src/model/weights.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { createTrainer } from "../../src/runtime/trainer.ts";
import { chooseLayers } from "../../src/shrink/layers.ts";
import { tokenizerFromVocab } from "../../src/tokenizer/load.ts";
import { Lessons, meanCrf } from "../../src/train/distill/lessons.ts";
import { distillSettingsOf } from "../../src/train/distill/options.ts";
import { type Teacher, teacherOf } from "../../src/train/distill/teacher.ts";
import type { LabelledText } from "../../src/corpus/text.ts";
import {
  type FineTuneInput,
  FineTuning,
  type Teaching,
  type TrainRecord,
} from "../../src/train/loop/fine_tune.ts";
import type { FineTuneOptions } from "../../src/train/loop/options.ts";
import { freshModel } from "../../src/train/loop/start.ts";
import { crossEntropyLoss } from "../../src/train/losses/cross_entropy.ts";
import { hiddenLoss } from "../../src/train/losses/hidden.ts";
import { pathLoss } from "../../src/train/losses/paths.ts";
import type { LossInput, MakeTrainer } from "../../src/train/types.ts";
import { configOf, normal, random } from "../support.ts";
import { checkSlopes, loaded, randomModel } from "./support.ts";

const one: MakeTrainer = (model, options) => createTrainer(model, { ...options, threads: 1 });

/** The score of every path of `steps` labels: emissions and a CRF's, divided by T. */
function scoresOf(
  rows: readonly (readonly number[])[],
  crf: CrfWeights | undefined,
  T: number,
): Map<string, number> {
  let paths: [number[], number][] = [[[], 0]];
  rows.forEach((row, t) => {
    paths = paths.flatMap(([path, score]) =>
      row.map((emission, j): [number[], number] => {
        const step = t === 0
          ? crf?.start[j] ?? 0
          : crf?.transitions[path.at(-1)! * row.length + j] ?? 0;
        const end = t === rows.length - 1 ? crf?.end[j] ?? 0 : 0;
        return [[...path, j], score + emission + step + end];
      })
    );
  });
  return new Map(paths.map(([path, score]) => [path.join(), score / T]));
}

/** T^2 KL(P || Q) over all paths. */
function divergence(p: Map<string, number>, q: Map<string, number>, T: number): number {
  const partition = (scores: Map<string, number>): number =>
    Math.log([...scores.values()].reduce((sum, score) => sum + Math.exp(score), 0));
  const [zp, zq] = [partition(p), partition(q)];
  let sum = 0;
  for (const [path, score] of p) sum += Math.exp(score - zp) * (score - zp - (q.get(path)! - zq));
  return T * T * sum;
}

for (const [crf, taughtCrf] of [[true, true], [true, false], [false, true], [false, false]]) {
  for (const temperature of [1, 3]) {
    const name = `crf ${crf}, teacher's ${taughtCrf}, T ${temperature}`;
    test(`the loss on paths is what all paths written out give: ${name}`, async () => {
      const config = configOf({ vocabSize: 23, labels: ["O", "B-A", "I-A"], layers: 1 });
      const { weights, crf: own } = randomModel(config, 3);
      const trainer = await one({ weights, ...(crf && { crf: own! }) }, { maxTokens: 16 });
      const batch = {
        ids: Int32Array.from([1, 5, 6, 7, 2, 1, 8, 2]),
        offsets: Int32Array.of(0, 5, 8),
      };
      const chains = [Int32Array.of(1, 2, 3), Int32Array.of(6)], next = random(4);
      const teacher = {
        emissions: normal(next, 8 * 3, 2),
        crf: taughtCrf
          ? { start: normal(next, 3, 1), end: normal(next, 3, 1), transitions: normal(next, 9, 1) }
          : undefined,
      };
      const loss = pathLoss(teacher, chains, { temperature, crf: crf! });
      assert.is(loss.count, 4);
      const gradients = new Map<string, Float32Array>();
      let seen: { value: number; emissions: Float32Array; cotangent: Float32Array } | undefined;
      const evaluate = (input: LossInput): number => {
        const { emissions: { memory, start, stride }, cotangent } = input;
        const rows = (from: number): Float32Array =>
          Float32Array.from(
            { length: 24 },
            (_, i) => memory[from + Math.floor(i / 3) * stride + i % 3]!,
          );
        const value = loss.evaluate({
          ...input,
          scale: 1,
          gradient(name) {
            gradients.set(name, new Float32Array(input.parameter(name).length));
            return gradients.get(name)!;
          },
        });
        seen = { value, emissions: rows(start), cotangent: rows(cotangent.start) };
        return value;
      };
      await trainer.evaluate([{ batch, loss: { ...loss, evaluate } }]);
      trainer.close();
      const { value, emissions, cotangent } = seen!;
      const exact = (student: ArrayLike<number>, studentCrf: CrfWeights | undefined): number =>
        chains.reduce((sum, chain) => {
          const rows = (data: ArrayLike<number>): number[][] =>
            Array.from(chain, (t) => [0, 1, 2].map((j) => data[3 * t + j]!));
          const p = scoresOf(rows(teacher.emissions), teacher.crf, temperature);
          const q = scoresOf(rows(student), studentCrf, temperature);
          return sum + divergence(p, q, temperature);
        }, 0);
      const studentCrf = crf ? own : undefined, at = exact(emissions, studentCrf);
      // Emissions over T are rounded to float32.
      assert.ok(Math.abs(value - at) < 1e-5 * at, `${value}, exactly ${at}`);
      const slope = (get: (h: number) => number): number => (get(1e-4) - get(-1e-4)) / 2e-4;
      const near = (got: number, want: number): boolean => Math.abs(got - want) < 2e-5;
      cotangent.forEach((got, k) => {
        const want = slope((h) =>
          exact(Float64Array.from(emissions, (x, i) => x + (i === k ? h : 0)), studentCrf)
        );
        assert.ok(near(got, want), `emission ${k}: ${got}, exactly ${want}`);
      });
      assert.is(gradients.size, crf ? 3 : 0);
      for (const part of crf ? ["start", "end", "transitions"] as const : []) {
        gradients.get(`crf.${part}`)!.forEach((got, k) => {
          const want = slope((h) =>
            exact(emissions, {
              ...own!,
              [part]: Float64Array.from(own![part], (x, i) => x + (i === k ? h : 0)),
            } as unknown as CrfWeights)
          );
          assert.ok(near(got, want), `${part} ${k}: ${got}, exactly ${want}`);
        });
      }
    });
  }
}

const DRUGS = ["napa", "ace", "omez", "losec"], ILLS = ["fever", "cough", "pain"];
const tokenizer = tokenizerFromVocab(
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ...DRUGS, ...ILLS, "take", "for", "extra", "no", ""].join(
    "\n",
  ),
);
const LABELS = ["O", "B-DIS", "I-DIS", "B-MED", "I-MED"];
const SIZES = { hiddenSize: 16, layers: 3, heads: 2, feedForwardSize: 32, maxPositions: 16 };

/** `take *napa* for *fever*`. */
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
const OPTIONS: FineTuneOptions = { epochs: 10, rate: 5e-3, tokens: 48, texts: 4 };

interface Ran {
  readonly records: TrainRecord[];
  readonly result: ModelBundle;
  readonly files: Map<string, Uint8Array>;
}

async function run(from: FineTuneInput, stop?: (record: TrainRecord) => boolean): Promise<Ran> {
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

const plain = { labels: LABELS, train: TEXTS.slice(0, 20), validation: TEXTS.slice(20) };
const { result: TEACHER } = await run({
  model: freshModel(SIZES, tokenizer, LABELS, 1),
  ...plain,
  options: OPTIONS,
});
const teacher = await teacherOf(one, TEACHER, 48);
const STUDENT = { ...TEACHER, weights: chooseLayers(TEACHER.weights, [1, 3]) };

function input(
  teaching: Partial<Teaching> = {},
  options: FineTuneOptions = {},
  parts: Partial<FineTuneInput> = {},
): FineTuneInput {
  return {
    model: STUDENT,
    ...plain,
    options: { ...OPTIONS, epochs: 6, ...options },
    teaching: { teachers: [teacher], ...teaching },
    ...parts,
  };
}

const scoreOf = ({ records }: Ran): number =>
  records.flatMap((r) => r.kind === "epoch" ? [r.scores!.micro.f1] : []).at(-1)!;

for (const lesson of ["emissions", "marginals"] as const) {
  for (const crf of [true, false]) {
    test(`a student learns from its teacher alone, by ${lesson}, crf ${crf}`, async () => {
      // No text has a label, and the labels' loss no weight: what is found is the teacher's.
      const unlabelled = plain.train.map((one) => ({ ...one, entities: [] }));
      const train = [text("take *napa* for *pain*")];
      const ran = await run(
        input({ lesson, unlabelled, alpha: 0 }, { crf, epochs: 20 }, { train }),
      );
      assert.is(scoreOf(ran), 1);
    });
  }
}

test("derivatives by hidden states are those of finite differences", async () => {
  const config = configOf({ vocabSize: 23, layers: 3, hiddenSize: 12, embeddingSize: 12 });
  const model = randomModel(config, 3), other = randomModel(config, 4), next = random(5);
  const batch = { ids: Int32Array.from([1, 5, 6, 7, 2, 1, 8, 2]), offsets: Int32Array.of(0, 5, 8) };
  const labels = Int32Array.of(-100, 0, 1, 2, -100, -100, 1, -100);
  const theirs = await one(other, { maxTokens: 16, dropout: 0 });
  const states = theirs.hidden(batch, [1, 3]);
  theirs.close();
  const counted = Uint8Array.from(labels, (label) => Number(label >= 0));
  // In the other order: the student's first layer is to be like the teacher's last.
  const hidden = hiddenLoss([1, 3], [states[1]!, states[0]!], { weight: 3, counted });
  const example = { batch, loss: crossEntropyLoss(labels), hidden };
  const trainer = await one(model, { maxTokens: 16, dropout: 0, clip: Infinity });
  const before = await trainer.evaluate([example]);
  const alone = await trainer.evaluate([{ batch, loss: example.loss }]);
  // By hand: the mean over 4 tokens, 2 layers and 12 columns, times 3.
  const own = trainer.hidden(batch, [1, 3]);
  const distance = [states[1]!, states[0]!].reduce(
    (sum, target, i) =>
      sum +
      target.reduce((all, x, k) => all + counted[Math.floor(k / 12)]! * (own[i]![k]! - x) ** 2, 0),
    0,
  );
  assert.ok(Math.abs(before - alone - 3 * distance / (2 * 12 * 4)) < 1e-5 * before);
  await checkSlopes(trainer, example, {
    names: [
      "embeddings.word.weight",
      "layers.0.attention.qkv.weight",
      "layers.1.feed_forward.up.bias",
      "layers.2.feed_forward.norm.bias",
    ],
    next,
    h: 1e-3,
  });
  trainer.close();
});

test("a student comes near its teacher's hidden states", async () => {
  const far = async (states: Teaching["states"]): Promise<number> => {
    const { result } = await run(
      input({ states, alpha: 0 }, { dropout: 0, epochs: 20, rate: 2e-3 }, { validation: [] }),
    );
    const student = await teacherOf(one, result, 48);
    const ids = Int32Array.from([
      tokenizer.cls,
      ...tokenizer.encode("take ace for cough").ids,
      tokenizer.sep,
    ]);
    const batch = { ids, offsets: Int32Array.of(0, ids.length) };
    const [a] = student.hidden(batch, [2]), [b] = teacher.hidden(batch, [3]);
    student.close();
    return a!.reduce((sum, x, i) => sum + (x - b![i]!) ** 2, 0);
  };
  const without = await far(undefined), near = await far({ weight: 10, layers: [1, 3] });
  assert.ok(near < 0.75 * without, `${near}, ${without} without`);
});

test("a student comes to attend like its teacher", async () => {
  const seeing = (model: ModelBundle) => teacherOf(one, model, 48, { attention: true });
  const teachers = [await seeing(TEACHER)];
  const batch = { ids: Int32Array.of(2, 8, 9, 10, 11, 3), offsets: Int32Array.of(0, 6) };
  const far = async (attention: Teaching["attention"]): Promise<number> => {
    const { result } = await run(
      input({ teachers, attention }, { dropout: 0, epochs: 20, rate: 2e-3 }, { validation: [] }),
    );
    const student = await seeing(result);
    const [a] = student.attention(batch, [2]), [b] = teachers[0]!.attention(batch, [3]);
    student.close();
    return a!.reduce((sum, x, i) => sum + (x - b![i]!) ** 2, 0);
  };
  const without = await far(undefined), near = await far({ weight: 10, layers: [1, 3] });
  teachers[0]!.close();
  assert.ok(near < 0.5 * without, `${near}, ${without} without`);
});

test("what teachers say is the same bits kept or asked again, alone or in a batch", () => {
  const student = { labels: LABELS, tokenizer, length: 16, layers: 2, hiddenSize: 16 },
    settings = distillSettingsOf({});
  const kept = new Lessons([teacher], student, settings);
  const never = new Lessons([teacher], student, settings, 0);
  const sequences = ["take napa for fever", "no cough", "losec"].map((one) => ({
    ids: Int32Array.from([tokenizer.cls, ...tokenizer.encode(one).ids, tokenizer.sep]),
    labels: new Int32Array(0),
    where: one,
  }));
  const all = never.emissions(sequences);
  assert.equal(kept.emissions(sequences.slice(1)), all.subarray(6 * 5));
  assert.equal(kept.emissions(sequences), all);
  assert.equal(kept.emissions([...sequences].reverse()).subarray(-6 * 5), all.subarray(0, 6 * 5));
});

test("several teachers are averaged, label by label", () => {
  const permuted = [...LABELS].reverse(), size = LABELS.length;
  const fake = (labels: readonly string[], value: number, crf: boolean): Teacher => ({
    ...teacher,
    labels,
    crf: crf
      ? {
        start: Float32Array.from(labels, (label) => value + LABELS.indexOf(label)),
        end: new Float32Array(size),
        transitions: Float32Array.from(
          { length: size * size },
          (_, k) =>
            10 * LABELS.indexOf(labels[Math.floor(k / size)]!) + LABELS.indexOf(labels[k % size]!),
        ),
      }
      : undefined,
    emissions: ({ ids }) =>
      Float32Array.from(
        { length: ids.length * size },
        (_, k) => value * LABELS.indexOf(labels[k % size]!),
      ),
  });
  const teachers = [fake(LABELS, 1, true), fake(permuted, 3, true), fake(permuted, 5, false)];
  const student = { labels: LABELS, tokenizer, length: 16, layers: 2, hiddenSize: 16 };
  const sequence = { ids: Int32Array.of(2, 3), labels: new Int32Array(2), where: "" };
  const said = new Lessons(teachers, student, distillSettingsOf({})).emissions([sequence]);
  assert.equal([...said], [0, 3, 6, 9, 12, 0, 3, 6, 9, 12]);
  const { start, transitions } = meanCrf(teachers, LABELS)!;
  const thirds = (x: number): number => Math.fround(x / 3);
  assert.equal([...start], [4, 6, 8, 10, 12].map(thirds));
  assert.equal(
    [...transitions],
    Array.from({ length: 25 }, (_, k) => thirds(2 * (10 * Math.floor(k / 5) + k % 5))),
  );
  assert.is(meanCrf([fake(LABELS, 1, false)], LABELS), undefined);
});

for (const options of [{}, { augment: { exchange: 0.5 } }, { crf: false, accumulate: 2 }]) {
  test(`a run that was ended goes on with the same bits: ${JSON.stringify(options)}`, async () => {
    const unlabelled = [text("take losec for cough")];
    const teaching: Partial<Teaching> = {
      unlabelled,
      lesson: options.crf === false ? "emissions" : "marginals",
    };
    const whole = await run(input(teaching, options));
    const part = await run(input(teaching, options), (r) => r.kind === "step" && r.step === 7);
    const rest = await run(input(teaching, options, {
      model: loaded(part.files),
      state: part.files.get("optimizer.safetensors"),
    }));
    assert.equal([...part.records, ...rest.records], whole.records);
    assert.equal(rest.files, whole.files);
  });
}

test("a CRF that is frozen stays the teacher's; a packed teacher teaches", async () => {
  const packed = { ...TEACHER, weights: quantizeEncoder(TEACHER.weights).weights };
  const other = await teacherOf(one, packed, 48);
  const { result } = await run(input({ teachers: [other] }, { crfRate: 0 }));
  other.close();
  assert.equal(result.crf, TEACHER.crf);
  assert.not.equal(result.weights.layers, STUDENT.weights.layers);
});

test("teachers that do not fit are refused", async () => {
  const refused = async (from: FineTuneInput, code: string, message: RegExp): Promise<void> => {
    try {
      await run(from);
    } catch (error) {
      assert.instance(error, NerError);
      assert.is((error as NerError).code, code);
      return assert.match((error as Error).message, message);
    }
    assert.unreachable(`expected ${code}`);
  };
  await refused(input({ teachers: [] }), "input/option", /no teacher/);
  await refused(input({ alpha: 1 }), "input/option", /^alpha is 1; expected 0 to below 1/);
  await refused(input({ temperature: 0 }), "input/option", /^temperature is 0; expected more than/);
  const labels = ["O", "B-MED", "I-MED"];
  await refused(
    input({ teachers: [teacher, { ...teacher, labels }] }),
    "input/labels",
    /^teacher 2 has the labels O, B-MED, I-MED; the student has O, B-DIS/,
  );
  const words = tokenizerFromVocab(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "take", ""].join("\n"));
  await refused(
    input({ teachers: [{ ...teacher, tokenizer: words }] }),
    "input/tokenizer",
    /^teacher 1 has another tokenizer/,
  );
  await refused(
    input({ teachers: [{ ...teacher, maxPositions: 8 }] }),
    "input/option",
    /sees 8 tokens at once; sequences here have up to 16/,
  );
  const states = (layers: readonly number[], weight = 1) => ({ states: { layers, weight } });
  await refused(input(states([1, 3], 0)), "input/option", /^states\.weight is 0; expected more/);
  await refused(input(states([3])), "input/option", /has 1 of the teacher's layers; .* has 2/);
  await refused(input(states([1, 4])), "input/option", /has 4; the teacher's layers are 1 to 3/);
  const wide = { ...teacher, hiddenSize: 32 };
  await refused(
    input({ teachers: [wide], ...states([1, 3]) }),
    "input/option",
    /have 32 columns, the student's 16/,
  );
  const attention = { attention: { layers: [1, 4], weight: 1 } };
  await refused(input(attention), "input/option", /attention\.layers has 4; .* are 1 to 3/);
  await refused(
    input({ attention: { layers: [1, 3], weight: NaN } }),
    "input/option",
    /^attention\.weight is NaN; expected more/,
  );
  const two = { teachers: [teacher, teacher], ...states([1, 3]) };
  await refused(input(two), "input/option", /of one teacher, and there are several/);
  const { files } = await run(input(), (r) => r.step === 1);
  const state = files.get("optimizer.safetensors");
  await refused(
    input({ temperature: 2 }, {}, { state }),
    "checkpoint/state",
    /begun with another teaching/,
  );
});

test.run();
