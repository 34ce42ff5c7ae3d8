/**
 * The system of arXiv 2605.25463, end to end: `deno task reproduce --quick` or `--small` or `--full`
 * with `--data DIR`; all with `-o OUT`.
 *
 * Every stage is a line of `edge-ner` that is printed, and that the same command goes on from (`stages.ts`).
 *
 * `--quick` takes minutes on text that it makes up itself: it shows that all of it works, and its scores say nothing
 * about Bangla. `--small` takes an hour or two on real data: every row of the tables, by models too small to be shipped.
 * `--full` takes hours to days: it has the paper's depth and protocol at a width that a processor can train.
 * `--only PART` runs the stages whose name has this part, whose predecessors must be done; `--list` prints all.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { findCorpus, firstText, makeData, splitData } from "./data.ts";
import { Refusal } from "./files.ts";
import { FULL, QUICK, type Sizes, SMALL, stagesOf } from "./plan.ts";
import { keepPlan, listStages, runProgram, runStages, wholeNumber } from "./stages.ts";

const HELP = `deno task reproduce --quick -o OUT
deno task reproduce --small --data DIR -o OUT
deno task reproduce --full --data DIR -o OUT

  --quick        minutes, on text that it makes up itself
  --small        an hour or two on one core, on the data of --data: a narrow encoder, few epochs
  --full         hours to days, on the data of --data
  --data DIR     train.jsonl, validation.jsonl and test.jsonl, or MedER's table (MedER*.csv, there or in meder/);
                 and plain text in text/ or bangla_text/
  -o, --output   folder for everything; the report is in its folder report (default: reproduction)
  --seeds N      runs of everything with so many seeds (default: 2 if quick, else 3)
  --threads N    threads of training (default: one for each core)
  --only PART    stages whose name has this part
  --list         print the stages
`;

await runProgram("reproduce", async () => {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      small: { type: "boolean", default: false },
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
  const { quick, small, full, data, output: out, only } = values;
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  if ([quick, small, full].filter(Boolean).length !== 1) {
    throw new Refusal("say --quick, --small or --full; --help tells what they are");
  }
  if (quick !== (data === undefined)) {
    throw new Refusal("--small and --full, and only they, need --data DIR");
  }
  const threads = wholeNumber("threads", values.threads);
  const planned = quick ? QUICK : small ? SMALL : FULL;
  const sizes: Sizes = { ...planned, seeds: wholeNumber("seeds", values.seeds) ?? planned.seeds };
  const corpus = data === undefined ? undefined : findCorpus(data);
  const text = corpus === undefined
    ? join(out, "data", "text.txt.gz")
    : sizes.firstFile
    ? firstText(corpus.text)
    : corpus.text;
  const stages = stagesOf(out, text, sizes);
  if (values.list) return listStages(stages);
  keepPlan(out, { sizes, corpus });
  if (corpus === undefined) makeData(join(out, "data"), sizes.synthetic!);
  else splitData(join(out, "data"), corpus, sizes.unlabelled);
  const start = performance.now();
  const ran = await runStages(stages, { results: join(out, "results.jsonl"), only, threads });
  const seconds = ((performance.now() - start) / 1000).toFixed(0), report = join(out, "report");
  const where = existsSync(report) ? `the report is ${report}` : "there is no report yet";
  console.log(`${ran} of ${stages.length} stages in ${seconds} s; ${where}`);
});
