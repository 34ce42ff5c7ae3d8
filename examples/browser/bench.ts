/**
 * A page that measures the visitor's own machine: from text to entities, at three lengths, with one thread, with as
 * many as the page may have, and on its GPU where there is one.
 *
 * Runs of both take turns, so that what slows the machine for a while slows both; a figure is the median of its runs.
 *
 * @module
 */
/// <reference lib="dom" />
import { Ner } from "../../mod.ts";
import { element, make, servedModels, tableOf, tell } from "./page.ts";

/** Tokens of the texts, about. */
const LENGTHS = [16, 64, 256];

/** Milliseconds for a length with all ways to run. */
const TIME = 3000;

/** One way to run, and what it came to. */
interface Way {
  readonly name: string;
  readonly ner: Ner;
  /** Median milliseconds by length. */
  readonly medians: number[];
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** A sentence, again and again, of so many tokens or a few more. */
function textOf(ner: Ner, sentence: string, tokens: number): string {
  const words = `${sentence} `.repeat(tokens).split(" ");
  let low = 1, high = words.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (ner.tokenize(words.slice(0, mid).join(" ")).length >= tokens) high = mid;
    else low = mid + 1;
  }
  return words.slice(0, low).join(" ");
}

/** Bars with their figures: tokens a second, the longer the better. */
function chartOf(ways: readonly Way[], lengths: readonly number[]): SVGSVGElement {
  const rows = lengths.flatMap((length, i) =>
    ways.map(({ name, medians }) => ({
      name: `${length} tokens, ${name}`,
      rate: 1000 * length / medians[i],
    }))
  );
  const most = Math.max(...rows.map(({ rate }) => rate)), space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg"), step = 44;
  svg.setAttribute("viewBox", `0 0 640 ${rows.length * step}`);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "Tokens a second; the table below has the figures.");
  rows.forEach(({ name, rate }, i) => {
    const add = (tag: string, attributes: Record<string, string | number>, text = ""): void => {
      const made = document.createElementNS(space, tag);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
      made.textContent = text;
      svg.append(made);
    };
    const y = i * step, width = Math.max(2, 420 * rate / most);
    add("text", { x: 0, y: y + 14 }, name);
    add("rect", { x: 0, y: y + 19, width, height: 14, rx: 3, fill: "var(--accent)" });
    add("text", { x: width + 8, y: y + 31 }, `${Math.round(rate).toLocaleString("en")} tokens/s`);
  });
  return svg;
}

function show(ways: readonly Way[], lengths: readonly number[]): void {
  const rows = lengths.map((length, i) => [
    make("th", { scope: "row" }, `${length} tokens`),
    ...ways.map(({ medians }) =>
      make("td", { className: "number" }, `${medians[i].toFixed(2)} ms`)
    ),
  ]);
  const heads = ["Text", ...ways.map(({ name }) => name)];
  element("results").replaceChildren(tableOf("Median time from text to entities", heads, rows));
  element("chart").replaceChildren(chartOf(ways, lengths));
}

/** The model on this machine's GPU; or why there is none. */
async function onGpu(source: string): Promise<Ner | string> {
  try {
    const ner = await Ner.load(source, { backend: "webgpu" }), { gpu } = ner.info();
    if (!gpu?.software) return ner;
    ner.close();
    return `${gpu.adapter} is a program on the processor`;
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
  }
}

async function measure(): Promise<void> {
  tell("Loading the model …");
  const [{ file, examples }] = await servedModels(), source = `models/${file}`;
  const one = await Ner.load(source, { threads: 1 }), all = await Ner.load(source);
  const { threads, threadsReason, kernel } = all.info();
  const ways: Way[] = [{ name: "1 thread", ner: one, medians: [] }];
  if (threads > 1) ways.push({ name: `${threads} threads`, ner: all, medians: [] });
  const gpu = await onGpu(source);
  if (typeof gpu !== "string") ways.push({ name: "WebGPU", ner: gpu, medians: [] });
  const texts = LENGTHS.map((length) => textOf(one, Object.values(examples)[0], length));
  const lengths = texts.map((text) => one.tokenize(text).length);
  for (const [i, text] of texts.entries()) {
    tell(`Measuring ${lengths[i]} tokens …`);
    const times = ways.map((): number[] => []);
    // Engines make code faster that has run for a while.
    for (const { ner } of ways) for (let n = 0; n < 5; n++) await ner.extract(text);
    const end = performance.now() + TIME;
    do {
      for (const [w, { ner }] of ways.entries()) {
        const start = performance.now();
        await ner.extract(text);
        times[w].push(performance.now() - start);
      }
    } while (performance.now() < end);
    ways.forEach(({ medians }, w) => medians.push(median(times[w])));
  }
  show(ways, lengths);
  one.close();
  all.close();
  if (typeof gpu !== "string") gpu.close();
  tell(
    `Done, with the ${kernel} kernel.${
      threadsReason ? ` One thread only: ${threadsReason}.` : ""
    }` +
      (typeof gpu === "string" ? ` No GPU: ${gpu}.` : ` WebGPU: ${gpu.info().gpu?.adapter}.`),
  );
}

const button = element<HTMLButtonElement>("run");
button.addEventListener("click", async () => {
  button.disabled = true;
  try {
    await measure();
    document.body.dataset.ready = "true";
  } catch (error) {
    tell(error instanceof Error ? error.message : String(error), { error: true });
    document.body.dataset.ready = "error";
  } finally {
    button.disabled = false;
  }
});
