/**
 * `edge-ner train`: from a small file to a model that finds, and a run that is killed and gone on with.
 *
 * @module
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { cli, fixture, scratch, start } from "./run.ts";

const path = scratch();
const DRUGS = ["napa", "ace", "omez", "losec"], ILLS = ["fever", "cough", "pain"];

/** Tokens and tags: `take napa for fever`, `no fever napa extra`. */
const TSV = DRUGS.flatMap((drug) =>
  ILLS.flatMap((ill) => [
    [["take", "O"], [drug, "B-MED"], ["for", "O"], [ill, "B-DIS"]],
    [["no", "O"], [ill, "B-DIS"], [drug, "B-MED"], ["extra", "I-MED"]],
  ])
).map((tokens) => tokens.map((line) => line.join("\t") + "\n").join("")).join("\n");

const SMALL = "--hidden 16 --heads 2 --layers 1 --feed-forward 32 --positions 32 --threads 1".split(
  " ",
);

function setUp(): string[] {
  if (!existsSync(path("data.tsv"))) writeFileSync(path("data.tsv"), TSV);
  const pieces = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    ...DRUGS,
    ...ILLS,
    "take",
    "for",
    "extra",
    "no",
  ];
  writeFileSync(path("vocab.txt"), pieces.join("\n") + "\n");
  return ["train", "--data", path("data.tsv"), "--fresh", path("."), ...SMALL, "--rate", "0.01"];
}

const read = (name: string): string => readFileSync(path(name), "utf8");

test("a fresh model learns the data's types, and is packed and used", async () => {
  const run = await cli([...setUp(), "-o", path("run"), "--epochs", "12", "--batch-texts", "4"]);
  assert.is(run.code, 0);
  assert.match(run.stderr, /20 texts with 40 entities to learn from, 2 texts .*, 2 texts/);
  const said =
    /seed 1: ([\d,]+) of ([\d,]+) parameters are learnt \(([\d,]+) word pieces are in no text\), in \d+ MB; 60 steps\n/;
  assert.match(run.stderr, said);
  const [learnt, all, unseen] = said.exec(run.stderr)!.slice(1)
    .map((number) => Number(number.replaceAll(",", "")));
  const inspected = await cli(["inspect", path("run"), "--json"]);
  const { parameters, architecture: { embeddingSize } } = JSON.parse(inspected.stdout);
  assert.is(all, parameters);
  assert.is(learnt, parameters - unseen! * embeddingSize);
  assert.match(
    run.stderr,
    /\nepoch 12\/12, step 60\/60: loss 0\.\d+, F1 micro 100\.00 macro 100\.00/,
  );
  assert.match(run.stdout, /: the model of epoch \d+, validation micro F1 100\.00\n/);
  assert.match(run.stdout, /\nDIS +100\.00 .*\nMED +100\.00 .*\nmicro/);
  assert.equal(readdirSync(path("run")).sort(), [
    "config.json",
    "crf.safetensors",
    "curves.svg",
    "model.safetensors",
    "report.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "train.jsonl",
  ]);
  const records = read("run/train.jsonl").trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(
    records.filter(({ kind }) => kind === "step").map(({ step }) => step),
    Array.from({ length: 60 }, (_, i) => i + 1),
  );
  assert.match(read("run/curves.svg"), /^<svg .*Validation, strict F1/s);
  assert.is(JSON.parse(read("run/report.json")).runs[0].test.fp32.micro.f1, 1);

  const packed = await cli(["convert", path("run"), "-o", path("model.safetensors")]);
  assert.is(packed.code, 0);
  const args = ["extract", "--model", path("model.safetensors"), "--format", "jsonl"];
  const found = await cli([...args, "no cough omez extra"]);
  const entities = JSON.parse(found.stdout).entities as { type: string; text: string }[];
  assert.equal(entities.map(({ type, text }) => `${type} ${text}`), [
    "DIS cough",
    "MED omez extra",
  ]);
});

/** Ends a run by force as soon as it has written so many checkpoints. */
function killAfter(args: readonly string[], folder: string, step: number): Promise<void> {
  const child = start(args);
  return new Promise((resolve, reject) => {
    const watch = setInterval(() => {
      const names = existsSync(path(folder)) ? readdirSync(path(folder)) : [];
      const last = Math.max(
        0,
        ...names.map((name) => Number(/^checkpoint-(\d+)$/.exec(name)?.[1] ?? 0)),
      );
      if (last >= step) child.kill("SIGKILL");
    }, 1);
    child.on("error", reject);
    child.on("close", (_code, signal) => {
      clearInterval(watch);
      assert.is(signal, "SIGKILL", "the run was over before it could be killed");
      resolve();
    });
  });
}

test("a run that is killed, twice, goes on to the same bits", async () => {
  const args = [...setUp(), "--epochs", "10", "--batch-texts", "2", "--save-steps", "3"];
  const whole = await cli([...args, "-o", path("whole")]);
  assert.is(whole.code, 0);
  await killAfter([...args, "-o", path("part")], "part", 3);
  writeFileSync(path("part/.checkpoint-9.7.tmp"), "left by a run that was killed");
  await killAfter([...args, "-o", path("part"), "--resume"], "part", 40);
  const rest = await cli([...args, "-o", path("part"), "--resume"]);
  assert.is(rest.code, 0);
  assert.match(rest.stderr, /goes on after step \d+, epoch \d+\n/);
  for (const name of ["model.safetensors", "crf.safetensors", "report.json"]) {
    assert.equal(readFileSync(path(`part/${name}`)), readFileSync(path(`whole/${name}`)), name);
  }
  const untimed = (folder: string): unknown[] =>
    read(`${folder}/train.jsonl`).trim().split("\n").map((line) => {
      const { seconds: _, ...record } = JSON.parse(line);
      return record;
    });
  assert.equal(untimed("part"), untimed("whole"));
  assert.not(readdirSync(path("part")).some((name) => /checkpoint/.test(name)));
});

test("texts differ from epoch to epoch, and names of a list come into them", async () => {
  const args = [...setUp(), "--epochs", "3", "--batch-texts", "4", "--exchange", "0.9"];
  writeFileSync(path("names.tsv"), "1\textra\n2\textra\n");
  const plain = await cli([...args, "-o", path("exchanged")]);
  const named = await cli([...args, "--names", `MED=${path("names.tsv")}`, "-o", path("named")]);
  assert.is(plain.code, 0);
  assert.is(named.code, 0, named.stderr);
  const model = (folder: string) => readFileSync(path(`${folder}/model.safetensors`));
  assert.not.equal(model("named"), model("exchanged"));
});

test("a further corpus teaches the types that it knows, and goes on with the same bits", async () => {
  const args = [...setUp(), "--epochs", "4", "--batch-texts", "4", "--save-steps", "2"];
  const lines = DRUGS.map((drug) => `give\tO\n${drug}\tB-Medicine\nfever\tB-Symptom\n`);
  writeFileSync(path("other.tsv"), lines.join("\n"));
  args.push("--also", path("other.tsv"), "--also-type", "Medicine=MED", "--also-texts", "2");
  const whole = await cli([...args, "-o", path("taught")]);
  assert.is(whole.code, 0, whole.stderr);
  await killAfter([...args, "-o", path("stopped")], "stopped", 6);
  const rest = await cli([...args, "-o", path("stopped"), "--resume"]);
  assert.is(rest.code, 0, rest.stderr);
  const model = (folder: string) => readFileSync(path(`${folder}/model.safetensors`));
  assert.equal(model("stopped"), model("taught"));
});

test("lexicons are learnt with, packed and found by", async () => {
  const args = [...setUp(), "--epochs", "4", "--batch-texts", "4", "--dictionary"];
  writeFileSync(path("drugs.txt"), DRUGS.join("\n"));
  const run = await cli([...args, "--lexicon", `MED=${path("drugs.txt")}`, "-o", path("lexical")]);
  assert.is(run.code, 0, run.stderr);
  assert.ok(existsSync(path("lexical/features.safetensors")));
  const packed = await cli(["convert", path("lexical"), "-o", path("lexical.safetensors")]);
  assert.is(packed.code, 0, packed.stderr);
  assert.not(read("lexical.safetensors").includes("napa extra"));
  const found = await cli(["extract", "--model", path("lexical.safetensors"), "take ace for pain"]);
  assert.is(found.code, 0, found.stderr);
});

test("several seeds: a folder each, their mean and deviation", async () => {
  const run = await cli([
    ...setUp(),
    "-o",
    path("seeds"),
    "--epochs",
    "2",
    "--seeds",
    "2",
    "--seed",
    "5",
  ]);
  assert.is(run.code, 0);
  assert.match(run.stdout, /\nF1 of 2 seeds +mean +deviation\n-.*\nmicro +[\d.]+ +[\d.]+\n/);
  const { chosen, runs, test } = JSON.parse(read("seeds/report.json"));
  assert.equal(runs.map(({ seed }: { seed: number }) => seed), [5, 6]);
  assert.ok([5, 6].includes(chosen));
  const [a, b] = runs.map((r: { test: { fp32: { micro: { f1: number } } } }) =>
    r.test.fp32.micro.f1
  );
  assert.ok(Math.abs(test.micro.mean - (a + b) / 2) < 1e-12);
  assert.ok(existsSync(path("seeds/seed-6/train.jsonl")));
});

test("a model is trained on, with its own labels; files of one's own for validation and test", async () => {
  const line = (text: string, ...spans: [string, number, number][]) =>
    JSON.stringify({ text, spans: spans.map(([label, start, end]) => ({ label, start, end })) }) +
    "\n";
  writeFileSync(
    path("bn.jsonl"),
    line("জ্বর ও ব্যথায়", ["DIS", 0, 4]) + line("প্যারাসিটামল", ["MED", 0, 12]) +
      line("ইনসুলিন", ["ORG", 0, 7]),
  );
  const args = [
    "--data",
    path("bn.jsonl"),
    "--validation",
    path("bn.jsonl"),
    "--test",
    path("bn.jsonl"),
  ];
  const words = ["--dtype", "f32", "--whole-words", "-o", path("words.safetensors")];
  assert.is((await cli(["convert", fixture("tiny-torchscript"), ...words])).code, 0);
  const run = await cli([
    ...["train", ...args, "--base", path("words.safetensors"), "-o", path("more")],
    ...["--epochs", "1", "--freeze", "1", "--threads", "1"],
  ]);
  assert.is(run.code, 0);
  assert.match(
    run.stderr,
    /warning: 6 held-out texts are training texts, too \(the first: .*bn\.jsonl, line 1\)/,
  );
  assert.match(
    run.stderr,
    /warning: the entities of .*words\.safetensors are whole words, and/,
  );
  const { id2label } = JSON.parse(read("more/config.json"));
  const own = JSON.parse(readFileSync(fixture("tiny-torchscript/config.json"), "utf8"));
  assert.equal(id2label, own.id2label);
});

test("adapters: a run that is killed, the file, and convert --adapter, which gives the merged model", async () => {
  setUp();
  const from = await cli([...setUp(), "-o", path("base"), "--epochs", "2"]);
  assert.is(from.code, 0);
  const args = [
    ...[
      "train",
      "--data",
      path("data.tsv"),
      "--base",
      path("base"),
      "--threads",
      "1",
      "--lora",
      "2",
    ],
    ...[
      "--lora-maps",
      "query,up",
      "--rate",
      "0.02",
      "--epochs",
      "6",
      "--batch-texts",
      "2",
      "--save-steps",
      "4",
    ],
  ];
  const whole = await cli([...args, "-o", path("adapted")]);
  assert.is(whole.code, 0);
  assert.match(whole.stderr, /seed 1: 280 of [\d,]+ parameters are learnt/);
  await killAfter([...args, "-o", path("again")], "again", 8);
  const rest = await cli([...args, "-o", path("again"), "--resume"]);
  assert.is(rest.code, 0);
  for (const name of ["model.safetensors", "adapter/adapter_model.safetensors"]) {
    assert.equal(readFileSync(path(`again/${name}`)), readFileSync(path(`adapted/${name}`)), name);
  }
  for (
    const [source, output] of [[["adapted"], "one"], [
      ["base", "--adapter", "adapted/adapter"],
      "two",
    ]]
  ) {
    const own = (source as string[]).map((arg) => arg.startsWith("-") ? arg : path(arg));
    const run = await cli(["convert", ...own, "-o", path(`${output}.safetensors`), "--force"]);
    assert.is(run.code, 0, run.stderr);
  }
  assert.equal(readFileSync(path("one.safetensors")), readFileSync(path("two.safetensors")));
  const text = "fever and napa for headache";
  const [merged, beside] = await Promise.all(
    [["adapted"], ["base", "--adapter", path("adapted/adapter")]].map(([model, ...rest]) =>
      cli(["extract", "--backend", "fp32", "--model", path(model), ...rest, text])
    ),
  );
  assert.is(beside.code, 0, beside.stderr);
  assert.match(beside.stdout, /\[/);
  assert.is(beside.stdout, merged.stdout);
  const words = path("base-words.safetensors");
  const f32 = ["--dtype", "f32", "--whole-words", "-o", words];
  assert.is((await cli(["convert", path("base"), ...f32])).code, 0);
  const own = ["--adapter", path("adapted/adapter"), "-o", path("three"), "--dtype", "f32"];
  assert.match((await cli(["convert", words, ...own])).stdout, /not whole words any more/);
  const kept = await cli(["convert", words, ...own, "--whole-words", "--force"]);
  assert.is(kept.code, 0);
  assert.not.match(kept.stdout, /any more/);
  const bad = await cli([
    "convert",
    fixture("tiny-torchscript"),
    "--adapter",
    path("adapted/adapter"),
    "-o",
    path("no"),
  ]);
  assert.match(
    bad.stderr,
    /the adapter's part for layer 0, query, A is \[2,16\], and the model needs \[2,\d+\]/,
  );
  assert.is(bad.code, 2);
  const wrong = await cli([
    ...["extract", "--model", fixture("tiny-torchscript"), "--adapter", path("adapted/adapter")],
    text,
  ]);
  assert.match(wrong.stderr, /query, A is \[2,16\], and the model needs \[2,\d+\]/);
  assert.is(wrong.code, 2);
});

test("what no tokens can say is said before anything is learnt", async () => {
  const spans = [{ label: "DIS", start: 0, end: 3 }, { label: "MED", start: 5, end: 6 }];
  const lines = ["fever napa", "fever fever", "fever ace"].map((text) =>
    JSON.stringify({ text, spans })
  );
  setUp();
  writeFileSync(path("odd.jsonl"), lines.join("\n"));
  const run = await cli([
    ...["train", "--data", path("odd.jsonl"), "--fresh", path("."), ...SMALL, "--epochs", "1"],
    ...["-o", path("odd"), "--validation-share", "0", "--test-share", "0"],
  ]);
  assert.is(run.code, 0);
  assert.match(
    run.stderr,
    /warning: of 6 entities, 3 begin or end within a token and 3 have no token of their own: .* above 0\.00 F1\n/,
  );
  assert.match(run.stderr, /odd\.jsonl, line 1: "fev" \(DIS\): the nearest is "fever"\n/);
  assert.match(run.stdout, /: the model of the last epoch\n/);
});

const BAD: readonly (readonly [string, string[], RegExp])[] = [
  ["no start", ["--data", "data.tsv"], /name a model to start from \(--base\)/],
  ["two starts", ["--data", "data.tsv", "--fresh", ".", "--base", "vocab.txt"], /and not both/],
  [
    "no tokenizer",
    ["--data", "data.tsv", "--fresh", "empty"],
    /holds neither tokenizer\.json nor vocab/,
  ],
  [
    "a bad line",
    ["--data", "bad.jsonl", "--fresh", "."],
    /bad\.jsonl, line 2: entity 1 has no "type"/,
  ],
  [
    "a folder in use",
    ["--data", "data.tsv", "--fresh", ".", "-o", "seeds"],
    /seeds: holds files already/,
  ],
  [
    "a rate that is none",
    ["--data", "data.tsv", "--fresh", ".", "--rate", "2"],
    /'--rate <x>'.* 0 to 1/,
  ],
  [
    "a corpus without types of ours",
    ["--data", "data.tsv", "--fresh", ".", "--also", "data.tsv"],
    /--also needs --also-type/,
  ],
  [
    "names of no type",
    ["--data", "data.tsv", "--fresh", ".", "--names", "MED"],
    /--names <type=file>.* Expected TYPE=FILE/,
  ],
  [
    "a list without a name",
    ["--data", "data.tsv", "--fresh", ".", "--names", "MED=/dev/null"],
    /\/dev\/null: holds no term/,
  ],
  ["a type that is none", ["--data", "data.tsv", "--fresh", ".", "--type", "Organ"], /NAME=TYPE/],
];

for (const [name, args, message] of BAD) {
  test(`refused: ${name}`, async () => {
    setUp();
    mkdirSync(path("empty"), { recursive: true });
    writeFileSync(
      path("bad.jsonl"),
      '{"text":"a","spans":[]}\n{"text":"a","spans":[{"start":0,"end":1}]}\n',
    );
    const own = args.map((arg) => /\.|^(seeds|empty)$/.test(arg) ? path(arg) : arg);
    const output = args.includes("-o") ? [] : ["-o", path("none")];
    const { code, stdout, stderr } = await cli(["train", ...own, ...output]);
    assert.is(stdout, "");
    assert.match(stderr, message);
    assert.is(code, 2);
    assert.not(existsSync(path("none")));
  });
}

test.run();
