/**
 * `edge-ner student` and `distill`: from a teacher to a smaller model that finds what it finds.
 *
 * @module
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readSafetensors } from "../../src/formats/safetensors/read.ts";
import { cli, scratch } from "./run.ts";

const path = scratch();
const DRUGS = ["napa", "ace", "omez", "losec"], ILLS = ["fever", "cough", "pain"];
const TSV = DRUGS.flatMap((drug) =>
  ILLS.flatMap((ill) => [
    [["take", "O"], [drug, "B-MED"], ["for", "O"], [ill, "B-DIS"]],
    [["no", "O"], [ill, "B-DIS"], [drug, "B-MED"], ["extra", "I-MED"]],
  ])
).map((tokens) => tokens.map((line) => line.join("\t") + "\n").join("")).join("\n");
writeFileSync(path("data.tsv"), TSV);
writeFileSync(path("more.txt"), "take ace for cough\n\nno pain losec extra\n");
writeFileSync(
  path("vocab.txt"),
  // deno-fmt-ignore
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ...DRUGS, ...ILLS, "take", "for", "extra", "no"].join("\n"),
);
const DATA = ["--data", path("data.tsv"), "--rate", "0.01", "--threads", "1", "--batch-texts", "4"];

const tensors = (name: string): Map<string, Uint8Array> => {
  const { tensors } = readSafetensors(readFileSync(path(name)));
  return new Map([...tensors].map(([key, { data }]) => [key, Uint8Array.from(data)]));
};

test("a student has its teacher's layers, embeddings and head", async () => {
  const sizes = "--hidden 16 --heads 2 --layers 3 --feed-forward 32 --positions 32".split(" ");
  const args = ["train", ...DATA, "--fresh", path("."), ...sizes, "-o", path("teacher")];
  const teacher = await cli([...args, "--epochs", "12"]);
  assert.is(teacher.code, 0, teacher.stderr);
  const student = ["student", "--base", path("teacher"), "--layers", "1,3", "-o", path("student")];
  const made = await cli(student);
  assert.is(made.code, 0, made.stderr);
  assert.match(
    made.stdout,
    /student: layers 1, 3 of 3, [\d.]+ kB in float32\nTeach it: edge-ner di/,
  );
  const config = JSON.parse(readFileSync(path("student/config.json"), "utf8"));
  assert.is(config.num_hidden_layers, 2);
  const [before, after] = [
    tensors("teacher/model.safetensors"),
    tensors("student/model.safetensors"),
  ];
  for (const [name, data] of after) {
    const theirs = name.replace(/encoder\.layer\.1\./, "encoder.layer.2.");
    assert.equal(data, before.get(theirs), name);
  }
  assert.equal(tensors("student/crf.safetensors"), tensors("teacher/crf.safetensors"));
  const again = await cli(student);
  assert.is(again.code, 2);
  assert.match(again.stderr, /student: holds files already; --force writes over/);
});

test("it learns from its teacher and other text, and goes on after it was over", async () => {
  const args = ["distill", ...DATA, "--base", path("student"), "--teacher", path("teacher")];
  args.push(
    "--unlabelled",
    path("more.txt"),
    "--epochs",
    "8",
    "-o",
    path("run"),
    "--crf",
    "frozen",
  );
  const run = await cli(args);
  assert.is(run.code, 0, run.stderr);
  assert.match(run.stdout, /run: the model of epoch \d+, validation micro F1 100\.00\n/);
  assert.equal(tensors("run/crf.safetensors"), tensors("teacher/crf.safetensors"));
  assert.ok(readdirSync(path("run")).includes("curves.svg"));
  const again = await cli([...args, "--resume"]);
  assert.is(again.stdout, run.stdout);
  const other = [...args.slice(0, -4), "-o", path("none"), "--crf", "none", "--epochs", "1"];
  const none = await cli([
    ...other,
    "--alpha",
    "0.2",
    "--temperature",
    "2",
    "--lesson",
    "marginals",
  ]);
  assert.is(none.code, 0, none.stderr);
  assert.not.ok(readdirSync(path("none")).includes("crf.safetensors"));
  const bare = await cli([
    ...other,
    "-o",
    path("x"),
    "--teacher",
    path("none"),
    "--crf",
    "teacher",
  ]);
  assert.is(bare.code, 0, "one of two teachers has a CRF");
  const lone = ["distill", ...DATA, "--base", path("student"), "--teacher", path("none")];
  const refused = await cli([...lone, "-o", path("y")]);
  assert.is(refused.code, 2);
  assert.match(refused.stderr, /no teacher has a CRF to copy; --crf learned or --crf none/);
});

test("teachers with lexicons of their own teach a student that has one, and convert packs it", async () => {
  // Outside of lists nobody can tell an unknown drug from other unknown words.
  const rows = ILLS.flatMap((ill) => [
    ...["seclo", "zimax"].map((
      drug,
    ) => [["take", "O"], [drug, "B-MED"], ["for", "O"], [ill, "B-DIS"]]),
    ...["tea", "rest"].map((word) => [["take", "O"], [word, "O"], ["for", "O"], [ill, "B-DIS"]]),
  ]);
  const tsv = rows.map((tokens) => tokens.map((line) => line.join("\t") + "\n").join("")).join(
    "\n",
  );
  writeFileSync(path("unknown.tsv"), tsv + "\n" + TSV);
  writeFileSync(path("drugs.txt"), [...DRUGS, "seclo", "zimax", "fexo"].join("\n"));
  writeFileSync(path("others.txt"), [...DRUGS, "zimax", "seclo", "fexo", "monas"].join("\n"));
  const data = ["--data", path("unknown.tsv"), ...DATA.slice(2)];
  const sizes = "--hidden 16 --heads 2 --layers 2 --feed-forward 32 --positions 32".split(" ");
  const fresh = ["train", ...data, "--fresh", path("."), ...sizes, "--epochs", "12"];
  const lexicons = ["--lexicon", `MED=${path("drugs.txt")}`, "--dictionary"];
  const teachers = [
    ["--seed", "1", ...lexicons],
    ["--seed", "2", ...lexicons],
    ["--seed", "3", "--lexicon", `MED=${path("others.txt")}`],
  ];
  for (const [i, args] of teachers.entries()) {
    const run = await cli([...fresh, ...args, "-o", path(`listed-${i}`)]);
    assert.is(run.code, 0, run.stderr);
  }
  const base = path("listed-student");
  const made = await cli(["student", "--base", path("listed-0"), "--layers", "1", "-o", base]);
  assert.is(made.code, 0, made.stderr);
  assert.equal(
    tensors("listed-student/features.safetensors"),
    tensors("listed-0/features.safetensors"),
  );
  const args = ["distill", ...data, "--base", base, "--epochs", "12", "-o", path("listed-run")];
  args.push(...teachers.flatMap((_, i) => ["--teacher", path(`listed-${i}`)]));
  args.push("--unlabelled", path("more.txt"), "--feature-rate", "3");
  const run = await cli([...args, ...lexicons]);
  assert.is(run.code, 0, run.stderr);
  const packed = await cli(["convert", path("listed-run"), "-o", path("listed.safetensors")]);
  assert.is(packed.code, 0, packed.stderr);
  const find = ["extract", "--model", path("listed.safetensors"), "--format", "jsonl"];
  const found = await cli([...find, "take fexo for pain", "take milk for pain"]);
  const texts = found.stdout.trim().split("\n").map((line) =>
    JSON.parse(line).entities.map(({ type, text }: { type: string; text: string }) => [type, text])
  );
  assert.equal(texts, [[["MED", "fexo"], ["DIS", "pain"]], [["DIS", "pain"]]]);
  // Its terms are in the package: as many as the data have entities, and as the list has.
  const { tensors: parts } = readSafetensors(readFileSync(path("listed.safetensors")));
  assert.equal(parts.get("lexicons.1.terms")!.shape, [7, 2]);
  assert.ok(parts.get("lexicons.0.terms")!.shape[0]! >= 8);
});

test.run();
