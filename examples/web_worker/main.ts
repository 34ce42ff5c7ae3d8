/**
 * A page whose recogniser lives in a worker: loading and recognising cost the page no frame. With the library in
 * `node_modules`, this file and the worker's program are bundled, and the model lies beside them:
 *
 *     esbuild main.ts --bundle --format=esm --outfile=public/main.js
 *     esbuild edge-ner/worker --bundle --format=esm --outfile=public/edge-ner-worker.js
 *     cp node_modules/edge-ner-meder/meder-int8.safetensors index.html public/
 *
 * Vite, webpack and Rollup find the worker's program by themselves: leave `worker` out there.
 *
 * @module
 */
/// <reference lib="dom" />
import { Ner } from "edge-ner";

const text = document.querySelector("textarea")!, list = document.querySelector("ul")!;

const ner = await Ner.inWorker("meder-int8.safetensors", {
  cache: true, // the second visit downloads nothing
  worker: () => new Worker("edge-ner-worker.js", { type: "module" }),
});

let latest = new AbortController();

async function update(): Promise<void> {
  // What was asked before is of no interest any more.
  latest.abort();
  const { signal } = latest = new AbortController();
  try {
    const entities = await ner.extract(text.value, { boundary: "grapheme", signal });
    const items = entities.map(({ type, text, score }) =>
      Object.assign(document.createElement("li"), {
        textContent: `${text}: ${type}, ${score.toFixed(2)}`,
      })
    );
    list.replaceChildren(...items);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

text.addEventListener("input", update);
await update();
