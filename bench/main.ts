/**
 * Speed, side by side with ONNX Runtime and transformers.js: `deno task bench`, options in `--help`.
 *
 * Three sections, from the smallest part to the whole: kernels against the machine's peak, the encoder
 * against its peers, texts to entities. Each prints as soon as it is done; `--json` keeps everything.
 *
 * @module
 */
import { cpus } from "node:os";
import process from "node:process";
import { benchEncoder, type EncoderReport, encoderText, SIZES, SMOKE_SIZES } from "./encoder.ts";
import { benchKernels, type KernelReport, kernelText } from "./kernels.ts";
import { markdown } from "./markdown.ts";
import type { Budget } from "./measure.ts";
import { encoderModel, SHAPES, textModel } from "./models.ts";
import { HELP, type Options, readOptions } from "./options.ts";
import { type Absent, findEngines, ortEngines } from "./ort.ts";
import { openOurs, OUR_THREADS } from "./ours.ts";
import { latencySvg } from "./plot.ts";
import { benchText, type TextReport, textText } from "./text.ts";
import { chooseTexts, idsOf } from "./texts.ts";
import { transformersEngines } from "./transformers.ts";

/** An engine and its version. */
interface Named {
  readonly name: string;
  readonly version: string;
}

/** All that a run found; what `--json` writes. */
export interface Report {
  readonly date: string;
  /** The command line. */
  readonly options: readonly string[];
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly runtime: string;
    readonly v8: string;
  };
  readonly smoke: boolean;
  /** Ours first. */
  readonly engines: readonly Named[];
  readonly absent: readonly Absent[];
  readonly kernels: KernelReport;
  readonly encoder: readonly EncoderReport[];
  readonly text: readonly TextReport[];
}

/** A kernel and its peak need less time than a set of engines. */
const KERNEL_SHARE = 0.05;

/** Longest that an engine is warmed up, in seconds; what V8 takes for the largest of them, and half again. */
const WARM_UP = 3;

function note(text: string): void {
  console.error(`... ${text}`);
}

function heading(text: string): void {
  console.log(`\n${text}\n${"=".repeat(text.length)}\n`);
}

/** Runs the sections, printing each. */
async function measureAll(options: Options): Promise<Report> {
  const { smoke, filter, seconds } = options;
  const machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: navigator.hardwareConcurrency,
    runtime: `deno ${Deno.version.deno}`,
    v8: Deno.version.v8,
  };
  console.log(`${machine.cpu}, ${machine.cores} cores; ${machine.runtime}, V8 ${machine.v8}`);
  const ours = await Promise.all(OUR_THREADS.map(openOurs));
  const ort = await findEngines(ortEngines(options.ortNode));
  const others = await findEngines(transformersEngines(options.transformers));
  const engines = [...ours, ...ort.engines, ...others.engines]
    .map(({ name, version }): Named => ({ name, version }));
  const absent = [...ort.absent, ...others.absent];
  for (const { name, version } of engines) console.log(`${name}: ${version}`);
  for (const { name, reason } of absent) console.log(`${name}: left out (${reason})`);
  const warmUp = smoke ? 0 : Math.min(WARM_UP, seconds / 2);
  const budget: Budget = { seconds, minRounds: smoke ? 1 : 3, warmUp };
  const names = smoke ? ["smoke"] as const : options.models;

  note("kernels");
  const kernels = await benchKernels(filter, names.map((name) => SHAPES[name]), {
    ...budget,
    seconds: seconds * KERNEL_SHARE,
  }, smoke);
  if (kernels.rows.length > 0) {
    heading("Kernels, one thread");
    console.log(kernelText(kernels));
  }

  const tokenized = smoke ? "smoke" : "default";
  const loaded = await textModel(tokenized), { tokenizer, weights } = loaded.bundle;
  const chosen = await chooseTexts(options.texts, tokenizer, weights.config.maxPositions);
  const sequences = [...new Set(chosen.texts)].map((text) => idsOf(tokenizer, text));
  const sizes = smoke ? SMOKE_SIZES : {
    ...SIZES,
    batches: options.batches ?? SIZES.batches,
    lengths: options.lengths ?? SIZES.lengths,
    mostOperations: options.batches || options.lengths ? Infinity : SIZES.mostOperations,
    mixed: chosen.lengths,
  };
  const encoder: EncoderReport[] = [];
  for (const name of names) {
    const report = await benchEncoder(
      () => encoderModel(name),
      name,
      SHAPES[name],
      sequences,
      ours,
      ort.engines,
      sizes,
      filter,
      budget,
      note,
    );
    if (!report) continue;
    encoder.push(report);
    heading(`Encoder "${name}"`);
    console.log(encoderText(report));
  }

  const text: TextReport[] = [];
  if (names.some((name) => name === tokenized)) {
    const report = await benchText(
      loaded,
      tokenized,
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
  return {
    date: new Date().toISOString(),
    options: Deno.args,
    machine,
    smoke,
    engines,
    absent,
    kernels,
    encoder,
    text,
  };
}

/** What makes a run a failure, in words. */
function failures({ absent, encoder, kernels, text }: Report): string[] {
  const nothing = kernels.rows.length + encoder.length + text.length === 0;
  return [
    ...nothing ? ["nothing has the filter's text in its name; see --help"] : [],
    ...absent.filter(({ name }) => name.startsWith("ort-web"))
      .map(({ name, reason }) => `${name} does not run: ${reason}`),
    ...encoder.flatMap(({ model, agreement }) =>
      agreement.filter(({ ok }) => !ok).map((a) =>
        `${a.name} computes another "${model}": relative L2 ${a.relativeL2}, limit ${a.limit}`
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
