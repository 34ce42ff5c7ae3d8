/**
 * What works in Deno without any permission: a model in bytes. The model is made available by the harness
 * on standard input, which needs none.
 *
 * @module
 */
import { Ner } from "../../../mod.ts";
import { codeOf, type Result, runCases, TEXTS } from "../shared.ts";
import * as library from "../../../mod.ts";
import type { Expected } from "../shared.ts";

const model = new Uint8Array(await new Response(Deno.stdin.readable).arrayBuffer());
const results: Result[] = await runCases([
  {
    name: "no permission: a model in bytes works",
    async run(): Promise<void> {
      const ner = await Ner.fromBytes(model);
      const found = await ner.extract(TEXTS[0]);
      if (found.length === 0) throw new Error("nothing was found");
    },
  },
  {
    name: "no permission: a path and a URL are typed errors",
    async run(): Promise<void> {
      for (const source of ["model.safetensors", "http://127.0.0.1:2/model"]) {
        const code = await codeOf(library, () => Ner.load(source));
        if (code !== "runtime/permission") throw new Error(`${source}: ${code}`);
      }
    },
  },
], { library, model, expected: undefined as unknown as Expected });
for (const result of results) console.log(JSON.stringify(result));
