/**
 * `edge-ner label`: labels without annotators, from a declarative file.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import {
  CombineMeter,
  type Combiner,
  type CombineReport,
  fitHmm,
  type Labeler,
  type LlmReport,
  type Observed,
  voteCombiner,
} from "../../label.ts";
import { Ner } from "../../mod.ts";
import { findInputs } from "./corpus/inputs.ts";
import { enterFolder } from "./corpus/job.ts";
import { cutShards, type Shard } from "./corpus/shards.ts";
import { writeWhole } from "./corpus/whole_file.ts";
import { UsageError } from "./errors.ts";
import { type LabelConfig, labelSchema, readLabelConfig } from "./label_config.ts";
import { answer, readVotes, vote } from "./label_corpus.ts";
import { makeLabelers } from "./label_make.ts";
import { modelSource } from "./named.ts";
import { print } from "./output.ts";
import { Progress } from "./progress.ts";
import { table } from "./table.ts";

const HELP = `
The file, YAML or JSON, names inputs (as "annotate" takes them), an output folder, labelers, and how they are combined:

  input: [notes/*.jsonl]
  output: labelled
  labelers:
    - { name: doid, kind: dictionary, format: obo, files: [doid.obo], type: Disease, confidence: 0.8 }
    - { name: doses, kind: regex, patterns: [{ type: Dose, pattern: '\\d+ ?mg', ignoreCase: true }] }
    - { name: model, kind: model }
    - { name: llm, kind: llm, url: http://localhost:8000/v1, model: qwen3, types: { Disease: a disease } }
  combine: { method: hmm }

--schema prints the JSON schema of all that may be said. The output is a folder: part-00000.jsonl and so on for training ("edge-ner train"),
posteriors-*.jsonl if asked for, votes-*.jsonl (what each labeler said), report.json. Where documents have "entities", the
labelers are scored by them. A run that was stopped is gone on with by the same command; language models are asked
nothing twice.

Examples:
  edge-ner label label.yaml
  edge-ner label --schema > label.schema.json`;

const SHARD_BYTES = 1 << 20, SAMPLE = 20_000;

/** Defines the command. */
export function labelCommand(program: Command): void {
  program.command("label")
    .description("label a corpus by lists, expressions, models and language models, combined")
    .argument("[config]", "what to do, YAML or JSON")
    .option("--schema", "print the JSON schema of that file")
    .addHelpText("after", HELP)
    .action((path: string | undefined, { schema }: { schema?: boolean }) => {
      if (schema) return print(JSON.stringify(labelSchema(), undefined, 2) + "\n");
      if (path === undefined) {
        throw new UsageError("name the file that says what to do, or ask for its --schema");
      }
      return label(path);
    });
}

async function label(path: string): Promise<void> {
  const config = readLabelConfig(path), from = dirname(resolve(path));
  const here = (name: string): string => resolve(from, name);
  const folder = here(config.output), column = config.column ?? "text";
  const inputs = await findInputs(config.input.map(here));
  await enterFolder(folder, { version: 1, config: readFileSync(path, "utf8"), inputs });
  const shards = cutShards(inputs, SHARD_BYTES);
  const { labelers, models, llms } = await makeLabelers(config.labelers, here, folder);
  const tokens = config.tokens === undefined
    ? undefined
    : await Ner.load(modelSource(config.tokens, here));
  const progress = new Progress(
    shards.reduce((sum, { from, to, size }) => sum + (to ?? size) - from, 0),
  );
  try {
    let bytes = 0, documents = 0;
    for (const shard of shards) {
      let done = 0;
      await vote(
        shard,
        labelers,
        column,
        folder,
        (count) => progress.update(bytes, documents + (done = count)),
      );
      bytes += (shard.to ?? shard.size) - shard.from;
      documents += done;
    }
    progress.stop();
    const read = (shard: Shard): ReturnType<typeof readVotes> =>
      readVotes(shard, labelers, folder, tokens);
    const combiner = await combinerOf(config.combine, labelers, shards, read);
    const meter = new CombineMeter(labelers);
    for (const shard of shards) {
      const options = { column, posteriors: config.posteriors ?? false };
      await answer(shard, read(shard), combiner, meter, folder, options);
    }
    const report = {
      ...meter.report(),
      llms: llms.map((llm) => ({ name: llm.name, ...llm.report() })),
    };
    await writeWhole(join(folder, "report.json"), JSON.stringify(report, undefined, 2) + "\n");
    await print(
      tableOf(report) + `\n${report.texts} texts, ${report.spans} entities in ${folder}\n`,
    );
  } finally {
    progress.stop();
    for (const model of [...models, ...tokens ? [tokens] : []]) model.close();
  }
}

async function combinerOf(
  combine: LabelConfig["combine"],
  labelers: readonly Labeler[],
  shards: readonly Shard[],
  read: (shard: Shard) => ReturnType<typeof readVotes>,
): Promise<Combiner> {
  if (combine.method === "majority") return await voteCombiner(labelers);
  if (combine.method === "weighted") return await voteCombiner(labelers, combine.weights);
  const texts: Observed[] = [], most = combine.sample ?? SAMPLE;
  for (const shard of shards) {
    for await (const { observed } of read(shard)) {
      texts.push(observed);
      if (texts.length === most) return await fitHmm(texts, labelers, combine);
    }
  }
  return await fitHmm(texts, labelers, combine);
}

function tableOf(
  { labelers, scores, llms }: CombineReport & { llms: readonly (LlmReport & { name: string })[] },
): string {
  const percent = (value: number | undefined): string =>
    value === undefined ? "" : (100 * value).toFixed(1);
  const rows = labelers.map((each) => [
    each.name,
    String(each.spans),
    ...[each.coverage, each.overlap, each.conflict, each.estimatedPrecision, each.estimatedRecall]
      .map(percent),
    ...[each.scores?.micro.precision, each.scores?.micro.recall, each.scores?.micro.f1].map(
      percent,
    ),
  ]);
  const combined = [
    "combined",
    "",
    "",
    "",
    "",
    "",
    "",
    ...[scores?.micro.precision, scores?.micro.recall, scores?.micro.f1].map(percent),
  ];
  const header = [
    "labeler",
    "spans",
    "covers",
    "overlaps",
    "conflicts",
    "est. P",
    "est. R",
    "P",
    "R",
    "F1",
  ];
  const spent = llms.map(
    ({ name, asked, cached, tokens, notFound, unknownTypes, failures, lastFailure }) => {
      const failed = Object.entries(failures).map(([reason, count]) => `${count} ${reason}`).join(
        ", ",
      );
      return `${name}: ${asked} answers, ${cached} kept from before, ${tokens} tokens; ${notFound} quotes not in the text, ` +
        `${unknownTypes} of other types` +
        (failed && `; without an answer: ${failed} (${lastFailure})`) + "\n";
    },
  );
  return table(header, [...rows, combined]) + spent.join("");
}
