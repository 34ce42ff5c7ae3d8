/**
 * The cases as a command, for runtimes that are started with arguments: Deno, Bun and Node.
 *
 * `main(library)` reads its arguments from the environment, because every runtime passes that on alike, and
 * prints one line of JSON for each case.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { type Case, CASES, type Expected, type Library, runCases } from "./shared.ts";
import { loadingCases } from "./loading.ts";

function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set; start this through the harness.`);
  return value;
}

/** Runs the cases, and those in `more`, on `library` and prints the results. */
export async function main(library: Library, more: readonly Case[] = []): Promise<void> {
  const folder = variable("EDGE_NER_FOLDER");
  const expected: Expected = JSON.parse(await readFile(variable("EDGE_NER_EXPECTED"), "utf8"));
  const model = new Uint8Array(await readFile(`${folder}/packed/model.safetensors`));
  const cases = [
    ...CASES,
    ...loadingCases({ server: variable("EDGE_NER_SERVER"), folder }, expected),
    ...more,
  ];
  for (const result of await runCases(cases, { library, model, expected })) {
    console.log(JSON.stringify(result));
  }
}
