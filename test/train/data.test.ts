/**
 * Training data: three kinds of files, splits, labels at tokens, batches.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { NerError } from "../../src/errors.ts";
import { tokenizerFromVocab } from "../../src/tokenizer/load.ts";
import { batchesOf } from "../../src/train/data/batches.ts";
import { Labeller, labelsOf, reachOf } from "../../src/train/data/labels.ts";
import { type ReadOptions, readTexts } from "../../src/corpus/read.ts";
import { splitTexts } from "../../src/train/data/split.ts";
import type { LabelledText } from "../../src/corpus/text.ts";
import { fixture } from "../cli/run.ts";

/** What the spans of a file select, by text. */
function selected(content: string, name: string, options?: ReadOptions): string[][] {
  return readTexts(content, name, options).texts.map(({ text, entities }) =>
    entities.map(({ type, start, end }) => `${type}:${text.slice(start, end)}`)
  );
}

function refused(
  content: string,
  name: string,
  code: string,
  where: RegExp,
  options?: ReadOptions,
) {
  try {
    readTexts(content, name, options);
  } catch (error) {
    assert.instance(error, NerError);
    assert.is((error as NerError).code, code);
    assert.match((error as Error).message, where);
    return;
  }
  assert.unreachable(`${JSON.stringify(content)} was read`);
}

test("JSON lines: entities or spans, type or label, in any order, beyond the BMP", () => {
  const lines = [
    '\uFEFF{"text":"😀 Napa for fever","entities":[{"type":"DIS","start":12,"end":17},' +
    '{"type":"MED","start":3,"end":7,"text":"Napa"}]}',
    "",
    '{"text":"fever","spans":[{"label":"DIS","start":0,"end":5}]}',
  ];
  assert.equal(selected(lines.join("\r\n"), "a.jsonl"), [["MED:Napa", "DIS:fever"], ["DIS:fever"]]);
});

test("JSON lines that are wrong name file and line", () => {
  const good = '{"text":"fever","entities":[]}\n';
  const span = (a: string, b = "") => `${good}{"text":"fever Napa","entities":[${a}${b}]}`;
  refused(`${good}nope`, "a.jsonl", "data/json", /^a\.jsonl, line 2: not JSON/);
  refused(`${good}\n{}`, "a.jsonl", "data/json", /line 3: "text" is missing/);
  refused(
    span('{"type":"A","start":5,"end":99}'),
    "a.jsonl",
    "data/span",
    /line 2: entity 1 is 5\.\.99/,
  );
  refused(
    span('{"type":"A","start":0,"end":7}', ',{"type":"B","start":6,"end":10}'),
    "a.jsonl",
    "data/overlap",
    /line 2: the entities "fever N" \(A, 0\.\.7\) and "Napa" \(B, 6\.\.10\) overlap/,
  );
  refused(`${good}`, "a.jsonl", "data/group", /line 1: "drug" is undefined/, { group: "drug" });
  refused("\n \n", "a.jsonl", "input/data", /holds no text/);
  refused(good, "a.json", "input/format", /does not tell/);
});

const TOKENS = ["Napa", "Extra", "for", "fever", ",", "cough", "fever"];
const SCHEMES: Readonly<Record<string, readonly string[]>> = {
  BIO: ["B-MED", "I-MED", "O", "B-DIS", "O", "B-DIS", "B-DIS"],
  IOB1: ["I-MED", "I-MED", "O", "I-DIS", "O", "I-DIS", "B-DIS"],
  IOBES: ["B-MED", "E-MED", "O", "S-DIS", "O", "S-DIS", "S-DIS"],
  BILOU: ["B-MED", "L-MED", "O", "U-DIS", "O", "U-DIS", "U-DIS"],
};

for (const [scheme, tags] of Object.entries(SCHEMES)) {
  test(`tokens and tags: ${scheme}`, () => {
    const lines = TOKENS.map((token, i) => `${token}\tx\t${tags[i]}`).join("\n");
    const content = `-DOCSTART-\tO\n\n${lines}\n\n\n${lines}\n`;
    const { texts, warnings } = readTexts(content, "a.tsv");
    assert.is(texts[0]!.text, "Napa Extra for fever , cough fever");
    assert.is(texts[1]!.where, "a.tsv, line 12");
    const expected = ["MED:Napa Extra", "DIS:fever", "DIS:cough", "DIS:fever"];
    assert.equal(selected(content, "a.tsv"), [expected, expected]);
    assert.equal(warnings, []);
  });
}

test("tokens and tags by spaces, and what is reported of them", () => {
  const { texts, warnings } = readTexts("a O\nb I-X\n\nc B-X\nd I-X\n", "a.conll");
  assert.is(texts.length, 2);
  assert.equal(texts[0]!.entities, [{ type: "X", start: 2, end: 3 }]);
  assert.equal(warnings, [
    "a.conll: 1 tag continues nothing (the first in line 2); an entity begins there",
  ]);
});

test("tokens without a tag, and a tag among others that is no tag", () => {
  refused("a\tO\nb\n", "a.tsv", "data/tag", /^a\.tsv, line 2: "b" is not a token and its tag/);
  refused("a\tO\n\tO\n", "a.tsv", "data/tag", /line 2/);
  refused("a\tB-X\n\nb\tX\n", "a.tsv", "data/tag", /line 3: the tag "X" has no prefix/);
});

const TABLE = 'Text,Organ,Disease,Drug\r\n"চোখের রোগ, জ্বর; ""রোগ""",চোখ,"রোগ, চোখের রোগ",Napa\r\n' +
  '"two\nlines",,,"Ace, Napa"\r\nlines,lines,,\r\n';

test("a table: the longest listed entity first, in quotes and across lines", () => {
  const types = { Organ: "ORG", Disease: "DIS" };
  assert.equal(selected(TABLE, "a.csv", { types }), [["DIS:চোখের রোগ", "DIS:রোগ"], [], [
    "ORG:lines",
  ]]);
  const { texts, warnings } = readTexts(TABLE, "a.csv", { types, group: "Drug" });
  assert.equal(texts.map(({ where }) => where), [
    "a.csv, line 2",
    "a.csv, line 3",
    "a.csv, line 5",
  ]);
  assert.equal(texts.map(({ group }) => group), ["Napa", "Ace", undefined]);
  assert.equal(warnings, []);
  const again = readTexts(`${TABLE}lines,lines,,\n`, "a.csv");
  assert.is(again.texts.length, 3);
  assert.match(again.warnings.join(), /1 rows repeat.*Drug 0 of 3/);
});

test("a table that is none", () => {
  refused("a,b\n1,2,3\n", "a.csv", "data/table", /^a\.csv, line 2: /);
  refused('a,b\n"1,2\n', "a.csv", "data/table", /^a\.csv, line 2: Quote Not Closed/);
  refused("a\n1\n", "a.csv", "data/table", /at least two columns/);
  refused("a,a\n1,2\n", "a.csv", "data/table", /two columns are called "a"/);
  refused(TABLE, "a.csv", "input/column", /no column "Drugs"; its columns are "Text"/, {
    group: "Drugs",
  });
});

const text = (words: string, group?: string): LabelledText => {
  return { text: words, entities: [], where: words, group };
};

test("a split keeps equal texts and groups together, and is the seed's", () => {
  const texts = Array.from(
    { length: 200 },
    (_, i) => text(`t${i % 150}`, i % 3 ? undefined : `g${i % 21}`),
  );
  const split = splitTexts(texts, { seed: 3, validation: 0.2, test: 0.1 });
  const parts = [split.train, split.validation, split.test];
  assert.is(parts.reduce((sum, part) => sum + part.length, 0), 200);
  assert.ok(Math.abs(split.validation.length - 40) <= 1 && Math.abs(split.test.length - 20) <= 1);
  for (const key of ["text", "group"] as const) {
    const sets = parts.map((part) => new Set(part.flatMap((t) => t[key] ?? [])));
    const all = new Set(sets.flatMap((set) => [...set]));
    assert.is(sets.reduce((sum, set) => sum + set.size, 0), all.size, key);
  }
  assert.equal(split, splitTexts(texts, { seed: 3, validation: 0.2, test: 0.1 }));
  assert.not.equal(split, splitTexts(texts, { seed: 4, validation: 0.2, test: 0.1 }));
  assert.throws(() => splitTexts(texts, { seed: 1, test: 1 }), /less than 1 together/);
});

// "fevers" is one piece, so that an entity "fever" in it ends within a token; "ever" lies inside one.
const VOCAB = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nfevers\nnapa\n##x\nfor\n,\n";
const tokenizer = tokenizerFromVocab(VOCAB);
const LABELS = ["O", "B-DIS", "I-DIS", "B-MED", "I-MED"];

test("labels from the data, and tokens labelled by their first character", () => {
  const texts: LabelledText[] = [{
    ...text("napax napa for fevers"),
    entities: [
      { type: "MED", start: 0, end: 5 },
      { type: "MED", start: 6, end: 10 },
      { type: "DIS", start: 15, end: 20 },
    ],
  }];
  assert.equal(labelsOf(texts), LABELS);
  assert.throws(() => labelsOf([text("a")]), /no entity/);
  const encoding = tokenizer.encode(texts[0]!.text);
  const named = (labels: readonly string[]) =>
    Array.from(new Labeller(labels).label(texts[0]!.entities, encoding), (i) => labels[i]);
  assert.equal(named(LABELS), ["B-MED", "I-MED", "B-MED", "O", "B-DIS"]);
  assert.equal(
    named(["S-DIS", "B-DIS", "E-DIS", "I-DIS", "O", "B-MED", "E-MED", "S-MED", "I-MED"]),
    [
      "B-MED",
      "E-MED",
      "S-MED",
      "O",
      "S-DIS",
    ],
  );
  assert.equal(named(["DIS", "MED", "O"]), ["MED", "MED", "MED", "O", "DIS"]);
  assert.throws(() => named(["O", "B-MED", "I-MED"]), /there is none of the type DIS/);
  assert.throws(() => new Labeller(["B-A", "I-A"]), /no label O/);
});

test("what a tokenizer cannot say is counted beforehand", () => {
  const entities = [{ type: "DIS", start: 9, end: 14 }, { type: "MED", start: 0, end: 4 }]
    .sort((a, b) => a.start - b.start);
  const texts = [
    { ...text("napa for fevers"), entities },
    { ...text("fevers"), entities: [{ type: "DIS", start: 1, end: 5 }] },
  ];
  const { ceiling, moved, lost, samples } = reachOf(texts, tokenizer, new Labeller(LABELS));
  assert.equal([moved, lost], [1, 1]);
  assert.is(ceiling.types["MED"]!.f1, 1);
  assert.is(ceiling.micro.correct, 1);
  assert.equal(samples.map(({ gold, nearest, where }) => [gold, nearest, where]), [
    ["fever", "fevers", "napa for fevers"],
    ["ever", "", "fevers"],
  ]);
});

test("gold at a real tokenizer's tokens comes back", () => {
  const vocab = readFileSync(fixture("tiny-torchscript/vocab.txt"), "utf8");
  const own = tokenizerFromVocab(vocab, { do_lower_case: true, strip_accents: false });
  const words = "জ্বর ও ব্যথায় প্যারাসিটামল, ডায়াবেটিসে মেটফরমিন";
  const { starts, ends } = own.encode(words);
  const place = (first: number, last: number) => ({ start: starts[first]!, end: ends[last]! });
  const entities = [{ type: "DIS", ...place(0, 1) }, { type: "MED", ...place(2, 2) }];
  const reach = reachOf([{ ...text(words), entities }], own, new Labeller(LABELS));
  assert.is(reach.ceiling.micro.f1, 1);
});

test("batches hold each text once, within their tokens, of similar lengths, and are the seed's", () => {
  const lengths = Int32Array.from({ length: 300 }, (_, i) => 3 + (i * 37) % 60);
  const options = { tokens: 256, seed: 1, epoch: 0 };
  const batches = batchesOf(lengths, options);
  const size = (batch: Int32Array) => batch.reduce((sum, i) => sum + lengths[i]!, 0);
  assert.equal(batches.flatMap((b) => [...b]).sort((a, b) => a - b), [...lengths.keys()]);
  assert.ok(batches.every((batch) => size(batch) <= 256));
  const spread = batches.map((b) =>
    Math.max(...b.map((i) => lengths[i]!)) - Math.min(...b.map((i) => lengths[i]!))
  );
  // Shaken by a fifth, neighbours in the order differ by little more than that of 62.
  assert.ok(Math.max(...spread) <= 0.25 * 62 + 2);
  assert.equal(batches, batchesOf(lengths, options));
  assert.not.equal(batches, batchesOf(lengths, { ...options, epoch: 1 }));
  assert.not.equal(batches, batchesOf(lengths, { ...options, seed: 2 }));
  assert.ok(batchesOf(lengths, { ...options, texts: 2 }).every((batch) => batch.length <= 2));
  assert.throws(() => batchesOf([300], options), /300 tokens does not fit into a batch of 256/);
  assert.equal(batchesOf([], options), []);
});

test.run();
