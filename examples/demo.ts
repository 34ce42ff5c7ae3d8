/**
 * What edge-ner does, in one screen for each model: loads it, marks the entities of a few sentences about medicines, and
 * says how long each step took.
 *
 *     deno task demo [NAME ...]
 *
 * @module
 */
import process from "node:process";
import { type Entity, Ner } from "../mod.ts";
import { type Model, MODELS } from "../models/registry.ts";

/** Deno tells NO_COLOR without asking for permission; elsewhere the environment is open anyway. */
const noColor = (globalThis as { Deno?: { noColor: boolean } }).Deno?.noColor ??
  Boolean(process.env.NO_COLOR);
/** What goes before and behind an entity. */
const [open, close] = process.stdout.isTTY && !noColor ? ["\x1b[7m", "\x1b[0m"] : ["[", "]"];

/** `তাকে [প্যারাসিটামল MED] দিন`: entities come in order and apart. */
function marked(text: string, entities: readonly Entity[]): string {
  let result = "", at = 0;
  for (const { start, end, type } of entities) {
    result += `${text.slice(at, start)}${open}${text.slice(start, end)} ${type}${close}`;
    at = end;
  }
  return result + text.slice(at);
}

const ms = (time: number): string => `${time.toFixed(1).padStart(7)} ms`;

/** Returns when the first entity was found, if any was. */
async function show({ title, file, examples }: Model): Promise<number | undefined> {
  const sentences = Object.values(examples), others = sentences.length - 1;
  const beforeLoad = performance.now();
  const ner = await Ner.load(new URL(`../models/${file}`, import.meta.url));
  const loaded = performance.now();
  console.log(`${title}\n`);

  let firstEntity: number | undefined;
  const times: number[] = [];
  for (const sentence of sentences) {
    const start = performance.now();
    const entities = await ner.extract(sentence, { boundary: "grapheme" });
    const end = performance.now();
    times.push(end - start);
    if (entities.length > 0) firstEntity ??= end;
    console.log(`${ms(end - start)}  ${marked(sentence, entities)}`);
  }
  ner.close();

  const sum = times.reduce((a, b) => a + b, 0);
  console.log(`
load the model            ${ms(loaded - beforeLoad)}
first sentence            ${ms(times[0])}   (the kernels are still cold)
a sentence after that     ${ms((sum - times[0]) / others)}   (mean of ${others})
all ${String(sentences.length).padEnd(2)} sentences          ${ms(sum)}
`);
  return firstEntity;
}

const names = process.argv.slice(2), known = MODELS.map(({ name }) => name);
const unknown = names.find((name) => !known.includes(name));
if (unknown !== undefined) {
  console.error(`There is no model ${unknown}; there are ${known.join(", ")}.`);
  process.exit(1);
}
const moments: (number | undefined)[] = [];
for (const model of MODELS.filter(({ name }) => names.length === 0 || names.includes(name))) {
  moments.push(await show(model));
}
// performance.now() counts from performance.timeOrigin, which a runtime sets when it starts.
const [first] = moments;
console.log(`process start to entity   ${first === undefined ? "no entity found" : ms(first)}`);
