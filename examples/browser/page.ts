/**
 * What both pages are made with: elements by their ids, and new ones. Text goes in as text, never as markup.
 *
 * @module
 */
/// <reference lib="dom" />

/** Where the default model lies, as the page's server has it. */
export const DEFAULT_MODEL = "models/meder/meder-int8.safetensors";

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
