/**
 * The cases in a page: bundled with the installed package, run by the harness through `gpuTest`.
 *
 * @module
 */
import * as library from "edge-ner";
import type { Expected, Library, Result } from "../shared.ts";
import { gpuCases } from "./cases.ts";

async function gpuTest(): Promise<Result[]> {
  const model = new Uint8Array(await (await fetch("/model.safetensors")).arrayBuffer());
  const expected: Expected = await (await fetch("/expected.json")).json();
  const subject = { library: library as Library, model, expected };
  return await gpuCases(navigator.gpu, subject, { more: false });
}

Object.assign(globalThis, { gpuTest });
