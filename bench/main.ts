/**
 * Speed, side by side with ONNX Runtime and transformers.js: `deno task bench`, options in `--help`.
 *
 * Five sections: kernels against the machine's peak, the encoder against its peers, texts to entities, a
 * step of training against PyTorch's, and, where it is asked for, cold starts. Each prints as soon as it is done; `--json` keeps everything. The
 * encoder can also be timed inside other runtimes.
 *
 * @module
 */
import process from "node:process";
import { type EncoderReport, encoderText } from "./encoder.ts";
import {
  benchEncoders,
  budgetOf,
  type Inside,
  loadTexts,
  modelNames,
  note,
  openEngines,
  processor,
  type RuntimeReport,
  thisRuntime,
} from "./inside.ts";
import { benchKernels, type KernelReport, kernelText } from "./kernels.ts";
import { markdown } from "./markdown.ts";
import { SHAPES } from "./models.ts";
import { benchGpu } from "./gpu/run.ts";
import { HELP, type Options, readOptions, type RuntimeName } from "./options.ts";
import { findEngines } from "./ort.ts";
import { latencySvg } from "./plot.ts";
import type { Report } from "./report.ts";
import { benchStart, startText } from "./start.ts";
import { benchInside } from "./runtimes.ts";
import { benchText, type TextReport, textText } from "./text.ts";
import { benchTraining, type TrainingReport, trainingText } from "./training.ts";
import { transformersEngines } from "./transformers.ts";

/** What Deno's own sections found. */
type Here = Inside & Pick<Report, "kernels" | "text" | "training">;

/** A kernel and its peak need less time than a set of engines. */
const KERNEL_SHARE = 0.05;

/** Starts of each program. */
const START_ROUNDS = 9;

function heading(text: string): void {
  console.log(`\n${text}\n${"=".repeat(text.length)}\n`);
}

/** Prints a runtime and who takes part. */
function printRuntime({ runtime, engine, engines, absent }: RuntimeReport): void {
  console.log(`${runtime}, ${engine}`);
  for (const { name, version } of engines) console.log(`${name}: ${version}`);
  for (const { name, reason } of absent) console.log(`${name}: left out (${reason})`);
}

/** Prints an encoder's results. */
function printEncoder(report: EncoderReport): void {
  heading(`Encoder "${report.model}" in ${report.runtime}`);
  console.log(encoderText(report));
}

/** Runs all sections in this runtime, printing each. */
async function measureHere(options: Options): Promise<Here> {
  const { smoke, filter, seconds } = options;
  const peers = await openEngines(options), { ours, ort } = peers;
  const others = await findEngines(transformersEngines(options.transformers));
  const runtime: RuntimeReport = {
    ...thisRuntime(),
    engines: [...ours, ...ort.engines, ...others.engines]
      .map(({ name, version }) => ({ name, version })),
    absent: [...ort.absent, ...others.absent],
  };
  printRuntime(runtime);
  const budget = budgetOf(options), names = modelNames(options);

  note("kernels");
  const kernels = await benchKernels(filter, names.map((name) => SHAPES[name]), {
    ...budget,
    seconds: seconds * KERNEL_SHARE,
  }, smoke);
  if (kernels.rows.length > 0) {
    heading("Kernels, one thread");
    console.log(kernelText(kernels));
  }

  const chosen = await loadTexts(options);
  const encoder = await benchEncoders(options, peers, chosen, true, printEncoder);

  const text: TextReport[] = [];
  if (names.includes(chosen.name)) {
    const report = await benchText(
      chosen.loaded,
      chosen.name,
      ours,
      ort.engines,
      others.engines,
      chosen,
      filter,
      budget,
      note,
    );
    if (report) {
      text.push(report);
      heading("Text to entities");
      console.log(textText(report));
    }
  }

  const training = await benchTraining(filter, options, budget, smoke, note);
  if (training.length > 0) {
    heading("A step of training");
    console.log(trainingText(training));
  }
  return { ...runtime, kernels, encoder, text, training };
}

/** Has another runtime time the encoders, and prints what it found. */
async function measureThere(name: Exclude<RuntimeName, "deno">, options: Options): Promise<Inside> {
  const inside = await benchInside(name, options);
  console.log();
  printRuntime(inside);
  for (const report of inside.encoder) printEncoder(report);
  return inside;
}

/** Runs the sections in every runtime that is asked for. */
async function measureAll(options: Options): Promise<Report> {
  const machine = { cpu: processor(), cores: navigator.hardwareConcurrency };
  console.log(`${machine.cpu}, ${machine.cores} cores`);
  const runtimes: RuntimeReport[] = [], failed: Report["failed"][number][] = [];
  const encoder: EncoderReport[] = [];
  let kernels: KernelReport = { modules: [], rows: [] }, text: readonly TextReport[] = [];
  let training: readonly TrainingReport[] = [];
  for (const name of options.runtimes) {
    let inside: Inside;
    if (name === "deno") {
      const here = await measureHere(options);
      ({ kernels, text, training } = here);
      inside = here;
    } else {
      try {
        inside = await measureThere(name, options);
      } catch (error) {
        const reason = (error as Error).message;
        console.log(`\n${name}: left out (${reason})`);
        failed.push({ runtime: name, reason });
        continue;
      }
    }
    const { runtime, engine, engines, absent } = inside;
    runtimes.push({ runtime, engine, engines, absent });
    encoder.push(...inside.encoder);
  }
  const start = options.filter.startsWith("start")
    ? await benchStart(options.transformers, START_ROUNDS, note)
    : [];
  if (start.length > 0) {
    heading("From the start of a process to the first entity");
    console.log(startText(start));
  }
  return {
    date: new Date().toISOString(),
    options: Deno.args,
    machine,
    smoke: options.smoke,
    runtimes,
    failed,
    kernels,
    encoder,
    text,
    training,
    start,
  };
}

/** What makes a run a failure, in words. */
function failures(
  { runtimes, failed, encoder, kernels, text, training, start }: Report,
): string[] {
  const nothing =
    kernels.rows.length + encoder.length + text.length + training.length + start.length === 0;
  return [
    ...failed.map(({ runtime, reason }) => `${runtime} does not run: ${reason}`),
    ...nothing && failed.length === 0
      ? ["nothing has the filter's text in its name; see --help"]
      : [],
    ...runtimes.flatMap(({ runtime, absent }) =>
      absent.filter(({ name }) => name.startsWith("ort-web"))
        .map(({ name, reason }) => `${name} does not run in ${runtime}: ${reason}`)
    ),
    ...encoder.flatMap(({ runtime, model, agreement }) =>
      agreement.filter(({ ok }) => !ok).map((a) =>
        `${a.name} in ${runtime} computes another "${model}": relative L2 ${a.relativeL2}, limit ${a.limit}`
      )
    ),
  ];
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = readOptions(Deno.args);
    if (options.texts !== undefined) await Deno.stat(options.texts);
  } catch (error) {
    console.error(`${(error as Error).message}\nSee --help.`);
    return 2;
  }
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  if (options.gpu) {
    const gpus = await benchGpu(options);
    if (options.json) await Deno.writeTextFile(options.json, JSON.stringify(gpus, null, 2) + "\n");
    if (gpus.length === 0) console.error("FAILED: there is no GPU, not even one in software");
    return gpus.length > 0 ? 0 : 1;
  }
  const report = await measureAll(options);
  if (options.table) {
    heading("Markdown");
    console.log(markdown(report));
  }
  if (options.json) await Deno.writeTextFile(options.json, JSON.stringify(report, null, 2) + "\n");
  if (options.svg) {
    const svg = latencySvg(report.encoder);
    if (svg) await Deno.writeTextFile(options.svg, svg);
    else console.error("No plot: no model was measured at batch 1 with two lengths.");
  }
  const failed = failures(report);
  for (const problem of failed) console.error(`FAILED: ${problem}`);
  return failed.length > 0 ? 1 : 0;
}

// Workers of onnxruntime-web keep a process alive; it ends here in any case.
process.exit(await main());
