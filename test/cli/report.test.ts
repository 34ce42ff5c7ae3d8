/**
 * `edge-ner eval --record` and `report`: from scored models to tables and figures.
 *
 * @module
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { wordAccuracy } from "../../src/cli/eval_record.ts";
import { cli, fixture, scratch } from "./run.ts";

const path = scratch();
const TEXT = "জ্বরে প্যারাসিটামল খাওয়া যায়।";
const entities = [{ type: "DIS", start: 0, end: 4 }, { type: "MED", start: 6, end: 18 }];
writeFileSync(path("test.jsonl"), JSON.stringify({ text: TEXT, entities }) + "\n");

test("words are right if they begin as in the gold", () => {
  const texts = ["take napa extra for pain"];
  const span = (type: string, start: number, end: number) => ({ type, start, end });
  const gold = [[span("MED", 5, 15), span("DIS", 20, 24)]];
  const of = (...found: ReturnType<typeof span>[]): number =>
    wordAccuracy({ texts, gold, predicted: [found] });
  assert.is(of(...gold[0]!), 1);
  assert.is(of(), 2 / 5);
  // The second word goes on with an entity in the gold, and begins one in the prediction.
  assert.is(of(span("MED", 10, 15), span("DIS", 20, 24)), 3 / 5);
  assert.is(of(span("DIS", 5, 15), span("DIS", 20, 24)), 3 / 5);
});

test("scored models become a report", async () => {
  const model = fixture("tiny-dynamo");
  const args = ["eval", path("test.jsonl"), "--model", model, "--record", path("results.jsonl")];
  for (const [as, backend] of [["teacher", "fp32"], ["int8", "int8"]]) {
    const run = await cli([...args, "--as", as!, "--backend", backend!, "--ort"]);
    assert.is(run.code, 0, run.stderr);
  }
  const records = readFileSync(path("results.jsonl"), "utf8").trim().split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(records.map(({ role, name, backend }) => [role, name, backend]), [
    ["teacher", "teacher", "fp32"],
    ["int8", "int8", "int8"],
  ]);
  const [first] = records;
  assert.ok(first.parameters > 1000 && first.bytes > 4 * first.parameters, JSON.stringify(first));
  assert.equal(first.latencies.map(({ engine }: { engine: string }) => engine), [
    "edge-ner",
    "onnxruntime-web",
  ]);
  const epoch = { kind: "epoch", step: 9, epoch: 1, loss: 0.5, scores: first.scores };
  writeFileSync(path("train.jsonl"), JSON.stringify(epoch) + "\n");
  const report = ["report", path("results.jsonl"), "--run", `teacher=${path(".")}`];
  const run = await cli([...report, "-o", path("report")]);
  assert.is(run.code, 0, run.stderr);
  assert.match(run.stdout, /report: 2 models, curves\.svg, tradeoff\.svg, confusion\.svg, classes/);
  assert.equal(readdirSync(path("report")).sort(), [
    "classes.svg",
    "confusion.svg",
    "curves.svg",
    "report.md",
    "tradeoff.svg",
  ]);
  for (const name of readdirSync(path("report"))) {
    const content = readFileSync(path(`report/${name}`), "utf8");
    assert.match(
      content,
      name === "report.md" ? /^# Teacher, student, int8\n/ : /^<svg .*<\/svg>/s,
    );
    assert.not.match(content, /NaN|undefined|Infinity/, name);
  }
  const again = await cli([...report, "-o", path("report")]);
  assert.is(again.code, 2);
  assert.match(again.stderr, /report: holds files already/);
  const none = await cli(["report", path("results.jsonl"), "--run", "x=nowhere", "-o", path("y")]);
  assert.match(none.stderr, /nowhere: is no run; it has no train\.jsonl/);
});

test.run();
