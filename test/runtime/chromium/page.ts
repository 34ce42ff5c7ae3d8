/**
 * The cases in a page: bundled with the installed package, run by the harness through `edgeNerTest`.
 *
 * @module
 */
import * as library from "edge-ner";
import { loadingCases } from "../loading.ts";
import { CASES, type Expected, type Library, type Result, runCases } from "../shared.ts";

async function edgeNerTest(): Promise<Result[]> {
  const model = new Uint8Array(await (await fetch("/model.safetensors")).arrayBuffer());
  const expected: Expected = await (await fetch("/expected.json")).json();
  const server = new URL("/", location.href).href;
  const cases = [...CASES, ...loadingCases({ server, relative: true })];
  return await runCases(cases, { library: library as Library, model, expected });
}

/** What a page gets whose Content-Security-Policy allows no WebAssembly. */
async function blockedTest(): Promise<string> {
  try {
    await library.Ner.load("/model.safetensors");
    return "it loaded";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

Object.assign(globalThis, { edgeNerTest, blockedTest });
