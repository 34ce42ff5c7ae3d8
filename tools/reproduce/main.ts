/**
 * The system of arXiv 2605.25463, end to end: `deno task reproduce --quick` or `--full --data DIR`, both with `-o OUT`.
 *
 * Every stage is a line of `edge-ner`, which is printed before it runs, so that each can be run by hand as well. A stage
 * that is done is passed over; one that was killed goes on from its last checkpoint and gives the bits that it would
 * have had. So the same command goes on with everything, at any time.
 *
 * `--quick` takes minutes on text that it makes up itself: it shows that all of it works, and its scores say nothing
 * about Bangla. `--full` takes hours to days: it has the paper's depth and protocol at a width that a processor can train.
 * `--only PART` runs the stages whose name has this part, whose predecessors must be done; `--list` prints all.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { run } from "../../src/cli/program.ts";
import { readRecords } from "../../train.ts";
import { findCorpus, makeData, splitData } from "./data.ts";
import { FULL, QUICK, type Sizes, type Stage, stagesOf } from "./plan.ts";

const HELP = `deno task reproduce --quick -o OUT
deno task reproduce --full --data DIR -o OUT

  --quick        minutes, on text that it makes up itself
  --full         hours to days, on the data of --data
  --data DIR     train.jsonl, validation.jsonl and test.jsonl, or MedER's table (MedER*.csv, there or in meder/);
                 and plain text in text/ or bangla_text/
  -o, --output   folder for everything; the report is in its folder report (default: reproduction)
  --seeds N      runs of everything with so many seeds (default: 2 if quick, 3 if full)
  --threads N    threads of training (default: one for each core)
  --only PART    stages whose name has this part
  --list         print the stages
`;

/** Prints and ends the program. */
function refuse(message: string): never {
  process.stderr.write(`reproduce: ${message}\n`);
  process.exit(2);
}

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    data: { type: "string" },
    output: { type: "string", short: "o", default: "reproduction" },
    seeds: { type: "string" },
    threads: { type: "string" },
    only: { type: "string" },
    list: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
if (values.quick === values.full) refuse("say --quick or --full; --help tells what they are");
if (values.full !== (values.data !== undefined)) refuse("--full, and only it, needs --data DIR");
const wholeNumber = (name: "seeds" | "threads"): number | undefined => {
  const value = values[name];
  if (value === undefined) return undefined;
  return /^[1-9]\d?$/.test(value)
    ? Number(value)
    : refuse(`--${name} is ${value}; expected 1 to 99`);
};
const out = values.output, threads = wholeNumber("threads");
const planned = values.quick ? QUICK : FULL;
const sizes: Sizes = { ...planned, seeds: wholeNumber("seeds") ?? planned.seeds };
const corpus = values.data === undefined ? undefined : findCorpus(values.data);
const stages = stagesOf(out, corpus?.text ?? join(out, "data", "text.txt.gz"), sizes);

/** What must be the same when it goes on. */
function checkPlan(): void {
  const plan = JSON.stringify({ sizes, corpus }, undefined, 2) + "\n",
    path = join(out, "plan.json");
  mkdirSync(out, { recursive: true });
  if (!existsSync(path)) writeFileSync(path, plan);
  else if (readFileSync(path, "utf8") !== plan) {
    refuse(`${out}: was begun with other sizes or data (plan.json); name another folder`);
  }
}

const results = join(out, "results.jsonl");

function isDone({ done }: Stage): boolean {
  if ("path" in done) return existsSync(done.path);
  if (!existsSync(results)) return false;
  return readRecords(readFileSync(results, "utf8"), results).some(({ role, name, seed }) =>
    role === done.role && name === done.name && seed === done.seed
  );
}

/** Whether a stage's product was needed by the next one alone, which is done: it is not made again. */
function isSpent({ done }: Stage, i: number): boolean {
  const next = stages[i + 1];
  return "path" in done && next?.remove === done.path && isDone(next);
}

const TRAINS = ["pretrain", "train", "distill"];

if (values.list) {
  for (const { name, args } of stages) console.log(`${name}: edge-ner ${args.join(" ")}`);
  process.exit(0);
}
checkPlan();
if (corpus === undefined) makeData(join(out, "data"), sizes.synthetic!);
else splitData(join(out, "data"), corpus, sizes.unlabelled);
const start = performance.now();
let ran = 0;
for (const [i, stage] of stages.entries()) {
  if (values.only !== undefined && !stage.name.includes(values.only)) continue;
  if (isDone(stage) || isSpent(stage, i)) continue;
  const trains = TRAINS.includes(stage.args[0]!) && threads !== undefined;
  const args = [...stage.args, ...(trains ? ["--threads", String(threads)] : [])];
  process.stderr.write(`\n[${i + 1}/${stages.length}] ${stage.name}\nedge-ner ${args.join(" ")}\n`);
  if ("path" in stage.done) mkdirSync(dirname(stage.done.path), { recursive: true });
  const code = await run(args);
  if (code !== 0) process.exit(code);
  if (stage.remove !== undefined) rmSync(stage.remove, { recursive: true, force: true });
  ran++;
}
const seconds = ((performance.now() - start) / 1000).toFixed(0), report = join(out, "report");
const where = existsSync(report) ? `the report is ${report}` : "there is no report yet";
console.log(`${ran} of ${stages.length} stages in ${seconds} s; ${where}`);
process.exit(0);
