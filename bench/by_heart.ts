/**
 * How much of what a model finds its training texts had by name, and what a dictionary of these names finds alone.
 *
 * `deno run -A bench/by_heart.ts --train TRAIN --test TEST [--model MODEL]`, labelled texts as `edge-ner train` reads them.
 *
 * Recall is strict, of entities whose text is (in any case) that of a training entity, and of the others. The dictionary has
 * the training entities that are labelled in at least half of the places where they stand, finds them as whole words, the
 * longest first (`edge-ner label`'s), and is scored as the model is.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { Ner, scoreSpans, type SpanScores } from "../mod.ts";
import { dictionaryLabeler } from "../src/label/dictionary.ts";
import { TermIndex } from "../src/label/term_index.ts";
import { type LabelledText, readTexts } from "../train.ts";

const { values } = parseArgs({
  options: {
    train: { type: "string" },
    test: { type: "string" },
    model: { type: "string", default: "models/meder/meder-int8.safetensors" },
  },
});
if (values.train === undefined || values.test === undefined) {
  console.error("bench/by_heart.ts needs --train FILE and --test FILE");
  process.exit(2);
}

const read = (path: string) => readTexts(readFileSync(path, "utf8"), path).texts;
const train = read(values.train), test = read(values.test);
const surface = (text: string, { start, end }: { start: number; end: number }): string =>
  text.slice(start, end).toLowerCase();

/** Every entity of the texts as a term, the commonest type first. */
function termsOf(texts: readonly LabelledText[]): { text: string; type: string }[] {
  const counts = new Map<string, { text: string; type: string; count: number }>();
  for (const { text, entities } of texts) {
    for (const entity of entities) {
      const key = `${entity.type} ${surface(text, entity)}`;
      const own = counts.get(key) ??
        { text: surface(text, entity), type: entity.type, count: 0 };
      counts.set(key, { ...own, count: own.count + 1 });
    }
  }
  return [...counts.values()].sort((a, b) => b.count - a.count);
}

const terms = termsOf(train);
const find = async (
  own: readonly { text: string; type: string }[],
  texts: readonly LabelledText[],
) => {
  const labeler = dictionaryLabeler(await TermIndex.from(own), { name: "training entities" });
  return (await labeler.label(texts.map(({ text }) => text))).map((spans) => spans ?? []);
};
const places = new Map<string, number>(), labelled = new Map<string, number>();
const add = (counts: Map<string, number>, key: string) =>
  counts.set(key, (counts.get(key) ?? 0) + 1);
(await find(terms, train)).forEach((spans, i) => {
  const { text, entities } = train[i]!;
  for (const span of spans) add(places, surface(text, span));
  for (const entity of entities) add(labelled, surface(text, entity));
});
const mostly = terms.filter(({ text }) =>
  2 * labelled.get(text)! >= (places.get(text) ?? Infinity)
);
const gold = test.map(({ entities }) => entities);
const percent = (x: number): string => (100 * x).toFixed(1);
const told = ({ micro, macro }: SpanScores): string =>
  `${percent(micro.f1)} micro, ${percent(macro.f1)} macro`;
console.log(`dictionary, strict F1: ${told(scoreSpans(gold, await find(mostly, test)))}`);

using ner = await Ner.load(values.model);
const found = await ner.extractBatch(test.map(({ text }) => text));
console.log(`${values.model}, strict F1: ${told(scoreSpans(gold, found))}`);
const known = new Set(terms.map(({ text }) => text));
for (const [what, wanted] of [["had", true], ["had not", false]] as const) {
  const own = test.map(({ text, entities }) =>
    entities.filter((entity) => known.has(surface(text, entity)) === wanted)
  );
  const { recall, support } = scoreSpans(own, found).micro;
  console.log(`of ${support} entities whose text training ${what} it finds ${percent(recall)} %`);
}
