/**
 * A page that marks entities while one types: load once, then `extract` on every change.
 *
 *     deno task serve
 *
 * @module
 */
/// <reference lib="dom" />
import { type Entity, Ner } from "../../mod.ts";

const SAMPLES = [
  "রোগীর তিন দিন ধরে জ্বর ও মাথাব্যথা, তাকে প্যারাসিটামল ৫০০ মিলিগ্রাম দেওয়া হয়েছে।",
  "ডায়াবেটিস ও উচ্চ রক্তচাপের জন্য মেটফরমিন এবং অ্যামলোডিপিন খেতে বলা হয়েছে।",
  "ডেঙ্গু জ্বরে অ্যাসপিরিন খাওয়া উচিত নয়, এতে রক্তক্ষরণ হতে পারে।",
];

/** One for each entity type, in the model's order; readable on light and dark paper. */
const HUES = [
  "#0f8a8a",
  "#b8622b",
  "#7a5bc0",
  "#3f7fcc",
  "#b0447a",
  "#5f8a2b",
  "#8a7a1f",
  "#687785",
];

/** What the default model's abbreviations mean; another model's types are shown without. */
const MEANINGS: Readonly<Record<string, string>> = {
  MED: "medicine or chemical",
  ORG: "organ",
  DIS: "disease",
  HOR: "hormone",
  PHA: "pharmacological class",
  CMT: "common medical term",
};

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const text = element<HTMLTextAreaElement>("text");
const found = element<HTMLOutputElement>("found");
const status = element<HTMLParagraphElement>("status");

function hue(types: readonly string[], type: string): string {
  return HUES[types.indexOf(type) % HUES.length] ?? HUES[0];
}

/** Lists the model's entity types. */
function showLegend(types: readonly string[]): void {
  element("legend").replaceChildren(...types.map((type) => {
    const item = document.createElement("li");
    const name = document.createElement("b");
    name.textContent = type;
    name.style.setProperty("--hue", hue(types, type));
    item.append(name, ` ${MEANINGS[type] ?? ""}`);
    return item;
  }));
}

/** Fills the output with the text, each entity in a `<mark>`; text nodes only, so no markup can slip in. */
function show(source: string, entities: readonly Entity[], types: readonly string[]): void {
  const parts: (string | HTMLElement)[] = [];
  let at = 0;
  for (const { type, start, end, score } of entities) {
    const mark = document.createElement("mark");
    mark.textContent = source.slice(start, end);
    mark.dataset.type = type;
    mark.title = `${type}, score ${score.toFixed(2)}`;
    mark.style.setProperty("--hue", hue(types, type));
    parts.push(source.slice(at, start), mark);
    at = end;
  }
  parts.push(source.slice(at));
  found.replaceChildren(...parts);
}

async function main(): Promise<void> {
  const start = performance.now();
  const ner = await Ner.load("models/meder/meder-int8.safetensors");
  const loaded = Math.round(performance.now() - start);
  const { types, kernel } = ner.info();
  showLegend(types);

  // One recognition at a time; while it runs, only the latest text is kept.
  let waiting = false;
  let running = false;
  const update = async (): Promise<void> => {
    waiting = true;
    if (running) return;
    running = true;
    while (waiting) {
      waiting = false;
      const source = text.value;
      const before = performance.now();
      const entities = await ner.extract(source, { boundary: "grapheme" });
      const ms = (performance.now() - before).toFixed(1);
      show(source, entities, types);
      status.textContent =
        `${entities.length} ${entities.length === 1 ? "entity" : "entities"} in ${ms} ms · ` +
        `model loaded in ${loaded} ms · ${kernel} kernel`;
    }
    running = false;
  };

  text.addEventListener("input", update);
  for (const [i, sample] of SAMPLES.entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `Example ${i + 1}`;
    button.addEventListener("click", () => {
      text.value = sample;
      update();
    });
    element("samples").append(button);
  }
  if (text.value === "") text.value = SAMPLES[0];
  await update();
  document.body.dataset.ready = "true";
}

main().catch((error: unknown) => {
  status.className = "error";
  status.textContent = error instanceof Error ? error.message : String(error);
  document.body.dataset.ready = "error";
});
