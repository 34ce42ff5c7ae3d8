/**
 * The models that this repository holds: every folder here with an `about.json`.
 *
 * A model is a folder NAME with its weights, `NAME-int8.safetensors`, its card, `README.md`, and `about.json`: what
 * people are told of it. From these, `deno task build` writes the files that make it the npm package `edge-ner-NAME`.
 * The demo, the page, the command line and the tests of runtimes take models from here or by that rule of names, so
 * that one more is one more folder and no line of code.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";

/** What `about.json` says. */
export interface About {
  /** What it finds, in which language: the first words of a page or a package about it. */
  readonly title: string;
  /** BCP 47 tag of the texts that it was trained on. */
  readonly language: string;
  /** Beside those that every model's package has. */
  readonly keywords: readonly string[];
  /** What its entity types stand for. */
  readonly types: Readonly<Record<string, string>>;
  /** Texts to try it with, by names in English. */
  readonly examples: Readonly<Record<string, string>>;
}

/** A model and where it is. */
export interface Model extends About {
  readonly name: string;
  /** Its weights, from this folder. */
  readonly file: string;
}

/** The one that is taken where none is named: package.json says which, because the installed command must know it, too. */
export const DEFAULT: string =
  JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).config.model;

/** The name of a model's weights in its folder and its package. */
export function weightsOf(name: string): string {
  return `${name}-int8.safetensors`;
}

function modelOf(name: string): Model | undefined {
  let text;
  try {
    text = readFileSync(new URL(`${name}/about.json`, import.meta.url), "utf8");
  } catch {
    return undefined;
  }
  return { name, file: `${name}/${weightsOf(name)}`, ...JSON.parse(text) as About };
}

/** All models: the default one, then the others by their names. */
export const MODELS: readonly Model[] = readdirSync(new URL(".", import.meta.url))
  .sort((a, b) => Number(b === DEFAULT) - Number(a === DEFAULT) || (a < b ? -1 : 1))
  .map(modelOf).filter((model) => model !== undefined);
