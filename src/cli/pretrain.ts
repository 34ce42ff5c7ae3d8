/**
 * `edge-ner pretrain`: an encoder learns from text that nobody has labelled.
 *
 * @module
 */
import process from "node:process";
import type { Command } from "commander";
import { Option } from "commander";
import { writeCheckpoint } from "../../mod.ts";
import { createTrainer, HeldOut, OBJECTIVES, Pretraining } from "../../train.ts";
import type { HeldOutRecord, PretrainRecord, PretrainStep } from "../../train.ts";
import { type Corpora, corpusOf } from "./corpus_file.ts";
import { UsageError } from "./errors.ts";
import { readLines } from "./lines.ts";
import { decimal, integer } from "./model.ts";
import { complain, print } from "./output.ts";
import { openText } from "./text_files.ts";
import { readLabelled } from "./labelled.ts";
import { type Timed, TrainFolder } from "./train_folder.ts";
import { StepBar } from "./train_progress.ts";
import { addStartOptions, startingModel, type StartOptions } from "./train_start.ts";

interface PretrainCommandOptions extends StartOptions {
  readonly output: string;
  readonly objective?: typeof OBJECTIVES[number];
  readonly steps?: number;
  readonly passes?: number;
  readonly minutes?: number;
  readonly seed: number;
  readonly rate?: number;
  readonly warmup?: number;
  readonly batchTokens?: number;
  readonly accumulate?: number;
  readonly length: number;
  readonly join: boolean;
  readonly mask?: number;
  readonly dropout?: number;
  readonly weightDecay?: number;
  readonly clip?: number;
  readonly heldOut: number;
  readonly without?: readonly string[];
  readonly withoutLength: number;
  readonly look: number;
  readonly saveSteps: number;
  readonly threads?: number;
  readonly resume?: boolean;
}

/** Most held-out sequences: enough for a loss to two digits, and no more time than a few steps. */
const MOST_HELD_OUT = 256;

const HELP = `
The corpora are text, a line each for a sentence or paragraph, an empty line between documents; .gz files are unpacked.
Of a folder, all .txt and .txt.gz files are read, also in the folders within. Lines that follow each other are joined to
sequences of up to --length tokens; --no-join gives each line one of its own.

--objective masked hides words, whole ones and others each time, and asks for them (BERT). --objective replaced asks of
every token whether a small generator, learnt beside, has put it there (ELECTRA): a step takes longer, and learns from
every token.

--without leaves out lines that share --without-length letters in a row with a text of these files: those that a model
will be tested on. They are labelled texts as "train --data" reads them, or plain text where the name ends in .txt.

The output is a folder with the encoder as a Hugging Face checkpoint, report.json, train.jsonl (a record for each step)
and curves.svg; "train --base" starts from it. --minutes ends a run early; the same command with --resume goes on, and
gives the bits of a run that was never ended. The corpus is kept in the folder, tokenized, four bytes a token.

Examples:
  edge-ner pretrain corpus.txt.gz --fresh my-vocab -o my-encoder --steps 20000
  edge-ner pretrain texts/ --fresh my-vocab -o my-encoder --without test.jsonl --minutes 60
  edge-ner pretrain texts/ --fresh my-vocab -o my-encoder --without test.jsonl --resume
  edge-ner train --data train.jsonl --base my-encoder -o my-run`;

const list = (value: string, values: readonly string[] = []): string[] => [...values, value];

/** Defines the command. */
export function pretrainCommand(program: Command): void {
  const command = program.command("pretrain")
    .description("teach an encoder from plain text")
    .argument("<corpus...>", "text files or folders of them, perhaps .gz")
    .requiredOption("-o, --output <folder>", "folder for the run and its encoder");
  addStartOptions(command)
    .addOption(
      new Option("--objective <name>", "what is asked of it (default: masked)").choices(OBJECTIVES),
    )
    .option("--steps <n>", "steps of the whole run (default: those of --passes)", integer(1, 1e9))
    .option("--passes <n>", "times that the corpora are gone through", integer(1, 1e6))
    .option("--minutes <x>", "end the run after this time, to go on later", decimal(0, 1e6))
    .option("--seed <n>", "decides everything that is random", integer(0, 2 ** 32 - 1), 1)
    .option("--rate <x>", "highest learning rate (default: 5e-4)", decimal(0, 1))
    .option("--warmup <x>", "share of steps in which the rate rises (default: 0.05)", decimal(0, 1))
    .option("--batch-tokens <n>", "most tokens of a batch (default: 2048)", integer(3, 1 << 20))
    .option("--accumulate <n>", "batches of a step (default: 1)", integer(1, 4096))
    .option("--length <n>", "most tokens of a sequence", integer(8, 65535), 128)
    .option("--no-join", "one sequence for each line")
    .option("--mask <x>", "share of tokens that are hidden (default: 0.15)", decimal(0.01, 0.9))
    .option("--dropout <x>", "share of values dropped (default: 0.1)", decimal(0, 0.99))
    .option("--weight-decay <x>", "decoupled weight decay (default: 0.01)", decimal(0, 1))
    .option("--clip <x>", "largest norm of a gradient (default: 1)", decimal(0, Infinity))
    .option("--held-out <x>", "share of lines to judge by, not learnt from", decimal(0, 0.5), 0.01)
    .option("--without <file>", "leave out lines that share text with this file; repeatable", list)
    .option("--without-length <n>", "letters in a row that are shared", integer(8, 10_000), 50)
    .option("--look <n>", "steps between looks at the held-out text", integer(1, 1e9), 500)
    .option("--save-steps <n>", "steps between checkpoints", integer(1, 1e9), 500)
    .option("--threads <n>", "threads to use (default: one for each core)", integer(1, 64))
    .option("--resume", "go on with the run in the output folder")
    .addHelpText("after", HELP)
    .action(pretrain);
}

/** `report.json`. */
interface Report {
  readonly steps: number;
  /** The loss on the held-out text at last; absent where nothing is held out. */
  readonly heldOut: number | undefined;
}

async function pretrain(paths: readonly string[], options: PretrainCommandOptions): Promise<void> {
  const { output, seed, resume = false } = options;
  const folder = new TrainFolder(output);
  const over = resume ? folder.report() as Report | undefined : undefined;
  if (over) return await print(reportText(output, over));
  const start = await startingModel(options);
  folder.open(resume);
  const corpora = await corpusOf(
    `${output}/corpus`,
    paths,
    start.tokenizer,
    await heldOutTexts(options),
    {
      length: options.length,
      join: options.join,
      heldOut: options.heldOut,
      mostHeldOut: MOST_HELD_OUT,
    },
  );
  const saved = await folder.last();
  const run = await Pretraining.create(
    (model, trainerOptions) =>
      createTrainer(model, {
        ...trainerOptions,
        ...(options.threads !== undefined && { threads: options.threads }),
      }),
    {
      model: saved?.model ?? start.make(["O"], seed),
      corpus: corpora.train,
      heldOut: corpora.heldOut,
      options: {
        objective: options.objective,
        steps: options.steps,
        passes: options.passes,
        seed,
        rate: options.rate,
        warmup: options.warmup,
        tokens: options.batchTokens,
        accumulate: options.accumulate,
        share: options.mask,
        dropout: options.dropout,
        weightDecay: options.weightDecay,
        clip: options.clip,
        evaluate: options.look,
      },
      state: saved?.state,
    },
  );
  try {
    const { step } = run.position;
    const records = folder.records<PretrainRecord>((record) => record.step <= step);
    announce(run, corpora, saved !== undefined);
    await follow(run, folder, records, options);
    const { pretrainingSvg } = await import("./curves.ts");
    await folder.write(new Map([["curves.svg", pretrainingSvg(records)]]));
    await folder.write(writeCheckpoint(run.result()));
    const looks = records.flatMap((record) => record.kind === "held-out" ? [record] : []);
    const report: Report = { steps: run.position.step, heldOut: looks.at(-1)?.loss };
    if (run.over) {
      await folder.write(new Map([["report.json", JSON.stringify(report, undefined, 2) + "\n"]]));
      folder.clear();
      await print(reportText(output, report));
    } else {
      await print(
        `${output}: ended after step ${report.steps.toLocaleString("en")} of ` +
          `${run.totalSteps.toLocaleString("en")}; the same command with --resume goes on\n`,
      );
    }
  } finally {
    run.close();
    corpora.train.close();
    corpora.heldOut.close();
  }
}

/** The texts of `--without`. */
async function heldOutTexts(
  { without, withoutLength }: PretrainCommandOptions,
): Promise<HeldOut | undefined> {
  if (without === undefined) return undefined;
  const held = new HeldOut(withoutLength);
  for (const path of without) {
    if (/\.txt(\.gz)?$/i.test(path)) {
      for await (const lines of readLines(openText(path), path, complain)) {
        for (const { text } of lines) held.add(text);
      }
    } else for (const { text } of readLabelled(path)) held.add(text);
  }
  if (held.size === 0) throw new UsageError(`${without.join(", ")}: hold no text`);
  return held;
}

function announce(run: Pretraining, { train, heldOut, lines, left }: Corpora, resumed: boolean) {
  const n = (value: number): string => value.toLocaleString("en");
  const tokens = ({ lengths }: { lengths: Uint16Array }): number =>
    lengths.reduce((sum, length) => sum + length, 0);
  complain(
    `${n(lines)} lines${
      left > 0 ? ` without ${n(left)} that share text with held-out ones` : ""
    }: ` +
      `${n(tokens(train))} tokens in ${n(train.lengths.length)} sequences to learn from, ` +
      `${n(tokens(heldOut))} in ${n(heldOut.lengths.length)} held out`,
  );
  const { learnt, generator, memoryBytes } = run.size;
  complain(
    `${n(learnt)} parameters are learnt` +
      (generator > 0 ? ` and ${n(generator)} of a generator` : "") +
      `, in ${Math.round(memoryBytes / 1e6)} MB; ${n(run.totalSteps)} steps` +
      (resumed ? `; goes on after step ${n(run.position.step)}` : ""),
  );
}

/** Trains until the run is over or the time is up, and saves, logs and shows what happens. */
async function follow(
  run: Pretraining,
  folder: TrainFolder,
  records: (PretrainRecord & Partial<Timed>)[],
  { minutes = Infinity, saveSteps }: PretrainCommandOptions,
): Promise<void> {
  const bar = new StepBar(run.totalSteps), start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  let saved = run.position.step;
  const save = async (): Promise<void> => {
    saved = run.position.step;
    await folder.save(saved, run.checkpoint());
  };
  try {
    for await (const record of run.run()) {
      const logged = {
        ...record,
        seconds: Number(seconds().toFixed(3)),
        memory: run.size.memoryBytes,
      };
      records.push(logged);
      folder.log(logged);
      if (record.kind === "step") show(bar, record);
      else {
        bar.stop();
        process.stderr.write(lookText(record, run.totalSteps, bar.tokensPerSecond));
      }
      // A look belongs to the step before it: what is saved has both.
      if (record.kind === "step" && run.looks) continue;
      if (record.step - saved >= saveSteps) await save();
      if (seconds() > 60 * minutes) break;
    }
    if (run.position.step > saved) await save();
  } finally {
    bar.stop();
  }
}

function show(bar: StepBar, { step, pass, loss, rate, tokens }: PretrainStep): void {
  bar.step({ step, loss, rate, tokens, place: `pass ${pass}` });
}

function lookText(
  { step, loss, generatorLoss }: HeldOutRecord,
  total: number,
  pace: number | undefined,
): string {
  return `step ${step}/${total}: held-out loss ${loss.toFixed(3)}` +
    (generatorLoss === undefined ? "" : `, generator's ${generatorLoss.toFixed(3)}`) +
    (pace === undefined ? "\n" : `; ${Math.round(pace)} tokens/s\n`);
}

function reportText(output: string, { steps, heldOut }: Report): string {
  return `${output}: an encoder after ${steps.toLocaleString("en")} steps` +
    (heldOut === undefined ? "" : `, held-out loss ${heldOut.toFixed(3)}`) +
    `\nTrain it: edge-ner train --data FILE --base ${output} -o RUN\n`;
}
