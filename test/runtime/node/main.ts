/**
 * The cases on the installed package, for Node, Bun and Deno; bundled by the harness, all but the package.
 *
 * @module
 */
import * as library from "edge-ner";
import * as training from "edge-ner/train";
import { main } from "../command.ts";
import { type Library, sameEntities, TEXTS } from "../shared.ts";
import { type Training, trainingCases } from "../training.ts";

await main(library as Library, [...trainingCases(training as Training), {
  name: "each model's package says where it is",
  async run({ library, expected }): Promise<string> {
    const wanted = Object.entries({
      meder: { sentences: TEXTS, entities: expected.entities },
      ...expected.others,
    });
    for (const [name, { sentences, entities }] of wanted) {
      const { model } = await import(`edge-ner-${name}`);
      const ner = await library.Ner.load(model);
      await sameEntities(ner, sentences.slice(0, 1), entities);
      ner.close();
    }
    return wanted.map(([name]) => name).join(", ");
  },
}]);
