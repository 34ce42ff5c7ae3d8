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
  const cases = [...CASES, ...loadingCases({ server, relative: true }, expected)];
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

/** Why there is one thread, in a page that is isolated but may have no workers from blobs. */
async function workerlessTest(): Promise<string> {
  const ner = await library.Ner.load("/model.safetensors", { threads: 2 });
  for (let i = 0; i < 10_000 && ner.info().threads > 1; i++) {
    await ner.extract("জ্বরে প্যারাসিটামল খাওয়া যায়। ".repeat(20));
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const { threads, threadsReason } = ner.info();
  ner.close();
  return threads === 1 ? String(threadsReason) : `${threads} threads`;
}

Object.assign(globalThis, { edgeNerTest, blockedTest, workerlessTest });
