/**
 * What edge-ner does, in one screen: loads the default model, marks the entities of a few Bangla
 * sentences about medicines, and says how long each step took.
 *
 *     deno task demo
 *
 * @module
 */
import process from "node:process";
import { type Entity, Ner } from "../mod.ts";

const SENTENCES = [
  "তীব্র জ্বর ও মাথাব্যথায় ডাক্তার প্যারাসিটামল ৫০০ মিলিগ্রাম দিনে তিনবার খেতে বলেছেন।",
  "গলার সংক্রমণে অ্যামোক্সিসিলিন সাত দিন খেতে হয়, তবে পেনিসিলিনে অ্যালার্জি থাকলে এটি দেওয়া যায় না।",
  "টাইপ ২ ডায়াবেটিসে মেটফরমিন যকৃতে গ্লুকোজ তৈরি কমায় এবং শরীরে ইনসুলিনের কার্যকারিতা বাড়ায়।",
  "উচ্চ রক্তচাপের রোগীকে অ্যামলোডিপিন দেওয়ার পর পায়ে পানি জমতে পারে।",
  "ওমিপ্রাজল পাকস্থলীর অ্যাসিড নিঃসরণ কমিয়ে আলসার সারাতে সাহায্য করে।",
  "থাইরয়েড গ্রন্থি যথেষ্ট থাইরক্সিন তৈরি না করলে সকালে খালি পেটে লেভোথাইরক্সিন খেতে হয়।",
  "হাঁপানির টান উঠলে সালবিউটামল ইনহেলার ফুসফুসের শ্বাসনালি দ্রুত প্রসারিত করে।",
];

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

const beforeLoad = performance.now();
const ner = await Ner.load(new URL("../models/meder/meder-int8.safetensors", import.meta.url));
const loaded = performance.now();

let firstEntity: number | undefined;
const times: number[] = [];
for (const sentence of SENTENCES) {
  const start = performance.now();
  const entities = await ner.extract(sentence, { boundary: "grapheme" });
  const end = performance.now();
  times.push(end - start);
  if (entities.length > 0) firstEntity ??= end;
  console.log(`${ms(end - start)}  ${marked(sentence, entities)}`);
}
ner.close();

const sum = times.reduce((a, b) => a + b, 0);
// performance.now() counts from performance.timeOrigin, which a runtime sets when it starts.
console.log(`
load the model            ${ms(loaded - beforeLoad)}
first sentence            ${ms(times[0])}   (the kernels are still cold)
a sentence after that     ${ms((sum - times[0]) / (times.length - 1))}   (mean of ${
  times.length - 1
})
all ${String(times.length).padEnd(2)} sentences          ${ms(sum)}
process start to entity   ${firstEntity === undefined ? "no entity found" : ms(firstEntity)}`);
