/**
 * Documents as programs: a page's commands and programs, to be run as they stand there.
 *
 * @module
 */
import { readFileSync } from "node:fs";

const root = new URL("../../", import.meta.url);

/** A fenced block of a page. */
export interface Block {
  /** What stands behind the fence: `sh`, `ts`, `ts ignore`. */
  readonly language: string;
  readonly content: string;
}

/** A call of the command line. */
export interface Call {
  readonly args: readonly string[];
  /** File that standard input is read from. */
  readonly input?: string;
  /** File that standard output goes to. */
  readonly output?: string;
}

/** A page, by its path from the root. */
export function textOf(page: string): string {
  return readFileSync(new URL(page, root), "utf8");
}

/** Its fenced blocks. */
export function blocksOf(page: string): Block[] {
  return [...textOf(page).matchAll(/^```([^\n]*)\n(.*?)^```$/gms)]
    .map(([, language, content]) => ({ language: language!, content: content! }));
}

/** The lines of its `sh` blocks, comments taken off. */
export function linesOf(page: string): string[] {
  return blocksOf(page).filter(({ language }) => language === "sh")
    .flatMap(({ content }) => content.split("\n"))
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim()).filter((line) => line !== "");
}

/** A line's words, quotes taken off. */
export function wordsOf(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
}

/** A line as a call of the command line, installed or from the sources; undefined for other programs. */
export function callOf(line: string): Call | undefined {
  const [, call] = /^(?:edge-ner|npx -y deno@\S+ task ner) (.*)$/.exec(line) ?? [];
  if (call === undefined) return undefined;
  const [, command, input, output] = /^(.*?)(?: < (\S+))?(?: > (\S+))?$/.exec(call)!;
  return { args: wordsOf(command!), ...(input && { input }), ...(output && { output }) };
}

/** A page's calls of the command line, in its order. */
export function callsOf(page: string): Call[] {
  return linesOf(page).map(callOf).filter((call) => call !== undefined);
}

/** A program that imports this package from its sources. */
export function fromSources(program: string): string {
  const faces = { "": "mod", "/core": "core", "/train": "train", "/label": "label" };
  return Object.entries(faces).reduce(
    (text, [entry, face]) =>
      text.replaceAll(`"edge-ner${entry}"`, JSON.stringify(new URL(`${face}.ts`, root).href)),
    program,
  ).replace(
    /"edge-ner-(\w+)"/g,
    (_, name) => JSON.stringify(new URL(`models/${name}/index.js`, root).href),
  );
}
