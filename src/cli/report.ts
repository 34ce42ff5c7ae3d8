/**
 * `edge-ner report`: tables and figures from the records of scored models and of runs.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { type FigureName, readRecords, reportText } from "../../train.ts";
import { UsageError } from "./errors.ts";
import { print } from "./output.ts";
import { checkFolder, replaceFolder } from "./replace.ts";
import type { NamedRun } from "./report_charts.ts";
import type { LoggedRecord } from "./train_folder.ts";

interface ReportOptions {
  readonly output: string;
  readonly run?: readonly Run[];
  readonly note?: string;
  readonly force?: boolean;
}

/** A run's folder and what it is called. */
interface Run {
  readonly name: string;
  readonly folder: string;
}

const HELP = `
The records are what "eval --record" has appended, a model each; of two of one --as, --name and --seed the later counts.
--run adds the curves of a run of "train" or "distill" by its folder.

The output is a folder with report.md, which has the tables of arXiv 2605.25463 with the paper's figures beside, of
ablations and of single types, and the figures as SVG: truncation, curves, tradeoff, confusion, classes. What the
records have nothing for is left out.

Examples:
  edge-ner report results.jsonl -o report
  edge-ner report results.jsonl --run teacher=./teacher --run student=./student -o report --force`;

/** Defines the command. */
export function reportCommand(program: Command): void {
  program.command("report")
    .description("tables and figures from scored models")
    .argument("<records>", 'file that "eval --record" wrote')
    .requiredOption("-o, --output <folder>", "folder for report.md and its figures")
    .option("--run <name=folder>", "a run whose curves to draw; repeatable", parseRun)
    .option("--note <text>", "a sentence to print above the tables: how it was run")
    .option("--force", "write over a report")
    .addHelpText("after", HELP)
    .action(report);
}

/** `NAME=FOLDER`, added to those before. */
function parseRun(value: string, before: readonly Run[] = []): Run[] {
  const at = value.indexOf("=");
  if (at < 1 || at === value.length - 1) throw new InvalidArgumentError("Expected NAME=FOLDER.");
  return [...before, { name: value.slice(0, at), folder: value.slice(at + 1) }];
}

async function report(file: string, options: ReportOptions): Promise<void> {
  const { output, run: runs = [], force = false } = options;
  checkFolder(output, { force });
  const records = readRecords(readFileSync(file, "utf8"), file);
  if (records.length === 0) throw new UsageError(`${file}: holds no records`);
  const { figuresOf } = await import("./report_charts.ts");
  const figures = figuresOf(records, runs.map(readRun));
  const text = reportText(records, new Set(figures.keys()), options.note);
  const encoder = new TextEncoder();
  const files: readonly (readonly [FigureName | "report.md", string])[] = [
    ...figures,
    ["report.md", text],
  ];
  await replaceFolder(
    output,
    new Map(files.map(([name, content]) => [name, encoder.encode(content)])),
    { force, check: () => {} },
  );
  await print(`${output}: ${records.length} models, ${files.map(([name]) => name).join(", ")}\n`);
}

/** The records of a run; a line that a killed run has not finished is passed over. */
function readRun({ name, folder }: Run): NamedRun {
  const path = join(folder, "train.jsonl");
  if (!existsSync(path)) throw new UsageError(`${folder}: is no run; it has no train.jsonl`);
  const records = readFileSync(path, "utf8").split("\n").flatMap((line): LoggedRecord[] => {
    try {
      return [JSON.parse(line)];
    } catch {
      return [];
    }
  });
  return { name, records };
}
