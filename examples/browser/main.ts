/**
 * A page that marks entities while one types: load once, then `extract` on every change.
 *
 *     deno task serve
 *
 * @module
 */
/// <reference lib="dom" />
import {
  type Emissions,
  type Entity,
  ENTITY_HEADER,
  entityRows,
  type LoadOptions,
  Ner,
  type NerInfo,
} from "../../mod.ts";
import { DEFAULT_MODEL, element, make, tell } from "./page.ts";
import { entityTable, markedText, tokenTable } from "./view.ts";

const SAMPLES: Readonly<Record<string, string>> = {
  "Fever and a tablet": "রোগীর তিন দিন ধরে জ্বর ও মাথাব্যথা, তাকে প্যারাসিটামল ৫০০ মিলিগ্রাম দেওয়া হয়েছে।",
  "Diabetes": "ডায়াবেটিস ও উচ্চ রক্তচাপের জন্য মেটফরমিন এবং অ্যামলোডিপিন খেতে বলা হয়েছে।",
  "Dengue: a warning": "ডেঙ্গু জ্বরে অ্যাসপিরিন খাওয়া উচিত নয়, এতে রক্তক্ষরণ হতে পারে।",
};

const text = element<HTMLTextAreaElement>("text");
const threshold = element<HTMLInputElement>("threshold");
const details = element<HTMLDetailsElement>("details");

let ner: Ner;
/** Loads the model of now, to run where it is told. */
let load: (options: LoadOptions) => Promise<Ner>;
/** What was found in which text, whatever its score. */
let found: { readonly source: string; readonly entities: readonly Entity[] } = {
  source: "",
  entities: [],
};

function shown(): readonly Entity[] {
  return found.entities.filter(({ score }) => score >= Number(threshold.value));
}

function show(): void {
  const { types } = ner.info(), entities = shown();
  element("least").textContent = Number(threshold.value).toFixed(2);
  element("found").replaceChildren(...markedText(found.source, entities, types));
  element("list").replaceChildren(entityTable(entities, types));
}

// One recognition at a time; while it runs, only the latest text is kept.
let waiting = false, running = false;
async function update(): Promise<void> {
  waiting = true;
  if (running) return;
  running = true;
  try {
    while (waiting) {
      waiting = false;
      const source = text.value, own = ner, before = performance.now();
      let entities: Entity[], tokens: Emissions | undefined;
      try {
        entities = await own.extract(source, { boundary: "grapheme" });
        if (details.open) tokens = await own.emissions(source);
      } catch (error) {
        // Closed meanwhile, for another model, which asks again.
        if (own !== ner) continue;
        throw error;
      }
      if (own !== ner) continue;
      const ms = (performance.now() - before).toFixed(1);
      found = { source, entities };
      show();
      if (tokens) element("tokens").replaceChildren(tokenTable(tokens));
      const info = own.info();
      element("timing").textContent = `Found in ${ms} ms · ${runningOn(info)}`;
      tellEngine(info);
    }
  } finally {
    running = false;
  }
}

function fail(error: unknown): void {
  tell(error instanceof Error ? error.message : String(error), { error: true });
}

/** What runs, in words. */
function runningOn({ backend, gpu, kernel, threads, threadsReason }: NerInfo): string {
  if (gpu?.choice === "webgpu") return `${backend} on ${gpu.adapter}`;
  return `${kernel} kernel, ${threads} ${threads === 1 ? "thread" : "threads"}` +
    (threadsReason ? `: ${threadsReason}` : "");
}

/** Says what was measured, and what came of it. */
function tellEngine({ gpu }: NerInfo): void {
  const said = element("engine-report");
  if (gpu === undefined) said.textContent = "";
  else {
    const { choice, race, reason, lost, software, adapter } = gpu;
    const name = choice === "webgpu" ? "WebGPU" : "WebAssembly";
    const times = race &&
      `${race.tokens} tokens: ${race.wasm.toFixed(1)} ms in WebAssembly, ${
        race.webgpu.toFixed(1)
      } ms in WebGPU`;
    said.textContent = `${name} runs: ${(lost ?? times ?? reason).replace(/\.$/, "")}.` +
      (choice === "webgpu" && software ? ` (${adapter} is a program on the processor.)` : "");
  }
}

function engineWanted(): LoadOptions {
  const chosen = document.querySelector<HTMLInputElement>("input[name=engine]:checked");
  return { backend: chosen?.value as LoadOptions["backend"] };
}

/** Exchanges the model, or what it runs on. */
async function use(loader: typeof load, name: string): Promise<void> {
  const start = performance.now(), next = await loader(engineWanted());
  load = loader;
  const ms = Math.round(performance.now() - start), before = ner as Ner | undefined;
  ner = next;
  before?.close();
  element("model").textContent = name;
  await update();
  tell(`${name} loaded in ${ms} ms.`);
}

async function useFile(file: File | undefined): Promise<void> {
  if (file === undefined) return;
  tell(`Loading ${file.name} …`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  await use((options) => Ner.fromBytes(bytes, options), file.name).catch(fail);
}

async function copy(name: string, content: string): Promise<void> {
  await navigator.clipboard.writeText(content);
  tell(`Copied as ${name}.`);
}

function listen(): void {
  const again = (): void => void update().catch(fail);
  text.addEventListener("input", again);
  details.addEventListener("toggle", () => details.open && again());
  threshold.addEventListener("input", show);
  element("copy-json").addEventListener("click", () => {
    const content = JSON.stringify({ text: found.source, entities: shown() }, undefined, 2);
    copy("JSON", content).catch(fail);
  });
  element("copy-csv").addEventListener("click", () => {
    copy("CSV", ENTITY_HEADER + entityRows(1, found.source, shown())).catch(fail);
  });
  element("samples").append(
    ...Object.entries(SAMPLES).map(([name, sample]) => {
      const button = make("button", { type: "button" }, name);
      button.addEventListener("click", () => {
        text.value = sample;
        again();
      });
      return button;
    }),
  );
  element("engine").addEventListener("change", () => {
    tell("Loading …");
    use(load, element("model").textContent ?? "").catch((error: unknown) => {
      fail(error);
      // What ran before goes on.
      const { gpu } = ner.info(), own = gpu === undefined ? "wasm" : gpu.choice;
      document.querySelector<HTMLInputElement>(`input[name=engine][value=${own}]`)!.checked = true;
    });
  });
  const file = element<HTMLInputElement>("file");
  file.addEventListener("change", () => useFile(file.files?.[0]));
  const dropping = (on: boolean) => (event: DragEvent): void => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.toggle("dropping", on);
  };
  document.addEventListener("dragover", dropping(true));
  document.addEventListener("dragleave", dropping(false));
  document.addEventListener("drop", (event) => {
    dropping(false)(event);
    useFile(event.dataTransfer?.files[0]);
  });
}

async function main(): Promise<void> {
  if (text.value === "") text.value = Object.values(SAMPLES)[0];
  await use((options) => Ner.load(DEFAULT_MODEL, options), "The default model");
  listen();
  document.body.dataset.ready = "true";
}

main().catch((error: unknown) => {
  fail(error);
  document.body.dataset.ready = "error";
});
