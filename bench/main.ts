/**
 * Speed, side by side with ONNX Runtime: `deno task bench`, options in `--help`.
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
import type { Budget } from "./measure.ts";
import { encoderModel, textModel } from "./models.ts";
import { HELP, type Options, readOptions } from "./options.ts";
import { type Absent, type Engine, findEngines } from "./ort.ts";
import { latencySvg } from "./plot.ts";
import { benchText, type TextReport, textText } from "./text.ts";

/** All that a run found; what `--json` writes. */
export interface Report {
  readonly date: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly runtime: string;
    readonly v8: string;
  };
  readonly smoke: boolean;
  readonly engines: readonly { readonly name: string; readonly version: string }[];
  readonly absent: readonly Absent[];
  readonly kernels: KernelReport;
  readonly encoder: readonly EncoderReport[];
  readonly text: readonly TextReport[];
}

/** A kernel and its peak need less time than a set of engines. */
const KERNEL_SHARE = 0.1;

function note(text: string): void {
  console.error(`... ${text}`);
}

function heading(text: string): void {
  console.log(`\n${text}\n${"=".repeat(text.length)}\n`);
}

function describe(engines: readonly Engine[], absent: readonly Absent[]): void {
  for (const { name, version } of engines) console.log(`${name}: ${version}`);
  for (const { name, reason } of absent) console.log(`${name}: left out (${reason})`);
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
  const { engines, absent } = await findEngines(options.ortNode);
  describe(engines, absent);
  const budget: Budget = { seconds, minRounds: smoke ? 1 : 3 };

  note("kernels");
  const kernels = await benchKernels(filter, {
    ...budget,
    seconds: seconds * KERNEL_SHARE,
  }, smoke);
  if (kernels.rows.length > 0) {
    heading("Kernels, one thread");
    console.log(kernelText(kernels));
  }

  const encoder: EncoderReport[] = [], sizes = smoke ? SMOKE_SIZES : SIZES;
  for (const name of smoke ? ["smoke"] as const : options.models) {
    const load = () => encoderModel(name);
    const report = await benchEncoder(load, name, engines, sizes, filter, budget, note);
    if (!report) continue;
    encoder.push(report);
    heading(`Encoder "${name}"`);
    console.log(encoderText(report));
  }

  const text: TextReport[] = [];
  if (smoke || options.models.includes("default")) {
    const name = smoke ? "smoke" : "default";
    const report = await benchText(() => textModel(name), name, engines, filter, budget, note);
    if (report) {
      text.push(report);
      heading("Text to entities");
      console.log(textText(report));
    }
  }
  return {
    date: new Date().toISOString(),
    machine,
    smoke,
    engines: engines.map(({ name, version }) => ({ name, version })),
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
  } catch (error) {
    console.error(`${(error as Error).message}\nSee --help.`);
    return 2;
  }
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const report = await measureAll(options);
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
