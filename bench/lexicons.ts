/**
 * What a user's list of 20 names does beside a model: found of these names before and after, lost and won elsewhere, and strict F1 of
 * all: the tables of docs/lexicons.md.
 *
 *     deno run -A bench/lexicons.ts --data validation.jsonl [--model PATH] [--weights learnt,1,2,3] [--draws 5] [--texts N]
 *
 * The weight `learnt` is none: what a model that was trained with lexicons makes of a list, and the default in others.
 *
 * Lists are drawn from the names that the labelled texts have twice or more: the best case, a user who knows what is in
 * his texts. No time is measured here.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { type Entity, Ner, scoreSpans } from "../mod.ts";
import { readTexts } from "../train.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    model: { type: "string", default: "models/meder/meder-int8.safetensors" },
    weights: { type: "string", default: "learnt,1,2,3,4,6,12" },
    draws: { type: "string", default: "5" },
    texts: { type: "string", default: "1000000" },
  },
});
if (values.data === undefined) {
  console.error("bench/lexicons.ts needs --data FILE, labelled texts as edge-ner train reads them");
  process.exit(2);
}

/** Names of a list. */
const SIZE = 20;

type Place = Pick<Entity, "type" | "start" | "end">;
const key = ({ start, end, type }: Place): string => `${start},${end},${type}`;

const ner = await Ner.load(values.model), { types } = ner.info();
const texts = readTexts(readFileSync(values.data, "utf8"), values.data).texts
  .slice(0, Number(values.texts));
const sentences = texts.map(({ text }) => text);
const before = await ner.extractBatch(sentences);

const counts = new Map<string, number>();
for (const { text, entities } of texts) {
  for (const { type, start, end } of entities) {
    const name = text.slice(start, end);
    if (!types.includes(type) || name.length < 3 || !/^\p{L}/u.test(name)) continue;
    counts.set(`${type} ${name}`, (counts.get(`${type} ${name}`) ?? 0) + 1);
  }
}
const names = [...counts].filter(([, count]) => count >= 2).map(([name]) => name);

let seed = 7;
const random = (): number => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
const draws = Array.from({ length: Number(values.draws) }, () => {
  const order = names.map((name) => [random(), name] as const).sort(([a], [b]) => a - b);
  return new Set(order.slice(0, SIZE).map(([, name]) => name));
});

console.log(`${texts.length} texts, ${names.length} names that stand there twice or more`);
const gold = texts.map(({ entities }) => entities);
const percent = (f1: number): string => (100 * f1).toFixed(2);
console.log(`strict F1 without a list: ${percent(scoreSpans(gold, before).micro.f1)}`);
console.log(
  "| weight | names labelled | found before | after | others lost | won | false: names | others | F1 |",
);
console.log("| --: | --: | --: | --: | --: | --: | --: | --: | --: |");
for (const weight of values.weights.split(",")) {
  const sums = { labelled: 0, before: 0, after: 0, lost: 0, won: 0, names: 0, others: 0 };
  let f1 = 0;
  for (const own of draws) {
    const lexicon = types.map((type) => ({
      type,
      ...(weight !== "learnt" && { weight: Number(weight) }),
      terms: [...own].filter((name) => name.startsWith(`${type} `))
        .map((name) => name.slice(type.length + 1)),
    })).filter(({ terms }) => terms.length > 0);
    const found = await ner.extractBatch(sentences, { lexicon });
    f1 += scoreSpans(gold, found).micro.f1 / draws.length;
    texts.forEach(({ text, entities }, i) => {
      const old = new Set(before[i].map(key)), now = new Set(found[i].map(key));
      const isOwn = ({ type, start, end }: Place): boolean =>
        own.has(`${type} ${text.slice(start, end)}`);
      for (const entity of entities) {
        const was = old.has(key(entity)), is = now.has(key(entity));
        if (isOwn(entity)) {
          sums.labelled++;
          sums.before += Number(was);
          sums.after += Number(is);
        } else {
          sums.lost += Number(was && !is);
          sums.won += Number(!was && is);
        }
      }
      const labelled = new Set(entities.map(key));
      for (const entity of found[i]) {
        if (old.has(key(entity)) || labelled.has(key(entity))) continue;
        sums[isOwn(entity) ? "names" : "others"]++;
      }
    });
  }
  console.log(`| ${[weight, ...Object.values(sums), percent(f1)].join(" | ")} |`);
}
ner.close();
