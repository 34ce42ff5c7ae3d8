/**
 * What `deno task reproduce` makes up, splits and plans. That its stages run is shown by running it (.ci/run).
 *
 * @module
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findCorpus, makeData, splitData } from "../../tools/reproduce/data.ts";
import { FULL, QUICK, SMALL, stagesOf } from "../../tools/reproduce/plan.ts";
import { makeNames, makeSentences } from "../../tools/reproduce/synthetic.ts";

const folder = mkdtempSync(join(tmpdir(), "edge-ner-reproduce-"));
test.after(() => rmSync(folder, { recursive: true }));

test("made-up sentences say where their entities are, the same ones for the same seed", () => {
  const names = makeNames(1, 20), sentences = makeSentences(3, 500, names);
  assert.equal(makeSentences(3, 500, names), sentences);
  assert.not.equal(makeSentences(4, 500, names), sentences);
  const ends = {
    MED: /(olin|azol|imab|oprin)$/,
    DIS: /(itis|oma|osis|emia)$/,
    ORG: /(urn|ulus|aver)$/,
  };
  const seen = new Set<string>();
  for (const { text, entities } of sentences) {
    let last = 0;
    for (const { type, start, end } of entities) {
      assert.match(
        text.slice(start, end),
        type === "DOS" ? /^\d+ (mg|ml|drops|tablets)$/ : ends[type],
      );
      assert.match(text.slice(end, end + 1), " ");
      assert.ok(start >= last && end > start);
      last = end;
      seen.add(type);
    }
  }
  assert.is(seen.size, 4);
});

test("half of the names of the test texts are not in the training texts", () => {
  const path = join(folder, "made");
  makeData(path, { train: 400, validation: 10, test: 400, text: 10, unlabelled: 10 });
  const names = (name: string): Set<string> =>
    new Set(
      readFileSync(join(path, name), "utf8").trim().split("\n").flatMap((line) => {
        const { text, entities } = JSON.parse(line);
        return entities.flatMap((
          { type, start, end }: { type: string; start: number; end: number },
        ) => type === "MED" ? [text.slice(start, end)] : []);
      }),
    );
  const known = names("train.jsonl"), asked = [...names("test.jsonl")];
  const share = asked.filter((name) => !known.has(name)).length / asked.length;
  assert.ok(share > 0.4 && share < 0.6, `${share}`);
});

test("MedER's table is found and split, and text is taken for teachers", () => {
  const data = join(folder, "corpus"), out = join(folder, "split");
  assert.throws(() => findCorpus(data), /has no folder text\//);
  mkdirSync(join(data, "text"), { recursive: true });
  assert.throws(
    () => findCorpus(data),
    /neither train\.jsonl, validation\.jsonl and test\.jsonl nor/,
  );
  const long = "a line that is long enough to be taken for a sentence of its own";
  writeFileSync(join(data, "text", "b.txt"), "unread\n");
  writeFileSync(join(data, "text", "a.txt"), `short\n${long}\n${long} too\n`);
  const header =
    "Medical Text,Medicine\\ Chemical Name,Organ,Disease,Hormone,Pharmacological Class,Common Medical Terms";
  const rows = Array.from({ length: 20 }, (_, i) => `drug${i} for the liver,drug${i},liver,,,,`);
  writeFileSync(join(data, "MedER_V2.csv"), [header, ...rows].join("\n"));
  splitData(out, findCorpus(data), 1);
  assert.equal(readdirSync(out).sort(), [
    "test.jsonl",
    "train.jsonl",
    "unlabelled.txt",
    "validation.jsonl",
  ]);
  const lines = (name: string): string[] =>
    readFileSync(join(out, name), "utf8").trim().split("\n");
  assert.equal(["train", "validation", "test"].map((name) => lines(`${name}.jsonl`).length), [
    16,
    2,
    2,
  ]);
  const { text, entities } = JSON.parse(lines("test.jsonl")[0]!);
  assert.equal(
    entities.map((
      { type, start, end }: { type: string; start: number; end: number },
    ) => [type, text.slice(start, end)]),
    [["MED", text.split(" ")[0]], ["ORG", "liver"]],
  );
  assert.equal(lines("unlabelled.txt"), [long]);
});

test("every stage has a name and a product of its own, and reads what an earlier one wrote", () => {
  for (const sizes of [QUICK, SMALL, FULL]) {
    const stages = stagesOf("out", "out/data/text.txt.gz", sizes);
    const products = stages.map(({ done }) => JSON.stringify(done));
    assert.is(new Set(products).size, stages.length);
    assert.is(new Set(stages.map(({ name }) => name)).size, stages.length);
    const there = new Set(["out/data"]);
    const made = (path: string): boolean =>
      [...there].some((one) => path === one || path.startsWith(`${one}/`));
    for (const { name, args, done } of stages) {
      const own = "path" in done ? done.path.replace(/\/report\.json$/, "") : "out/results.jsonl";
      for (const arg of args.map((one) => one.replace(/^[^=]*=/, ""))) {
        if (arg.startsWith("out/") && arg !== own) assert.ok(made(arg), `${name}: ${arg}`);
      }
      there.add(own);
    }
  }
});

test.run();
