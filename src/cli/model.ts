/**
 * Options that every command with a model shares.
 *
 * @module
 */
import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import { type GpuPrecision, Ner } from "../../mod.ts";
import { UsageError } from "./errors.ts";
import { sourceOptions } from "./files.ts";
import { DEFAULT, MODEL_FORMS, modelSource } from "./named.ts";

/** What computes the same bits on every machine. */
export type ExactBackend = "int8" | "fp32" | "reference";

/** What runs: kernels in WebAssembly, a GPU, or whichever is faster. */
export type BackendName = ExactBackend | "webgpu" | "auto";

/** What {@link addModelOptions} parses to. */
export interface ModelOptions {
  readonly model?: string;
  readonly backend?: BackendName;
  readonly gpuPrecision?: GpuPrecision;
  readonly threads?: number;
  readonly unconstrained?: boolean;
  readonly allowStripAccents?: boolean;
}

/** Adds `--model`, `--backend`, `--threads` and the options of `Ner.load`. */
export function addModelOptions(command: Command): Command {
  return command
    .option(
      "-m, --model <path>",
      MODEL_FORMS +
        (DEFAULT === undefined ? "" : ` (default: ${DEFAULT})`),
    )
    .addOption(
      new Option(
        "-b, --backend <name>",
        "what to run: int8 or fp32 kernels, a GPU (webgpu), or a GPU where it is faster than int8 (auto) (default: int8)",
      ).choices(["int8", "fp32", "webgpu", "auto", "reference"]),
    )
    .addOption(
      new Option("--gpu-precision <name>", "what a GPU computes in (default: f32)")
        .choices(["f32", "f16", "int8"]),
    )
    .option(
      "--threads <n>",
      "threads to use, 1 to 64 (default: one for each core, up to four)",
      integer(1, 64),
    )
    .option("--unconstrained", "let the decoder use label sequences that the scheme forbids")
    .option("--allow-strip-accents", "accept a tokenizer that strips vowel signs");
}

/** The backend of what must come out alike wherever it is done; a GPU is refused. */
export function exactBackend({ backend = "int8" }: ModelOptions, command: string): ExactBackend {
  if (backend === "webgpu" || backend === "auto") {
    throw new UsageError(
      `${command} must give the same on every machine, and ${backend} may not; take int8 or fp32`,
    );
  }
  return backend;
}

/** Loads the model that the options name. */
export function loadModel(options: ModelOptions): Promise<Ner> {
  const source = modelSource(options.model);
  return Ner.load(source, {
    ...sourceOptions(source),
    ...(options.backend && { backend: options.backend }),
    ...(options.gpuPrecision && { gpuPrecision: options.gpuPrecision }),
    ...(options.threads !== undefined && { threads: options.threads }),
    ...(options.unconstrained && { constrained: false }),
    ...(options.allowStripAccents && { allowStripAccents: true }),
  });
}

/** Parser of an option that is a whole number from `low` to `high`. */
export function integer(low: number, high: number): (value: string) => number {
  return (value) => {
    const number = /^\d+$/.test(value) ? Number(value) : NaN;
    if (!(number >= low && number <= high)) {
      throw new InvalidArgumentError(`Expected a whole number from ${low} to ${high}.`);
    }
    return number;
  };
}

/** Parser of an option that is a number from `low` to `high`. */
export function decimal(low: number, high: number): (value: string) => number {
  return (value) => {
    const number = value.trim() === "" ? NaN : Number(value);
    if (!(number >= low && number <= high)) {
      throw new InvalidArgumentError(
        high === Infinity
          ? `Expected a number of at least ${low}.`
          : `Expected a number from ${low} to ${high}.`,
      );
    }
    return number;
  };
}
