/**
 * Options that every command with a model shares, and where the default model lies.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import { type GpuPrecision, Ner } from "../../mod.ts";
import { UsageError } from "./errors.ts";
import { sourceOptions } from "./files.ts";

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

/**
 * The package's own file `path`, or undefined. It is looked for upwards, because a bundled program
 * lies at another depth than its source.
 */
function packageFile(path: string): string | undefined {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (let depth = 0; depth < 4; depth++) {
    const file = join(folder, path);
    if (existsSync(file)) return file;
    folder = dirname(folder);
  }
  return undefined;
}

/** What package.json says that the command tells or does; nothing where the program was taken out of its package. */
const manifest: { readonly version?: string; readonly config?: { readonly model: string } } =
  (() => {
    const file = packageFile("package.json");
    return file ? JSON.parse(readFileSync(file, "utf8")) : {};
  })();

/** The package's version, for `--version`. */
export const VERSION: string = manifest.version ?? "unknown";

/** The model that is taken where none is named. */
const DEFAULT = manifest.config?.model;

/** Adds `--model`, `--backend`, `--threads` and the options of `Ner.load`. */
export function addModelOptions(command: Command): Command {
  return command
    .option(
      "-m, --model <path>",
      "packed model, folder, URL, hf:OWNER/NAME, or NAME where edge-ner-NAME is installed" +
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

/** URLs and `hf:OWNER/NAME`; a drive's letter is none. */
const URL_LIKE = /^[a-z][a-z0-9+.-]+:/i;

/** Names of models, or of their packages, which have no path's marks. */
const NAME = /^[a-z0-9][a-z0-9_-]*$/;

/**
 * Where the model of a name is: the repository's, or the package `edge-ner-NAME`, beside this one or in the folder that the
 * command runs in.
 */
function namedModel(name: string): string | undefined {
  const weights = `${name}-int8.safetensors`, own = packageFile(`models/${name}/${weights}`);
  if (own !== undefined) return own;
  for (const from of [import.meta.url, join(process.cwd(), "any.js")]) {
    try {
      return createRequire(from).resolve(`edge-ner-${name}/${weights}`);
    } catch {
      // Not there; perhaps in the other place.
    }
  }
}

/**
 * Where the model is that `--model` says, or else the default one. What is there by that path is meant before a model of the
 * same name: `./meder` names a folder whatever is installed. A file that names models hands in how its paths are resolved.
 */
export function modelSource(
  model: string | undefined,
  resolve: (path: string) => string = (path) => path,
): string {
  if (model === undefined && DEFAULT === undefined) {
    throw new UsageError("there is no default model here; name one with --model");
  }
  if (model !== undefined && URL_LIKE.test(model)) return model;
  if (model !== undefined && (!NAME.test(model) || existsSync(resolve(model)))) {
    return resolve(model);
  }
  const name = (model ?? DEFAULT!).replace(/^edge-ner-/, ""), source = namedModel(name);
  if (source === undefined) {
    throw new UsageError(
      model === undefined
        ? `there is no default model here; npm install edge-ner-${name}, or name one with --model`
        : `no file, folder or installed model is called ${name}; npm install edge-ner-${name} if that is its package`,
    );
  }
  return source;
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
