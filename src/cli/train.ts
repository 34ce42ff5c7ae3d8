/**
 * `edge-ner train`: a model for one's own entity types, from labelled texts.
 *
 * @module
 */
import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { ADAPTED, Ner, scoreSpans, writeAdapter, writeCheckpoint } from "../../mod.ts";
import type { Adapted, Adapter, ModelBundle, Span, SpanScores } from "../../mod.ts";
import { createTrainer, FineTuning, labelsOf } from "../../train.ts";
import type {
  Best,
  FineTuneInput,
  FineTuneOptions,
  LabelledText,
  Split,
  Teaching,
} from "../../train.ts";
import { scoreTable } from "./eval_tables.ts";
import { decimal, integer } from "./model.ts";
import { complain, print } from "./output.ts";
import { table } from "./table.ts";
import {
  addAugmentOptions,
  type AugmentArguments,
  readFurther,
  readLexicons,
  readNames,
} from "./train_augment.ts";
import { addDataOptions, type DataOptions, readData, reportReach } from "./train_data.ts";
import { type LoggedRecord, reached, TrainFolder } from "./train_folder.ts";
import { TrainProgress } from "./train_progress.ts";
import { addStartOptions, startingModel, type StartOptions } from "./train_start.ts";

/** What {@link addTuningOptions} parses to, with what the data and the start are. */
export interface TrainOptions extends DataOptions, StartOptions, AugmentArguments {
  readonly output: string;
  readonly epochs: number;
  readonly seed: number;
  readonly seeds: number;
  readonly rate?: number;
  readonly warmup?: number;
  readonly batchTokens?: number;
  readonly batchTexts?: number;
  readonly accumulate?: number;
  readonly length?: number;
  readonly dropout?: number;
  readonly weightDecay?: number;
  readonly beta2?: number;
  readonly clip?: number;
  readonly headRate?: number;
  readonly crfRate?: number;
  readonly featureRate?: number;
  readonly crf: boolean;
  readonly freeze?: number;
  readonly average?: number;
  readonly metric?: "micro" | "macro";
  readonly patience?: number;
  readonly lora?: number;
  readonly loraAlpha?: number;
  readonly loraMaps?: readonly Adapted[];
  readonly saveSteps?: number;
  readonly threads?: number;
  readonly resume?: boolean;
}

const HELP = `
Data. Three kinds of files, told by their names (or --format); .gz files are unpacked:
  .jsonl       {"text": "...", "entities": [{"type": "MED", "start": 0, "end": 12}]}, as "eval" reads it
  .tsv .conll  a token and its tag a line (BIO, IOB1, BIOES, BILOU), a blank line between texts
  .csv         a column of texts, and columns that list entities without saying where they stand
Entity types come from the data. Without --validation and --test, a tenth of the texts each is held out.

The output is a folder with the best epoch's model as a Hugging Face checkpoint, report.json, train.jsonl (a record
for each step and epoch) and curves.svg. A run that was ended is gone on with by the same command and --resume, and
gives the same bits as one that was not. The same data, options and seed give the same model on every machine.

Rates: small or fresh encoders learn at 5e-4, large ones that were pretrained long at 3e-5, adapters at 1e-3.

Few data are learnt by heart unless the texts differ from epoch to epoch: --exchange 0.25 --mask 0.07 --resplit 0.1
--join 0.06, --average 0.99, and --dropout 0.15. Names of --names are in the last column of each line.

--lexicon MED=drugs.txt and --dictionary let the model carry lexicons: lists of terms, and the data's own entities with how
often they are entities. They are kept as fingerprints, never as text. --inflected lets a term end inside a word.
Without either, a model that has lexicons keeps them as they are.

--also reads a corpus of other types, of which --also-type Medicine=MED says which are ours: where it has one, the label
is known, and elsewhere it is anything but one of these.

--lora 8 learns adapters (LoRA) beside an encoder that stays as it is: a file of some kilobytes, under PEFT's names, in
the folder "adapter"; the model in the output folder has it merged. "convert --adapter" merges it into another copy.

Examples:
  edge-ner train --data train.jsonl --base my-model.safetensors -o my-run
  edge-ner train --data train.tsv --validation dev.tsv --fresh my-vocab -o my-run --epochs 20 --average 0.99
  edge-ner train --data meder.csv --type Organ=ORG --type Disease=DIS --group Drug --base ./teacher -o my-run
  edge-ner convert my-run -o my-model.safetensors`;

/** Defines the command. */
export function trainCommand(program: Command): void {
  const command = program.command("train")
    .description("fine-tune a model on labelled texts")
    .requiredOption("-o, --output <folder>", "folder for the run and its model");
  addTuningOptions(addStartOptions(addDataOptions(command)))
    .option("--no-crf", "judge each token's label alone")
    .option("--lora <rank>", "learn low-rank adapters and a head, nothing else", integer(1, 1024))
    .option(
      "--lora-alpha <x>",
      "scale of the adapters (default: twice the rank)",
      decimal(1e-6, 1e6),
    )
    .option("--lora-maps <list>", `of ${ADAPTED.join(",")} (default: query,value)`, parseMaps)
    .addHelpText("after", HELP)
    .action((options: TrainOptions) => train(options));
}

/** Adds the options of whatever is trained on labelled texts. */
export function addTuningOptions(command: Command): Command {
  return addAugmentOptions(command)
    .option("--epochs <n>", "times that the data are gone through", integer(1, 1e6), 10)
    .option("--seed <n>", "decides everything that is random", integer(0, 2 ** 32 - 1), 1)
    .option("--seeds <n>", "runs, with this many seeds from --seed on", integer(1, 100), 1)
    .option("--rate <x>", "highest learning rate (default: 5e-4)", decimal(0, 1))
    .option("--warmup <x>", "share of steps in which the rate rises (default: 0.1)", decimal(0, 1))
    .option("--batch-tokens <n>", "most tokens of a batch (default: 1024)", integer(3, 1 << 20))
    .option("--batch-texts <n>", "most texts of a batch (default: 16)", integer(1, 1 << 20))
    .option("--accumulate <n>", "batches of a step (default: 1)", integer(1, 4096))
    .option("--length <n>", "longest sequence; longer texts go in windows", integer(3, 1 << 16))
    .option("--dropout <x>", "share of values dropped (default: 0.1)", decimal(0, 0.99))
    .option("--weight-decay <x>", "decoupled weight decay (default: 0.01)", decimal(0, 1))
    .option("--beta2 <x>", "decay of AdamW's second moment (default: 0.999)", decimal(0, 0.999999))
    .option("--clip <x>", "largest norm of a gradient (default: 1)", decimal(0, Infinity))
    .option("--head-rate <x>", "factor on the classifier's rate (default: 2)", decimal(0, 1e6))
    .option("--crf-rate <x>", "factor on the CRF's rate (default: 10)", decimal(0, 1e6))
    .option("--feature-rate <x>", "factor on the lexicons' rate (default: 5)", decimal(0, 1e6))
    .option("--freeze <n>", "keep the embeddings and the n lowest layers", integer(0, 256))
    .option("--average <x>", "moving average of the weights, like 0.99", decimal(0, 0.999999))
    .addOption(
      new Option("--metric <name>", "score by which the best epoch is chosen (default: micro)")
        .choices(["micro", "macro"]),
    )
    .option("--patience <n>", "stop after n epochs without a better score", integer(1, 1e6))
    .option("--save-steps <n>", "also save every n steps, not only each epoch", integer(1, 1e9))
    .option("--threads <n>", "threads to use (default: one for each core)", integer(1, 64))
    .option("--resume", "go on with the run in the output folder");
}

/** `query,value` */
function parseMaps(value: string): Adapted[] {
  return value.split(",").map((name) => {
    const map = ADAPTED.find((one) => one === name.trim());
    if (map !== undefined) return map;
    throw new InvalidArgumentError(`Expected some of ${ADAPTED.join(", ")}.`);
  });
}

/** The options of a run with this seed. */
function fineTuneOptions(options: TrainOptions, seed: number): FineTuneOptions {
  const { freeze } = options;
  return {
    epochs: options.epochs,
    seed,
    rate: options.rate,
    warmup: options.warmup,
    tokens: options.batchTokens,
    texts: options.batchTexts,
    accumulate: options.accumulate,
    length: options.length,
    dropout: options.dropout,
    weightDecay: options.weightDecay,
    beta2: options.beta2,
    clip: options.clip,
    headRate: options.headRate,
    crfRate: options.crfRate,
    featureRate: options.featureRate,
    crf: options.crf,
    freeze: freeze === undefined ? undefined : { embeddings: true, layers: freeze },
    average: options.average,
    metric: options.metric,
    patience: options.patience,
    augment: {
      exchange: options.exchange,
      mask: options.mask,
      resplit: options.resplit,
      join: options.join,
    },
    lora: options.lora === undefined ? undefined : {
      rank: options.lora,
      ...(options.loraAlpha !== undefined && { alpha: options.loraAlpha }),
      ...(options.loraMaps !== undefined && { maps: options.loraMaps }),
    },
  };
}

/** What a run came to, as `report.json` has it. */
interface Outcome {
  readonly seed: number;
  /** Absent where nothing was validated. */
  readonly best?: Best | undefined;
  /** Scores on the test texts; absent where there are none. */
  readonly test?: { readonly fp32: SpanScores; readonly int8: SpanScores } | undefined;
}

/** A run that is over. */
interface Finished {
  readonly outcome: Outcome;
  readonly model: ModelBundle;
  readonly adapter: Adapter | undefined;
}

/** Mean and deviation of a score over the runs. */
interface Spread {
  readonly mean: number;
  readonly deviation: number;
}

/** `report.json`. */
interface Report {
  /** The score by which epochs and seeds were chosen. */
  readonly metric: "micro" | "macro";
  /** The seed whose model this is. */
  readonly chosen: number;
  readonly runs: readonly Outcome[];
  /** F1 on the test texts, by its name. */
  readonly test: Readonly<Record<string, Spread>>;
}

/** What a student learns from beside the data, and what it starts from. */
export interface Student {
  readonly teaching: Teaching;
  /** The model to start from, made of that which `--base` names. */
  start(model: ModelBundle): ModelBundle;
}

/** Runs of one seed or several, and their report. */
export async function train(options: TrainOptions, student?: Student): Promise<void> {
  const { output, seed, seeds, metric = "micro", resume = false } = options;
  const top = new TrainFolder(output);
  const over = resume ? top.report() as Report | undefined : undefined;
  if (over) return await print(reportText(output, over));
  const split = readData(options), all = [...split.train, ...split.validation, ...split.test];
  const data: RunData = {
    ...split,
    names: options.names && readNames(options.names),
    also: readFurther(options),
    lexicons: readLexicons(options),
    teaching: student?.teaching,
  };
  const start = await startingModel(options);
  // A model's own labels, if they are of just these types, so that its head is kept.
  const labels = labelsOf(all, start.loaded?.weights.config.labels);
  reportReach(all, start.tokenizer, labels);
  if (start.loaded?.wholeWords) {
    complain(
      `warning: the entities of ${options.base} are whole words, and those of the model that learns from these texts may be ` +
        'parts of words; if they should not, pack it with "edge-ner convert --whole-words"',
    );
  }
  top.open(resume);
  const runs: Outcome[] = [];
  let best: Finished | undefined;
  for (let own = seed; own < seed + seeds; own++) {
    const folder = seeds === 1 ? top : new TrainFolder(`${output}/seed-${own}`);
    if (seeds > 1) folder.open(resume);
    const model = start.make(labels, own);
    const finished = await run(
      folder,
      student?.start(model) ?? model,
      labels,
      data,
      options,
      own,
    );
    const { outcome } = finished;
    runs.push(outcome);
    // Of several seeds, the one that did best on the validation texts: the test texts choose nothing.
    if ((outcome.best?.score ?? 0) > (best?.outcome.best?.score ?? -1)) best = finished;
  }
  const report: Report = { metric, chosen: best!.outcome.seed, runs, test: summary(runs) };
  await top.write(writeCheckpoint(best!.model));
  if (best!.adapter) {
    // In a folder of its own: what finds it beside a model looks for another model to put it on.
    const adapter = new TrainFolder(`${output}/adapter`);
    adapter.open(true);
    await adapter.write(writeAdapter(best!.adapter, best!.model.weights.config));
  }
  await top.write(new Map([["report.json", JSON.stringify(report, undefined, 2) + "\n"]]));
  top.clear();
  for (const { seed } of seeds > 1 ? runs : []) new TrainFolder(`${output}/seed-${seed}`).clear();
  await print(reportText(output, report));
}

/** What runs learn from and are judged by. */
interface RunData extends Split {
  readonly names: FineTuneInput["names"];
  readonly also: FineTuneInput["also"];
  readonly lexicons: FineTuneInput["lexicons"];
  readonly teaching: FineTuneInput["teaching"];
}

/** One run, from its beginning or from its last checkpoint. */
async function run(
  folder: TrainFolder,
  model: ModelBundle,
  labels: readonly string[],
  data: RunData,
  options: TrainOptions,
  seed: number,
): Promise<Finished> {
  const saved = await folder.last();
  const tuning = await FineTuning.create(
    (trainable, trainerOptions) =>
      createTrainer(trainable, {
        ...trainerOptions,
        ...(options.threads !== undefined && { threads: options.threads }),
      }),
    {
      // Adapters are learnt beside the model that they began with.
      model: options.lora === undefined ? saved?.model ?? model : model,
      labels,
      train: data.train,
      validation: data.validation,
      names: data.names,
      also: data.also,
      lexicons: data.lexicons,
      teaching: data.teaching,
      options: fineTuneOptions(options, seed),
      state: saved?.state,
    },
  );
  try {
    const records = folder.records(reached(tuning.position));
    announce(tuning, seed, saved !== undefined);
    await follow(tuning, folder, records, options.saveSteps);
    const { curvesSvg } = await import("./curves.ts");
    await folder.write(new Map([["curves.svg", curvesSvg(records)]]));
    const result = tuning.result(), { best } = tuning;
    return {
      outcome: { seed, best, test: await judge(result, data.test) },
      model: result,
      adapter: tuning.adapter(),
    };
  } finally {
    tuning.close();
  }
}

function announce(tuning: FineTuning, seed: number, resumed: boolean): void {
  const { learnt, parameters, unseen, memoryBytes } = tuning.size;
  const { step, epoch } = tuning.position;
  const n = (value: number): string => value.toLocaleString("en");
  complain(
    `seed ${seed}: ${n(learnt)} of ${n(parameters)} parameters are learnt` +
      (unseen > 0 ? ` (${n(unseen)} word pieces are in no text)` : "") + ", in " +
      `${Math.round(memoryBytes / 1e6)} MB; ${n(tuning.totalSteps)} steps` +
      (resumed ? `; goes on after step ${n(step)}, epoch ${epoch}` : ""),
  );
}

/** Trains to the end, and saves, logs and shows what happens. */
async function follow(
  tuning: FineTuning,
  folder: TrainFolder,
  records: LoggedRecord[],
  saveSteps: number | undefined,
): Promise<void> {
  const progress = new TrainProgress(tuning.totalSteps, tuning.settings.epochs);
  const start = performance.now();
  try {
    for await (const record of tuning.run()) {
      const logged: LoggedRecord = {
        ...record,
        seconds: Number(((performance.now() - start) / 1000).toFixed(3)),
        memory: tuning.size.memoryBytes,
      };
      records.push(logged);
      folder.log(logged);
      if (record.kind === "step") progress.step(record);
      else progress.epoch(record);
      const due = record.kind === "epoch" ||
        (saveSteps !== undefined && record.step % saveSteps === 0);
      if (due) await folder.save(tuning.position.step, tuning.checkpoint());
    }
  } finally {
    progress.stop();
  }
}

/** Strict scores on texts that had no part in training, as the recogniser finds entities. */
async function judge(
  model: ModelBundle,
  texts: readonly LabelledText[],
): Promise<Outcome["test"]> {
  if (texts.length === 0) return undefined;
  const score = async (backend: "fp32" | "int8"): Promise<SpanScores> => {
    const ner = await Ner.fromBundle(model, { backend });
    try {
      const found: Span[][] = await ner.extractBatch(texts.map(({ text }) => text));
      return scoreSpans(texts.map(({ entities }) => entities), found);
    } finally {
      ner.close();
    }
  };
  return { fp32: await score("fp32"), int8: await score("int8") };
}

/** Mean and sample deviation. */
function spread(values: readonly number[]): Spread {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: values.length < 2 ? 0 : Math.sqrt(squares / (values.length - 1)) };
}

/** The mean over runs of each score that they have in common. */
function summary(outcomes: readonly Outcome[]): Record<string, Spread> {
  const tests = outcomes.flatMap(({ test }) => test ?? []);
  if (tests.length === 0) return {};
  return {
    micro: spread(tests.map(({ fp32 }) => fp32.micro.f1)),
    macro: spread(tests.map(({ fp32 }) => fp32.macro.f1)),
    "micro, int8": spread(tests.map(({ int8 }) => int8.micro.f1)),
    "macro, int8": spread(tests.map(({ int8 }) => int8.macro.f1)),
  };
}

function reportText(output: string, { metric, chosen, runs, test: scores }: Report): string {
  const percent = (value: number): string => (100 * value).toFixed(2);
  const { best, test } = runs.find(({ seed }) => seed === chosen)!;
  const lines = [
    `${output}: the model of ` + (best ? `epoch ${best.epoch}` : "the last epoch") +
    (runs.length > 1 ? `, seed ${chosen}` : "") +
    (best ? `, validation ${metric} F1 ${percent(best.score)}` : ""),
    "",
  ];
  if (test) lines.push("Strict scores on the test texts:", "", scoreTable(test.fp32));
  if (test) {
    const rows = Object.entries(scores).map(([name, { mean, deviation }]) => [
      name,
      percent(mean),
      percent(deviation),
    ]);
    lines.push(
      runs.length > 1
        ? table([`F1 of ${runs.length} seeds`, "mean", "deviation"], rows)
        : table(["F1", ""], rows.map(([name, mean]) => [name, mean])),
    );
  }
  lines.push(`Pack it: edge-ner convert ${output} -o model.safetensors`);
  return lines.map((line) => line.endsWith("\n") ? line : line + "\n").join("");
}
