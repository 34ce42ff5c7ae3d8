/**
 * `edge-ner eval`: a model's scores on documents with known entities, and those of tags from a file.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Entity, OverlapScore } from "../../mod.ts";
import { cli, fixture, scratch } from "./run.ts";

const MODEL = ["--model", fixture("tiny-torchscript")];
const TEXT = "জ্বর ও ব্যথায় প্যারাসিটামল, ডায়াবেটিসে মেটফরমিন ও ইনসুলিন দেওয়া হয়।";
const path = scratch();

test("a model agrees with itself, and less so when gold is changed", async () => {
  const found = await cli(["extract", ...MODEL, "--format", "jsonl", TEXT, "", TEXT.slice(20)]);
  writeFileSync(path("gold.jsonl"), found.stdout + "\n");
  const run = await cli(["eval", path("gold.jsonl"), ...MODEL, "--json"]);
  assert.is(run.code, 0);
  const scores = JSON.parse(run.stdout);
  assert.is(scores.documents, 3);
  assert.is(scores.micro.f1, 1);
  assert.is(scores.macro.f1, 1);
  assert.is(scores.confusion.boundaryErrors, 0);

  const documents = found.stdout.trim().split("\n").map((line) => JSON.parse(line));
  const [dropped] = documents[0].entities.splice(0, 1);
  writeFileSync(path("less.jsonl"), documents.map((d) => JSON.stringify(d)).join("\r\n"));
  const less = JSON.parse((await cli(["eval", path("less.jsonl"), ...MODEL, "--json"])).stdout);
  assert.is(less.micro.recall, 1);
  assert.is(less.micro.correct, scores.micro.correct - 1);
  assert.is(less.types[dropped.type].predicted, scores.types[dropped.type].predicted);
});

test("the table has a row a type, micro and macro; --confusion adds the matrix", async () => {
  const entities = [{ type: "MED", start: 0, end: 4 }, { type: "XYZ", start: 5, end: 6 }];
  writeFileSync(path("two.jsonl"), JSON.stringify({ text: TEXT, entities }));
  const { code, stdout, stderr } = await cli(["eval", path("two.jsonl"), ...MODEL, "--confusion"]);
  assert.is(code, 0);
  assert.match(stdout, /^type +precision +recall +F1 +support +predicted +correct\n/);
  assert.match(stdout, /\nXYZ +0\.00 +0\.00 +0\.00 +1 +0 +0\n/);
  assert.match(stdout, /\nmicro .*\nmacro .*\nweighted /);
  assert.match(stdout, /gold \\ predicted/);
  assert.match(stderr, /warning: the model has no type XYZ; it knows MED, ORG, DIS\n$/);
});

const TAGS = "a B-X O\nb I-X O\nc O U-Y\n\nd B-Y B-Y\n";

test("--overlap forgives boundaries", async () => {
  const run = await cli(["extract", ...MODEL, "--format", "jsonl", TEXT]);
  const { text, entities } = JSON.parse(run.stdout);
  const shifted = entities.map((one: Entity) => ({
    ...one,
    text: undefined,
    end: Math.min(one.end + 1, text.length),
  }));
  writeFileSync(path("shifted.jsonl"), JSON.stringify({ text, entities: shifted }));
  const args = ["eval", path("shifted.jsonl"), ...MODEL, "--overlap"];
  const { overlaps, micro } = JSON.parse((await cli([...args, "--json"])).stdout);
  assert.ok(entities.length > 0 && micro.correct < entities.length);
  for (const { found, support, right, predicted } of Object.values<OverlapScore>(overlaps)) {
    assert.equal([found, right], [support, predicted]);
  }
  const { stdout } = await cli(args);
  assert.match(stdout, /\nby overlap +precision +recall +support +found +predicted +right\n/);
});

test("a file of gold and predicted tags is scored without a model", async () => {
  writeFileSync(path("out.conll"), TAGS);
  const { code, stdout, stderr } = await cli(["eval", path("out.conll"), "--confusion"]);
  assert.is(code, 0);
  assert.match(stderr, /warning: the default mode does not know L- and U-/);
  assert.match(stdout, /\nX +0\.00 +0\.00 +0\.00 +1 +0 +0\nY +50\.00 +100\.00 +66\.67 +1 +2 +1\n/);
  assert.match(stdout, /\nweighted +25\.00 +50\.00 +33\.33 +2 +2 +1\n/);
  assert.match(stdout, /\nB-X +0 +0 +0 +1 +0\n/);
  assert.match(stdout, /\ntoken accuracy 25\.00 % of 4 tokens; 2 sequences, default mode; /);
});

test("tags are read strictly, and any file as tags, if asked", async () => {
  writeFileSync(path("out.data"), TAGS);
  const strict = ["--format", "conll", "--mode", "strict", "--scheme", "BILOU", "--json"];
  const run = await cli(["eval", path("out.data"), ...strict, "--zero-division", "1"]);
  assert.is(run.stderr, "");
  const { mode, scheme, types, micro, accuracy } = JSON.parse(run.stdout);
  // Without L- behind it, neither B-X nor B-Y is a span.
  assert.equal([mode, scheme, Object.keys(types)], ["strict", "BILOU", ["Y"]]);
  assert.equal([micro.predicted, micro.support, micro.recall, accuracy], [1, 0, 1, 0.25]);
});

const REFUSED: readonly (readonly [string, string, readonly string[], RegExp])[] = [
  [
    "a tag of another scheme",
    TAGS,
    ["--mode", "strict"],
    /line 3: IOB2 has no tag "U-Y".*data\/tag/,
  ],
  ["what is no tag", "a\tO\tO\n\nb\tO\tBODY\n", [], /line 3: "BODY" is no tag/],
  [
    "two columns",
    "a\tO\n",
    [],
    /line 1: "a\\tO" is not a token, its gold tag and its predicted one/,
  ],
  ["an empty column", "a\t\tO\n", [], /line 1: .*expected three columns/],
  ["no tokens", "\n-DOCSTART- O O\n\n", [], /holds no token.*input\/data/],
  ["an option for models", TAGS, ["--backend", "fp32"], /--backend is for a model/],
];

for (const [name, content, options, message] of REFUSED) {
  test(`a file of tags is refused: ${name}`, async () => {
    writeFileSync(path("bad.tsv"), content);
    const { code, stdout, stderr } = await cli(["eval", path("bad.tsv"), ...options]);
    assert.is(stdout, "");
    assert.match(stderr, /^edge-ner: [^\n]+\n$/);
    assert.match(stderr, message);
    assert.is(code, 2);
  });
}

test("documents have no tags to read by a scheme", async () => {
  const { code, stderr } = await cli(["eval", path("gold.jsonl"), "--mode", "strict"]);
  assert.match(stderr, /--mode is for tags, and .*gold\.jsonl holds documents/);
  assert.is(code, 2);
});

const BAD: readonly (readonly [string, string, RegExp])[] = [
  ["not JSON", "nope", /line 1: not JSON/],
  ["no text", "{}", /"text" is missing/],
  ["null", "null", /"text" is missing/],
  ["no entities", '{"text":"a"}', /"entities" is missing/],
  ["no type", '{"text":"a","entities":[{"start":0,"end":1}]}', /entity 1 has no "type"/],
  ["null entity", '{"text":"a","entities":[null]}', /entity 1 has no "type"/],
  ["fractions", '{"text":"a","entities":[{"type":"X","start":0.5,"end":1}]}', /whole numbers/],
  [
    "beyond the end",
    '{"text":"a","entities":[{"type":"X","start":0,"end":2}]}',
    /0\.\.2 in a text/,
  ],
  ["backwards", '{"text":"ab","entities":[{"type":"X","start":1,"end":1}]}', /1\.\.1/],
  [
    "offsets of another kind",
    '{"text":"😀ab","entities":[{"type":"X","start":1,"end":2,"text":"a"}]}',
    /"a", but 1\.\.2 selects .* UTF-16/,
  ],
  ["a later line", '{"text":"a","entities":[]}\n{"text":1}', /line 2: "text"/],
  ["no documents", "\n \n", /holds no documents/],
];

for (const [name, content, message] of BAD) {
  test(`a gold file is refused: ${name}`, async () => {
    writeFileSync(path("bad.jsonl"), content);
    const { code, stdout, stderr } = await cli(["eval", path("bad.jsonl"), ...MODEL]);
    assert.is(stdout, "");
    assert.match(stderr, /^edge-ner: [^\n]+\n$/);
    assert.match(stderr, message);
    assert.is(code, 2);
  });
}

test.run();
