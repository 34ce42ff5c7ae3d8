/**
 * Reports: what is read, what is refused, and that tables say what the records do.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { NerError } from "../../src/errors.ts";
import { confusionMatrix, scoreSpans, type Span } from "../../src/eval/spans.ts";
import { type ModelRecord, readRecords, spreadOf } from "../../src/train/report/records.ts";
import { reportText } from "../../src/train/report/report.ts";
import { sizeTable, sweepTable } from "../../src/train/report/tables.ts";

const GOLD: readonly (readonly Span[])[] = [
  [{ type: "MED", start: 0, end: 4 }, { type: "DIS", start: 5, end: 9 }],
  [{ type: "DIS", start: 0, end: 5 }],
];

function record(parts: Partial<ModelRecord>, found: readonly (readonly Span[])[] = GOLD) {
  const own: ModelRecord = {
    kind: "model",
    role: "student",
    name: "student",
    seed: 1,
    backend: "fp32",
    layers: 4,
    parameters: 1234,
    bytes: 5_000_000,
    latencies: [{ engine: "edge-ner", milliseconds: 8 }],
    scores: scoreSpans(GOLD, found),
    wordAccuracy: 0.75,
    confusion: confusionMatrix(GOLD, found),
    ...parts,
  };
  return own;
}

const lines = (records: readonly object[]): string =>
  records.map((one) => JSON.stringify(one) + "\n").join("");

test("records are read back; the later of two of one name and seed counts", () => {
  const [a, b] = [record({}), record({ seed: 2 })];
  const again = { ...a, bytes: 7 };
  assert.is(lines(readRecords(lines([a, b, again]), "r.jsonl")), lines([again, b]));
});

test("what is no record is refused, by its line", () => {
  const refused = (line: string, message: RegExp): void => {
    try {
      readRecords(lines([record({})]) + "\n" + line, "r.jsonl");
    } catch (error) {
      assert.instance(error, NerError);
      assert.is((error as NerError).code, "data/json");
      return assert.match((error as Error).message, message);
    }
    assert.unreachable();
  };
  refused("{", /^r\.jsonl, line 3: is no JSON; expected a record/);
  refused("null", /^r\.jsonl, line 3: its kind is undefined/);
  refused(JSON.stringify({ kind: "epoch" }), /line 3: its kind is "epoch"/);
  const odd = (parts: object): string => JSON.stringify({ ...record({}), ...parts });
  refused(odd({ role: "boss" }), /role is "boss"/);
  refused(odd({ seed: -1 }), /seed is -1/);
  refused(odd({ bytes: "5" }), /bytes is "5"/);
  refused(odd({ latencies: [{ engine: "x" }] }), /latencies is /);
  refused(odd({ scores: { types: {}, micro: {}, macro: {} } }), /scores is /);
});

test("spreads are mean and sample deviation", () => {
  assert.equal(spreadOf([0.5]), { mean: 0.5, deviation: 0, count: 1 });
  assert.equal(spreadOf([1, 2, 3, 4]), { mean: 2.5, deviation: Math.sqrt(5 / 3), count: 4 });
});

test("tables have our figures beside the paper's", () => {
  const teacher = record({
    role: "teacher",
    name: "teacher",
    layers: 12,
    latencies: [
      { engine: "edge-ner", milliseconds: 80 },
      { engine: "onnxruntime-web", milliseconds: 160 },
    ],
  });
  const half = [[GOLD[0]![0]!], []];
  const records = [
    teacher,
    record({ role: "int8", name: "int8", latencies: [{ engine: "edge-ner", milliseconds: 4 }] }),
    record({ role: "ablation", name: "no distillation", seed: 1 }),
    record({ role: "ablation", name: "no distillation", seed: 2 }, half),
    record({ role: "sweep", name: "temperature 1" }, half),
    record({ role: "sweep", name: "temperature 4" }),
  ];
  assert.match(
    sizeTable(records),
    /\n\| teacher \| 12 \| 1,234 \| 5\.000 \| 80\.0 \| 1\.0 x \| 160 \| 627 \| 1\.0 x \|\n\| student, int8 \| 4 \| 1,234 \| 5\.000 \| 4\.00 \| 20\.0 x \| – \| 327\.6 \| 8\.6 x \|\n$/,
  );
  // Half of three entities' types found: micro 2 * 1 * (1/3) / (4/3), macro the mean of 1 and 0.
  assert.match(sweepTable(records), /\n\| temperature 1 \| 50\.00 \| 50\.00 \| 1 \|\n/);
  assert.match(sweepTable(records), /\n\| \*\*temperature 4\*\* \| 100\.00 \| 100\.00 \| 1 \|\n/);
  const text = reportText(records, new Set(["tradeoff.svg"]), "Four epochs of a toy.");
  assert.match(text, /\n\nFour epochs of a toy\.\n\n## Accuracy\n/);
  assert.match(text, /\n\| no distillation \| 75\.00 ± 35\.36 \| 75\.00 ± 35\.36 \| 2 \|\n/);
  assert.match(text, /\n\| teacher \| 100\.00 \| .* \| 75\.00 \| 47\.86 \|\n/);
  assert.match(text, /!\[.*\]\(tradeoff\.svg\)/);
  assert.not.match(text, /curves\.svg|Layers kept/);
  assert.match(text, /\n\| DIS \| teacher \| 100\.00 .* \| 2 \|\n\| +\| student, int8 \|/);
});

test.run();
