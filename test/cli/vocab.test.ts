/**
 * `edge-ner vocab`: texts to a vocabulary that loads.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { tokenizerFromJson } from "../../src/tokenizer/load.ts";
import { cli, scratch } from "./run.ts";

const path = scratch();
const LINES = "চোখ চোখের রোগ রোগগুলি\n\nচোখ রোগ চোখের রোগগুলি চোখ রোগ\n";

test("a folder from a packed corpus, the same as from a plain one", async () => {
  writeFileSync(path("a.txt"), LINES);
  writeFileSync(path("a.txt.gz"), gzipSync(LINES));
  const args = ["--size", "60", "--endings", "Bengali"];
  const run = await cli(["vocab", path("a.txt.gz"), "-o", path("one"), ...args]);
  assert.is(run.stderr, "");
  assert.is(run.code, 0);
  assert.match(
    run.stdout,
    /one: \d+ pieces from 2 texts, 4 different words\n\nfile .*\n-.*\ntokenizer\.json/,
  );
  await cli(["vocab", path("a.txt"), "-o", path("two"), ...args]);
  for (const name of ["tokenizer.json", "tokenizer_config.json", "vocab.txt"]) {
    assert.equal(readFileSync(path(`one/${name}`)), readFileSync(path(`two/${name}`)), name);
  }
  // A folder's text files, here one, and nothing else.
  mkdirSync(path("texts"));
  writeFileSync(path("texts/a.txt"), LINES);
  writeFileSync(path("texts/b.md"), "অন্য কিছু\n");
  await cli(["vocab", path("texts"), "-o", path("three"), ...args]);
  assert.equal(readFileSync(path("three/vocab.txt")), readFileSync(path("one/vocab.txt")));
  const { ids } = tokenizerFromJson(readFileSync(path("one/tokenizer.json"), "utf8"))
    .encode("চোখের রোগ");
  assert.is(ids.length, 3);
});

test("labelled texts, and endings from a file, in vocab.txt alone", async () => {
  const spans = [{ start: 0, end: 3, label: "ORG" }];
  writeFileSync(path("a.jsonl"), JSON.stringify({ text: "চোখের রোগ", spans }) + "\n");
  writeFileSync(path("endings.txt"), "গুলি\n\n");
  const run = await cli([
    ...["vocab", path("a.txt"), "--entities", path("a.jsonl"), "-o", path("vocab.txt")],
    ...["--size", "50", "--endings", path("endings.txt")],
  ]);
  assert.is(run.code, 0);
  assert.match(
    run.stdout,
    /Of 2 beginnings and ends of entities, 2 fall between pieces \(100\.00 %\)/,
  );
  const pieces = readFileSync(path("vocab.txt"), "utf8").trim().split("\n");
  assert.ok(pieces.includes("##গুলি") && !pieces.includes("চোখের"));
});

const BAD: readonly (readonly [string, string[], RegExp])[] = [
  ["no corpus", [], /name a corpus/],
  ["a missing file", ["nowhere.txt"], /nowhere\.txt: no such file/],
  ["a folder that is not empty", ["a.txt", "-o", "one"], /holds files already; --force/],
  ["a small size", ["a.txt", "--size", "7"], /take \d+ pieces, more than 7.*\(input\/option\)/],
  [
    "an unknown script",
    ["a.txt", "--endings", "Klingon"],
    /no endings are known of the script "Klingon"/,
  ],
  ["what only looks packed", ["bad.gz"], /bad\.gz: is no gzip file/],
  ["labelled data that are wrong", ["--entities", "bad.jsonl"], /bad\.jsonl, line 2: not JSON/],
];

for (const [name, args, message] of BAD) {
  test(`refused: ${name}`, async () => {
    writeFileSync(path("bad.gz"), LINES);
    writeFileSync(path("bad.jsonl"), '{"text":"a","entities":[]}\nno\n');
    const own = args.map((arg) => /\.|^one$/.test(arg) ? path(arg) : arg);
    const output = args.includes("-o") ? [] : ["-o", path("none")];
    const size = args.includes("--size") ? [] : ["--size", "60"];
    const { code, stdout, stderr } = await cli(["vocab", ...own, ...output, ...size]);
    assert.is(stdout, "");
    assert.match(stderr, message);
    assert.match(stderr, /^edge-ner: [^\n]+\n$/);
    assert.is(code, 2);
    assert.not(existsSync(path("none")));
  });
}

test.run();
