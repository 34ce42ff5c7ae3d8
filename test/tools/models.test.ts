/**
 * How the committed models are made (docs/models.md), on made-up corpora: the splits, the files, the stages, and all of
 * it once, by `--quick`.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readTexts } from "../../train.ts";
import { exchanged, makeModelData, withoutNonCommercial } from "../../tools/models/data.ts";
import { BANGLA, ENGLISH, MODELS } from "../../tools/models/descriptions.ts";
import { floorOf } from "../../tools/models/floor.ts";
import { PythonRandom } from "../../tools/models/mersenne.ts";
import { stagesOf } from "../../tools/models/plan.ts";
import { madeUp } from "../../tools/models/quick.ts";
import { groupedSplit, groupsOf, shuffledSplit } from "../../tools/models/splits.ts";
import { reservedTerms } from "../../tools/models/terms.ts";

const folder = mkdtempSync(join(tmpdir(), "edge-ner-models-"));
test.after(() => rmSync(folder, { recursive: true }));

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const entity = (type: string, start: number, end: number) => ({ type, start, end });

test("orders and samples are Python's, of one seed after another", () => {
  // By CPython 3.11: _randbelow, shuffle, sample and choice of random.Random(seed).
  const random = new PythonRandom(2605), order = random.shuffled(upTo(2555));
  assert.equal(order.slice(0, 6), [141, 2137, 1746, 731, 1236, 2047]);
  assert.equal(order.slice(-6), [331, 61, 1805, 1448, 29, 2148]);
  assert.is(order.reduce((sum, value, i) => sum + (i + 1) * value, 0), 4134140418);
  const all = (seed: number): string => {
    const next = new PythonRandom(seed);
    return [
      upTo(3).map(() => next.below(2 ** 31)),
      upTo(8).map(() => next.below(7)),
      next.shuffled(upTo(12)),
      next.sample(upTo(10), 4),
      next.sample(upTo(1000), 6),
      next.sample(upTo(100), 30).slice(0, 8),
      upTo(6).map(() => next.pick([..."abcdef"])),
    ].map((one) => one.join(" ")).join("; ");
  };
  assert.is(
    all(1),
    "577090037 271041745 1095513148; 0 3 6 3 3 5 3 6; 2 5 10 9 8 4 11 6 0 7 1 3; 9 1 5 0; " +
      "22 26 665 554 9 961; 48 87 27 54 92 3 67 28; c e d e d e",
  );
  assert.is(
    all(2 ** 32 - 1),
    "872737089 924893097 1251276551; 4 2 3 5 5 6 2 2; 9 5 0 11 4 8 10 2 3 1 6 7; 5 0 6 9; " +
      "449 582 746 262 557 725; 75 8 0 70 57 94 26 98; d d a c d d",
  );
});

const TABLE = "Text,Drug\n" + upTo(30).map((i) =>
  // Of every three rows, the second names its drug otherwise, and the third does not list it.
  i % 3 === 0
    ? `"${i}\nuses Drug${i}","Drug${i} (a kind, and more)"\n`
    : i % 3 === 1
    ? `${i} more of it,"Drug${i - 1},other"\n`
    : `${i} lists none but has Drug${i - 2} and Dru,\n`
).join("");

test("a tenth each is held out, and where groups stay together, whole groups are", () => {
  const { texts } = readTexts(TABLE, "table.csv", { types: { Drug: "MED" } });
  const split = shuffledSplit(texts, 1);
  assert.equal([split.train, split.validation, split.test].map(({ length }) => length), [24, 3, 3]);
  assert.is(new Set(Object.values(split).flat()).size, 30);
  const other = shuffledSplit(texts, 1, texts.slice(0, 1));
  assert.equal([other.train.length, other.validation.length], [27, 3]);
  assert.equal(other.validation, split.validation);

  const groups = groupsOf(texts, TABLE, "Drug");
  assert.equal(groups, upTo(30).map((i) => `Drug${i - i % 3}`));
  const apart = groupedSplit(texts, groups, 1);
  assert.equal([apart.train, apart.validation, apart.test].map(({ length }) => length), [24, 3, 3]);
  for (const part of [apart.validation, apart.test]) {
    assert.is(new Set(part.map((text) => groups[texts.indexOf(text)])).size, 1);
  }
  assert.throws(() => groupsOf(texts, TABLE, "Medicine"), /there is no column "Medicine"/);
});

test("reserved names are in no training text, and stand for others in held-out ones", () => {
  const text = (text: string) => ({ text, where: "here, line 1", entities: [] });
  const names = upTo(40).map((i) => `name${String.fromCharCode(97 + i % 26)}${i}`);
  const reserved = reservedTerms(["ab", ...names], [text(`has ${names[0]} and ${names[1]}`)]);
  assert.ok(reserved.length > 8 && reserved.length < 32, `${reserved.length}`);
  assert.not.ok(reserved.includes(names[0]!) || reserved.includes(names[1]!));

  const [made, ...others] = exchanged(
    [
      {
        ...text("a 😀 b, a; b"),
        entities: [entity("MED", 0, 1), entity("DIS", 5, 6), entity("MED", 8, 9)],
      },
      { ...text("no b"), entities: [entity("DIS", 3, 4)] },
    ],
    "MED",
    ["other name"],
    11,
  );
  assert.is(others.length, 0);
  assert.is(made!.text, "other name 😀 b, other name; b");
  assert.equal(made!.entities, [
    entity("MED", 0, 10),
    entity("DIS", 14, 15),
    entity("MED", 17, 27),
  ]);
});

test("a dictionary knows training entities, and the mostly labelled ones better", () => {
  const texts = (lines: string[], gold: [number, number, number][]) =>
    lines.map((text, i) => ({
      text,
      entities: gold.filter(([line]) => line === i).map(([, a, b]) => entity("MED", a, b)),
    }));
  // "napa" is labelled always, "ace" once in three places.
  const train = texts(["napa and ace", "an ace of aces"], [[0, 0, 4], [0, 9, 12]]);
  const asked = texts(["napa, not ace"], [[0, 0, 4]]);
  assert.is(floorOf(train, asked, 0).micro.precision, 1 / 2);
  assert.is(floorOf(train, asked, 0.5).micro.f1, 1);
});

/** What a stage reads must be made before: by the data, or by a stage. */
test("every stage has a name and a product of its own, and reads what was made before", () => {
  for (const described of [...MODELS, ...MODELS.map(withoutNonCommercial)]) {
    const corpora = join(folder, "corpora"), out = join(folder, "plan", described.name);
    const model = madeUp(described, corpora);
    rmSync(out, { recursive: true, force: true });
    makeModelData(join(out, "data"), corpora, model);
    const stages = stagesOf(out, model, { data: corpora, learnVocabulary: true });
    assert.is(new Set(stages.map(({ name }) => name)).size, stages.length);
    assert.is(new Set(stages.map(({ done }) => JSON.stringify(done))).size, stages.length);
    const there = new Set([join(out, "results.jsonl")]);
    for (const { name, args, done } of stages) {
      const own = "path" in done ? done.path.replace(/[/\\]report\.json$/, "") : "";
      for (const arg of args.map((one) => one.replace(/^[^=]*=/, ""))) {
        if (!arg.startsWith(folder) || arg === own) continue;
        assert.ok(existsSync(arg) || there.has(arg), `${name}: ${arg}`);
      }
      there.add(own);
    }
  }
});

test("without corpora that forbid commercial use, nothing is made from one", () => {
  const model = withoutNonCommercial(BANGLA);
  assert.equal(model.further, {});
  assert.not.match(JSON.stringify(model), /consumer/);
  assert.equal(model.lexicons.map(({ name }) => name), ["drugs", "diseases"]);
  assert.equal(withoutNonCommercial(ENGLISH), ENGLISH);
  const args = stagesOf("out", model, { data: "data", learnVocabulary: false })
    .flatMap(({ args }) => args);
  assert.not.match(args.join(" "), /consumer|--also|--unlabelled/);
});

test("the models are made from made-up corpora, and made once", () => {
  const out = join(folder, "quick");
  const program = fileURLToPath(new URL("../../tools/models/main.ts", import.meta.url));
  const run = (): string =>
    execFileSync(
      process.execPath,
      ["run", "-A", "--no-check", program, "--quick", "--threads", "1", "-o", out],
      { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] },
    );
  const first = run();
  assert.match(first, /meder: 19 of 19 stages/);
  assert.match(first, /bc5cdr: 7 of 7 stages/);
  // Of two seeds mean and deviation; of one its score.
  assert.match(first, /\| drug-test, int8 \| 2 \| [\d.]+ ± [\d.]+ \| [\d.]+ ± [\d.]+ \|/);
  assert.match(first, /\| random-test, int8 \| 1 \| [\d.]+ \| [\d.]+ \|/);
  assert.match(first, /\| random-test, dictionary of all training entities \| 1 \|/);
  for (const { name } of MODELS) {
    assert.ok(readdirSync(join(out, name)).includes(`${name}-int8.safetensors`));
  }
  const bytes = () => readFileSync(join(out, "meder", "meder-int8.safetensors"));
  const before = bytes();
  assert.match(run(), /meder: 0 of 19 stages/);
  assert.equal(bytes(), before);
});

test.run();
