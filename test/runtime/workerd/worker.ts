/**
 * The cases as a worker: the model and the expectations are bindings, one request runs everything.
 *
 * `edge-ner` resolves to the installed package with the condition `workerd`, as in wrangler.
 *
 * @module
 */
import * as library from "edge-ner";
import { CASES, type Expected, type Library, runCases } from "../shared.ts";
import { loadingCases } from "../loading.ts";

interface Env {
  readonly MODEL: ArrayBuffer;
  readonly EXPECTED: Expected;
  readonly SERVER: string;
}

export default {
  async fetch(_: Request, env: Env): Promise<Response> {
    const model = new Uint8Array(env.MODEL);
    const cases = [...CASES, ...loadingCases({ server: env.SERVER }, env.EXPECTED)];
    const subject = { library: library as Library, model, expected: env.EXPECTED };
    return Response.json(await runCases(cases, subject));
  },
};
