/**
 * The cases on the installed package, for Node, Bun and Deno; bundled by the harness, all but the package.
 *
 * @module
 */
import * as library from "edge-ner";
import * as training from "edge-ner/train";
import { main } from "../command.ts";
import { type Library, TEXTS } from "../shared.ts";
import { type Training, trainingCases } from "../training.ts";

await main(library as Library, [...trainingCases(training as Training), {
  name: "the default model's package says where it is",
  async run({ library, expected }): Promise<void> {
    const { model } = await import("edge-ner-meder");
    const ner = await library.Ner.load(model);
    const found = await ner.extract(TEXTS[0]);
    if (found.length !== expected.entities[0].length) throw new Error(JSON.stringify(found));
    ner.close();
  },
}]);
