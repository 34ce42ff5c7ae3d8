/**
 * docs/training.md as a program: its commands and programs, to be run as they stand on the page.
 *
 * @module
 */
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = new URL("../", import.meta.url);

/** A fenced block of the page. */
interface Block {
  readonly language: string;
  readonly content: string;
}

function blocks(): Block[] {
  const page = readFileSync(new URL("docs/training.md", root), "utf8");
  return [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)]
    .map(([, language, content]) => ({ language, content }));
}

/** Arguments of a command line, quotes taken off. */
function words(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain);
}

/** The page's commands in its order, as arguments of `edge-ner`. */
export function commands(): string[][] {
  return blocks().filter(({ language }) => language === "sh")
    .flatMap(({ content }) => content.trim().split("\n"))
    .map((line) => {
      const [program, ...args] = words(line);
      if (program !== "edge-ner") throw new Error(`docs/training.md: unknown command ${line}`);
      return args;
    });
}

/** The program that the page calls by this name. */
export function program(name: string): string {
  const found = blocks().find(({ content }) => content.startsWith(`// ${name}\n`));
  if (found === undefined) throw new Error(`docs/training.md: no program ${name}`);
  return found.content;
}

/** A program of the page that imports this package from its sources. */
export function localProgram(name: string): string {
  return program(name)
    .replaceAll('"edge-ner"', JSON.stringify(new URL("mod.ts", root).href))
    .replaceAll('"edge-ner/train"', JSON.stringify(new URL("train.ts", root).href));
}

/** Puts the page's data into a folder. */
export function prepare(folder: string): void {
  const data = fileURLToPath(new URL("examples/training/recipes.tsv", root));
  copyFileSync(data, join(folder, "recipes.tsv"));
}
