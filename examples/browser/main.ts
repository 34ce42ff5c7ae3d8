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
import type { Model } from "../../models/registry.ts";
import { element, make, servedModels, tell } from "./page.ts";
import { entityTable, type Labelled, markedText, tokenTable } from "./view.ts";

const text = element<HTMLTextAreaElement>("text");
const threshold = element<HTMLInputElement>("threshold");
const details = element<HTMLDetailsElement>("details");

/** A model that people have chosen. */
interface Chosen {
  readonly name: string;
  /** What is known of it, if it is one of the server's. */
  readonly served?: Model;
  readonly load: (options: LoadOptions) => Promise<Ner>;
}

let ner: Ner;
/** What `ner` was loaded from. */
let chosen: Chosen;
/** The examples that the page shows, whose text goes when others are shown. */
let examples: Readonly<Record<string, string>> = {};
/** What was found in which text, whatever its score. */
let found: { readonly source: string; readonly entities: readonly Entity[] } = {
  source: "",
  entities: [],
};

function shown(): readonly Entity[] {
  return found.entities.filter(({ score }) => score >= Number(threshold.value));
}

function labelled(): Labelled {
  return { types: ner.info().types, meanings: chosen.served?.types ?? {}, language: text.lang };
}

function show(): void {
  const { types } = ner.info(), entities = shown();
  element("least").textContent = Number(threshold.value).toFixed(2);
  element("found").replaceChildren(...markedText(found.source, entities, types));
  element("list").replaceChildren(entityTable(entities, labelled()));
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
      if (tokens) element("tokens").replaceChildren(tokenTable(tokens, labelled()));
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
  const wanted = document.querySelector<HTMLInputElement>("input[name=engine]:checked");
  return { backend: wanted?.value as LoadOptions["backend"] };
}

/** Checks of a group of choices that of a value, or none. */
function check(group: string, value: string | undefined): void {
  for (const input of document.querySelectorAll<HTMLInputElement>(`input[name=${group}]`)) {
    input.checked = input.value === value;
  }
}

/** Shows a served model's examples, the first of them in place of another model's. */
function showExamples({ language, examples: own }: Model): void {
  if (text.value === "" || Object.values(examples).includes(text.value)) {
    text.value = Object.values(own)[0];
  }
  examples = own;
  text.lang = element("found").lang = language;
  element("samples").replaceChildren(
    ...Object.entries(own).map(([name, example]) => {
      const button = make("button", { type: "button" }, name);
      button.addEventListener("click", () => {
        text.value = example;
        update().catch(fail);
      });
      return button;
    }),
  );
}

/** How often something was asked for; only the last is waited for. */
let asked = 0;

/** Exchanges the model, or what it runs on. */
async function use(next: Chosen): Promise<void> {
  const turn = ++asked, start = performance.now();
  tell(`Loading ${next.name} …`);
  let loaded;
  try {
    loaded = await next.load(engineWanted());
  } catch (error) {
    if (turn === asked) throw error;
  }
  if (loaded === undefined || turn !== asked) return loaded?.close();
  const ms = Math.round(performance.now() - start), before = ner as Ner | undefined;
  if (next.served) showExamples(next.served);
  [ner, chosen] = [loaded, next];
  before?.close();
  check("model", next.served?.name);
  element("model").textContent = next.name;
  await update();
  tell(`${next.name} loaded in ${ms} ms.`);
}

/** The same; where it fails, what ran before goes on. */
async function exchange(next: Chosen): Promise<void> {
  try {
    await use(next);
  } catch (error) {
    fail(error);
    const { gpu } = ner.info();
    check("engine", gpu === undefined ? "wasm" : gpu.choice);
    check("model", chosen.served?.name);
  }
}

/** A model of the server's, which is fetched when it is used. */
function servedOne(served: Model): Chosen {
  const load = (options: LoadOptions) => Ner.load(`models/${served.file}`, options);
  return { name: served.title, served, load };
}

async function useFile(file: File | undefined): Promise<void> {
  if (file === undefined) return;
  const bytes = new Uint8Array(await file.arrayBuffer());
  await exchange({ name: file.name, load: (options) => Ner.fromBytes(bytes, options) });
}

/** Offers the server's models, if there is a choice. */
function offer(models: readonly Model[]): void {
  element("models").hidden = models.length < 2;
  element("models").append(
    ...models.map((model) => {
      const input = make("input", { type: "radio", name: "model", value: model.name });
      input.addEventListener("change", () => exchange(servedOne(model)));
      return make("label", { className: "choice" }, input, model.title);
    }),
  );
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
  element("engine").addEventListener("change", () => exchange(chosen));
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
  const models = await servedModels();
  offer(models);
  await use(servedOne(models[0]));
  listen();
  document.body.dataset.ready = "true";
}

main().catch((error: unknown) => {
  fail(error);
  document.body.dataset.ready = "error";
});
