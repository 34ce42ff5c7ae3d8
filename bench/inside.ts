/**
 * The encoder's section inside whichever runtime this is. Nothing here, nor what it imports, asks for Deno:
 * `guest.ts` runs it in Bun and in Node.
 *
 * @module
 */
import { cpus } from "node:os";
import process from "node:process";
import { benchEncoder, type EncoderReport, SIZES, SMOKE_SIZES } from "./encoder.ts";
import type { Budget } from "./measure.ts";
import { encoderModel, SHAPES, textModel } from "./models.ts";
import type { Options } from "./options.ts";
import { type Absent, type Engine, findEngines, ortEngines } from "./ort.ts";
import { openOurs, OUR_THREADS, type Ours } from "./ours.ts";
import { chooseTexts, idsOf, type Texts } from "./texts.ts";

/** An engine and its version. */
export interface Named {
  readonly name: string;
  readonly version: string;
}

/** A runtime and who takes part in it. */
export interface RuntimeReport {
  /** `Node 20.20.2`. */
  readonly runtime: string;
  /** Its WebAssembly engine: `V8 11.3.244.8-node.38`. */
  readonly engine: string;
  /** Ours first. */
  readonly engines: readonly Named[];
  readonly absent: readonly Absent[];
}

/** What a runtime gives back. */
export interface Inside extends RuntimeReport {
  readonly encoder: readonly EncoderReport[];
}

/** Longest that an engine is warmed up, in seconds; what V8 takes for the largest of them, and half again. */
const WARM_UP = 3;

/** Says on stderr what is being done. */
export function note(text: string): void {
  console.error(`... ${text}`);
}

/** This runtime's name and engine. */
export function thisRuntime(): Pick<RuntimeReport, "runtime" | "engine"> {
  // Deno and Bun also give a version of Node, and Bun one of V8: those whose modules they understand.
  const { bun, deno, node, v8, webkit } = process.versions;
  if (bun) return { runtime: `Bun ${bun}`, engine: `JavaScriptCore ${webkit?.slice(0, 9)}` };
  return { runtime: deno ? `Deno ${deno}` : `Node ${node}`, engine: `V8 ${v8}` };
}

/** The processor's name. */
export function processor(): string {
  return cpus()[0]?.model ?? "unknown";
}

/** Names of the models to measure. */
export function modelNames({ smoke, models }: Options): readonly (keyof typeof SHAPES)[] {
  return smoke ? ["smoke"] : models;
}

/** How long to measure. */
export function budgetOf({ smoke, seconds }: Options): Budget {
  const warmUp = smoke ? 0 : Math.min(WARM_UP, seconds / 2);
  return { seconds, minRounds: smoke ? 1 : 3, warmUp };
}

/** Texts, and the model whose tokenizer cuts them. */
export interface LoadedTexts extends Texts {
  readonly name: "smoke" | "default";
  readonly loaded: Awaited<ReturnType<typeof textModel>>;
}

/** Reads or makes the texts that are measured. */
export async function loadTexts({ smoke, texts, lanes }: Options): Promise<LoadedTexts> {
  const name = smoke ? "smoke" : "default", loaded = await textModel(name, lanes);
  const { tokenizer, weights } = loaded.bundle;
  return { name, loaded, ...await chooseTexts(texts, tokenizer, weights.config.maxPositions) };
}

/** Ours and ONNX Runtime. */
export interface Engines {
  readonly ours: readonly Ours[];
  readonly ort: { readonly engines: readonly Engine[]; readonly absent: readonly Absent[] };
}

/** Opens the engines that can be had here. */
export async function openEngines({ ortNode }: Options): Promise<Engines> {
  const ours = await Promise.all(OUR_THREADS.map(openOurs));
  return { ours, ort: await findEngines(ortEngines(ortNode)) };
}

/** Times all models that are asked for, with or without the mixed batch; `done` gets each as it is ready. */
export async function benchEncoders(
  options: Options,
  { ours, ort }: Engines,
  chosen: LoadedTexts,
  mixed: boolean,
  done: (report: EncoderReport) => void,
): Promise<EncoderReport[]> {
  const { smoke, filter, batches, lengths } = options, { tokenizer } = chosen.loaded.bundle;
  const sequences = [...new Set(chosen.texts)].map((text) => idsOf(tokenizer, text));
  const sizes = smoke ? { ...SMOKE_SIZES, mixed: mixed ? SMOKE_SIZES.mixed : [] } : {
    ...SIZES,
    batches: batches ?? SIZES.batches,
    lengths: lengths ?? SIZES.lengths,
    mostOperations: batches || lengths ? Infinity : SIZES.mostOperations,
    mixed: mixed ? chosen.lengths : [],
  };
  const reports: EncoderReport[] = [], { runtime } = thisRuntime();
  for (const name of modelNames(options)) {
    const report = await benchEncoder(
      runtime,
      () => encoderModel(name, options.lanes),
      name,
      SHAPES[name],
      sequences,
      ours,
      ort.engines,
      sizes,
      filter,
      budgetOf(options),
      note,
    );
    if (!report) continue;
    reports.push(report);
    done(report);
  }
  return reports;
}
