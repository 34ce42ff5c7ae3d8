/**
 * The cases as a command, as `../command.ts` has its own: a line of JSON for each.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import process from "node:process";
import type { Expected, Library } from "../shared.ts";
import { gpuCases } from "./cases.ts";

/** Runs the cases on a GPU and prints the results. */
export async function gpuMain(
  library: Library,
  gpu: GPU | undefined,
  options: { readonly more: boolean },
): Promise<void> {
  const folder = process.env.EDGE_NER_FOLDER, file = process.env.EDGE_NER_EXPECTED;
  if (!folder || !file) throw new Error("start this through the harness.");
  const expected: Expected = JSON.parse(await readFile(file, "utf8"));
  const model = new Uint8Array(await readFile(`${folder}/packed/model.safetensors`));
  for (const result of await gpuCases(gpu, { library, model, expected }, options)) {
    console.log(JSON.stringify(result));
  }
}
