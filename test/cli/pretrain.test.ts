/**
 * `edge-ner pretrain`: from text files to an encoder that `train` starts from, and a run that is ended and gone on with.
 *
 * @module
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { cli, scratch, start } from "./run.ts";

const path = scratch();
const ANIMALS = ["cat", "dog", "hen", "cow"], SOUNDS = ["mews", "barks", "clucks", "moos"];
const PLACES = ["at home", "in the yard", "on the farm", "by the river", "now", ""];
const LINES = ANIMALS.flatMap((animal, i) =>
  PLACES.flatMap((place) => [`the ${animal} ${SOUNDS[i]} ${place}`, `a ${animal} runs ${place}`])
);
const WORDS = [...new Set(LINES.flatMap((line) => line.split(" ")))].filter((word) => word !== "");
const SMALL = "--hidden 16 --heads 2 --layers 1 --feed-forward 32 --positions 32 --threads 1".split(
  " ",
);

mkdirSync(path("texts/more"), { recursive: true });
writeFileSync(path("texts/a.txt"), LINES.slice(0, 30).join("\n") + "\n");
writeFileSync(path("texts/more/b.txt.gz"), gzipSync(LINES.slice(30).join("\n")));
writeFileSync(path("texts/notes.md"), "no corpus");
writeFileSync(
  path("vocab.txt"),
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...WORDS].join("\n"),
);
const ARGS = ["pretrain", path("texts"), "--fresh", path("."), ...SMALL];
// deno-fmt-ignore
ARGS.push(..."--length 16 --batch-tokens 64 --passes 3 --rate 0.005 --held-out 0.2 --look 5".split(" "));

const read = (name: string): string => readFileSync(path(name), "utf8");
const records = (name: string): Record<string, unknown>[] =>
  read(`${name}/train.jsonl`).trim().split("\n").map((line) => {
    const { seconds: _, ...record } = JSON.parse(line);
    return record;
  });

test("text becomes an encoder that training starts from", async () => {
  const run = await cli([...ARGS, "-o", path("run"), "--passes", "15"]);
  assert.is(run.code, 0, run.stderr);
  assert.match(
    run.stderr,
    /48 lines: [\d,]+ tokens in \d+ sequences to learn from, \d+ in \d+ held/,
  );
  assert.match(run.stderr, /\nstep 5\/\d+: held-out loss \d\.\d{3}; \d+ tokens\/s\n/);
  assert.match(run.stdout, /^.*run: an encoder after \d+ steps, held-out loss \d\.\d{3}\nTrain it/);
  assert.equal(readdirSync(path("run")).sort(), [
    "config.json",
    "corpus",
    "curves.svg",
    "model.safetensors",
    "report.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "train.jsonl",
  ]);
  const held = records("run").filter(({ kind }) => kind === "held-out");
  assert.ok((held.at(-1)!.loss as number) < 0.95 * (held[0]!.loss as number));
  assert.match(read("run/curves.svg"), /^<svg .*held-out loss/s);
  writeFileSync(path("data.tsv"), ANIMALS.map((a) => `the\tO\n${a}\tB-PET\nruns\tO\n`).join("\n"));
  const args = ["train", "--data", path("data.tsv"), "--base", path("run"), "-o", path("tuned")];
  const tuned = await cli([...args, "--epochs", "1", "--threads", "1"]);
  assert.is(tuned.code, 0, tuned.stderr);
  assert.match(tuned.stderr, /4 texts with 4 entities to learn from/);
});

test("a run that is killed or out of time goes on to the same bits", async () => {
  const replaced = [...ARGS, "--objective", "replaced", "--save-steps", "4"];
  const whole = await cli([...replaced, "-o", path("whole")]);
  assert.is(whole.code, 0, whole.stderr);
  assert.match(whole.stderr, /parameters are learnt and [\d,]+ of a generator/);
  const part = [...replaced, "-o", path("part")];
  await new Promise<void>((resolve) => {
    const child = start(part);
    const watch = setInterval(() => {
      if (existsSync(path("part/checkpoint-4"))) child.kill("SIGKILL");
    }, 1);
    child.on("close", () => {
      clearInterval(watch);
      resolve();
    });
  });
  assert.not(existsSync(path("part/report.json")), "the run was over before it could be killed");
  const stopped = await cli([...part, "--resume", "--minutes", "0"]);
  assert.is(stopped.code, 0, stopped.stderr);
  assert.match(stopped.stdout, /part: ended after step \d+ of \d+; the same command with --resume/);
  assert.ok(existsSync(path("part/model.safetensors")));
  const rest = await cli([...part, "--resume"]);
  assert.is(rest.code, 0, rest.stderr);
  assert.match(rest.stderr, /goes on after step \d+\n/);
  for (const name of ["model.safetensors", "report.json"]) {
    assert.equal(readFileSync(path(`part/${name}`)), readFileSync(path(`whole/${name}`)), name);
  }
  assert.equal(records("part"), records("whole"));
});

test("lines that share text with held-out texts are left out", async () => {
  const text = LINES[3]!, entity = { type: "PET", start: 2, end: 5 };
  writeFileSync(path("test.jsonl"), JSON.stringify({ text, entities: [entity] }) + "\n");
  writeFileSync(path("test.txt"), LINES[40]! + "\n");
  const args = [...ARGS, "-o", path("without"), "--steps", "1", "--without-length", "12"];
  const run = await cli([
    ...args,
    "--without",
    path("test.jsonl"),
    "--without",
    path("test.txt"),
  ]);
  assert.is(run.code, 0, run.stderr);
  const letters = (line: string): string => line.replaceAll(" ", "");
  const shared = LINES.filter((line) =>
    [LINES[3]!, LINES[40]!].some((held) => {
      const own = letters(held);
      return Array.from({ length: Math.max(0, own.length - 11) }, (_, i) => own.slice(i, i + 12))
        .some((stretch) => letters(line).includes(stretch));
    })
  );
  assert.ok(shared.length >= 2);
  assert.match(run.stderr, new RegExp(`48 lines without ${shared.length} that share text`));
});

test("what is wrong is said in a line", async () => {
  const says = async (args: readonly string[], message: RegExp): Promise<void> => {
    const { code, stderr } = await cli(args);
    assert.is(code, 2);
    assert.match(stderr.split("\n").at(-2)!, message);
  };
  mkdirSync(path("empty"), { recursive: true });
  const rest = ["-o", path("x"), "--fresh", path("."), ...SMALL];
  await says(["pretrain", path("empty"), ...rest], /empty: holds no \.txt or \.txt\.gz file$/);
  await says([...ARGS, "-o", path("run")], /run: holds files already; --resume goes on/);
  const ended = ["-o", path("ended"), "--minutes", "0"];
  assert.is((await cli([...ARGS, ...ended])).code, 0);
  const other = ARGS.map((arg) => arg === path("texts") ? path("texts/a.txt") : arg);
  await says([...other, ...ended, "--resume"], /corpus: was made of other files, or with other/);
});

test.run();
