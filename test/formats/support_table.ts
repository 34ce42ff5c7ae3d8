/**
 * The table of models that load, between two markers of README.md: `deno task support [--write]`.
 *
 * It is made from running the zoo (test/fixtures/zoo), not from what the code means to do; the test of the zoo
 * fails when the committed table says something else. A cell counts files and gives their opsets.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { chooseKernels } from "../../src/kernels/module.ts";
import { limitOf, type Outcome, runWholeZoo } from "./zoo.ts";
import { shipped } from "../support.ts";

const BEGIN = "<!-- support:begin -->";
const END = "<!-- support:end -->";

/** Columns: how a file was made. */
const WAYS: readonly (readonly [string, (outcome: Outcome) => boolean])[] = [
  ["checkpoint", ({ expected }) => expected.exporter === "safetensors"],
  ["quantized", ({ expected, kind }) => kind === "quantized" || has(expected.then, "nbits")],
  [
    "ONNX Runtime's fusions",
    ({ name, expected }) =>
      has(expected.then, "fuse") || has(expected.then, "session") || /-O[123]$/.test(name),
  ],
  ["torch, TorchScript", ({ expected }) => expected.exporter === "torchscript"],
  ["torch, dynamo", ({ expected }) => expected.exporter === "dynamo"],
  ["Optimum", ({ expected }) => expected.exporter === "optimum"],
];

/** Columns from left to right; {@link WAYS} has the order in which they are asked. */
const ORDER = [
  "torch, TorchScript",
  "torch, dynamo",
  "Optimum",
  "ONNX Runtime's fusions",
  "quantized",
  "checkpoint",
];

const ARCHITECTURES: Readonly<Record<string, string>> = {
  bert: "BERT, MiniLM",
  distilbert: "DistilBERT",
  electra: "ELECTRA",
  roberta: "RoBERTa",
  "xlm-roberta": "XLM-RoBERTa",
  camembert: "CamemBERT",
  albert: "ALBERT",
  rembert: "RemBERT",
};

function has(steps: Outcome["expected"]["then"], step: string): boolean {
  return steps?.some(([name]) => name === step) ?? false;
}

/** Whether a folder did what it should. */
function passed(outcome: Outcome): boolean {
  return outcome.kind === "refused"
    ? outcome.refusal !== undefined
    : outcome.refusal === undefined && outcome.distance <= limitOf(outcome);
}

function cell(outcomes: readonly Outcome[]): string {
  if (outcomes.length === 0) return "";
  const good = outcomes.filter(passed);
  const opsets = good.map(({ expected }) => expected.opset).filter((opset) => opset !== null);
  const [low, high] = [Math.min(...opsets), Math.max(...opsets)];
  const range = opsets.length === 0
    ? ""
    : low === high
    ? ` (opset ${low})`
    : ` (${low} to ${high})`;
  const failed = good.length < outcomes.length ? ` of ${outcomes.length}` : "";
  return `${good.length}${failed}${range}`;
}

/** Largest distance of a kind, rounded up to one digit. */
function worst(outcomes: readonly Outcome[]): string {
  const largest = Math.max(...outcomes.map(({ distance }) => distance));
  const power = 10 ** Math.floor(Math.log10(largest));
  return (Math.ceil(largest / power) * power).toExponential(0);
}

/** The table, in Markdown. */
export function supportTable(outcomes: readonly Outcome[]): string {
  const wayOf = (outcome: Outcome): string => WAYS.find(([, is]) => is(outcome))![0];
  const read = outcomes.filter(({ kind }) => kind !== "refused");
  const rows = Object.entries(ARCHITECTURES).map(([architecture, name]) => {
    const own = read.filter(({ expected }) => expected.architecture === architecture);
    return [name, ...ORDER.map((way) => cell(own.filter((outcome) => wayOf(outcome) === way)))];
  });
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const of = (kind: Outcome["kind"]): Outcome[] => outcomes.filter((each) => each.kind === kind);
  const refused = of("refused").filter(passed);
  // The same models are there as checkpoints, refused for the same reasons.
  const graphs = refused.filter(({ name }) => name.endsWith("-onnx"));
  const reasons = graphs.map(({ expected }) => expected.why!);
  return [
    line(["files that load, by opset", ...ORDER]),
    line(["---", ...ORDER.map(() => "---")]),
    ...rows.map(line),
    "",
    `${
      read.filter(passed).length
    } of ${read.length} files of the [zoo](test/fixtures/zoo/README.md) ` +
    `load and give the emissions of ONNX Runtime or PyTorch. Largest relative distance (L2): ` +
    `${worst(of("float"))} in float32, ${worst(of("half"))} in half precision, ` +
    `${worst(of("quantized"))} of the float model where the file is quantized.`,
    "",
    `Refused with a sentence that says why, ${refused.length} of ${of("refused").length} files: ` +
    `${reasons.join("; ")}.`,
  ].join("\n");
}

/** Whether a text has the two markers. */
export function hasPlace(text: string): boolean {
  return text.includes(BEGIN) && text.includes(END);
}

/** A text with another table between its markers. Throws where it has none. */
export function withTable(text: string, table: string): string {
  const begin = text.indexOf(BEGIN), end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`README.md has no ${BEGIN} ... ${END}.`);
  return `${text.slice(0, begin + BEGIN.length)}\n\n${table}\n\n${text.slice(end)}`;
}

if (import.meta.main) {
  const outcomes = await runWholeZoo(await chooseKernels([await shipped("baseline")]));
  const table = supportTable(outcomes);
  console.log(table);
  if (Deno.args.includes("--write")) {
    const path = new URL("../../README.md", import.meta.url);
    writeFileSync(path, withTable(readFileSync(path, "utf8"), table));
  }
  for (const outcome of outcomes.filter((each) => !passed(each))) {
    console.error(outcome.name, outcome.refusal?.join(": ") ?? outcome.distance);
    Deno.exitCode = 1;
  }
}
