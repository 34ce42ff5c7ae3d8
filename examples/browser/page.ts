/**
 * What both pages are made with: elements by their ids, and new ones. Text goes in as text, never as markup.
 *
 * @module
 */
/// <reference lib="dom" />

import type { Model } from "../../models/registry.ts";

/** The models that the page's server has, the default one first, each with where it is. */
export async function servedModels(): Promise<readonly Model[]> {
  const response = await fetch("models.json");
  if (!response.ok) throw new Error(`models.json: ${response.status} ${response.statusText}`);
  return await response.json();
}

/** The page's element of an id. */
export function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** A new element with what is in it. */
export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** A table: a caption, heads of columns, and rows whose first cell heads them. */
export function tableOf(
  caption: string,
  heads: readonly string[],
  rows: readonly (readonly HTMLTableCellElement[])[],
): HTMLTableElement {
  const head = heads.map((text, i) =>
    make("th", { scope: "col", className: i > 0 ? "number" : "" }, text)
  );
  return make(
    "table",
    {},
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells))),
  );
}

/** Says something to people, those who listen among them. */
export function tell(message: string, { error = false } = {}): void {
  const status = element("status");
  status.className = error ? "error" : "";
  status.textContent = message;
}
