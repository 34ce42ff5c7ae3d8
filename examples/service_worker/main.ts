/**
 * A page that asks its service worker as it would ask a server; `service_worker.ts` tells how both are built.
 *
 * @module
 */
/// <reference lib="dom" />
import type { Entity } from "edge-ner";

const text = document.querySelector("textarea")!, list = document.querySelector("ul")!;

const { serviceWorker } = navigator;
await serviceWorker.register("service_worker.js", { type: "module" });
if (serviceWorker.controller === null) {
  await new Promise((resolve) => {
    serviceWorker.addEventListener("controllerchange", resolve, { once: true });
  });
}

let latest = new AbortController();

async function update(): Promise<void> {
  // What was asked before is of no interest any more.
  latest.abort();
  const { signal } = latest = new AbortController();
  try {
    const response = await fetch("entities", { method: "POST", body: text.value, signal });
    if (!response.ok) throw new Error((await response.json()).error);
    const entities: Entity[] = await response.json();
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
