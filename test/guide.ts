/**
 * docs/training.md as a program: its commands and programs, to be run as they stand on the page.
 *
 * @module
 */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { blocksOf, callsOf, fromSources } from "./docs/page.ts";

const PAGE = "docs/training.md";

/** The page's commands in its order, as arguments of `edge-ner`. */
export function commands(): (readonly string[])[] {
  return callsOf(PAGE).map(({ args }) => args);
}

/** The program that the page calls by this name. */
export function program(name: string): string {
  const found = blocksOf(PAGE).find(({ content }) => content.startsWith(`// ${name}\n`));
  if (found === undefined) throw new Error(`${PAGE}: no program ${name}`);
  return found.content;
}

/** A program of the page that imports this package from its sources. */
export function localProgram(name: string): string {
  return fromSources(program(name));
}

/** Puts the page's data into a folder. */
export function prepare(folder: string): void {
  const data = fileURLToPath(new URL("../examples/training/recipes.tsv", import.meta.url));
  copyFileSync(data, join(folder, "recipes.tsv"));
}
