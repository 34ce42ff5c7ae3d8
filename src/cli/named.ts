/**
 * Where models are that are called by a name, which is the default one, and the version of the package that has them.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { UsageError } from "./errors.ts";

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
export const DEFAULT: string | undefined = manifest.config?.model;

/** What names a model, for `--help`. */
export const MODEL_FORMS =
  "packed model, folder, .onnx file, URL, hf:OWNER/NAME, or NAME where edge-ner-NAME is installed";

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
