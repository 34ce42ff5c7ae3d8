/**
 * Documents with their entities as a page: one file, no script, nothing fetched, readable by eye, keyboard and screen
 * reader, in light and dark.
 *
 * An entity is a `mark` whose type stands behind it as text, so that nothing depends on colours or on pointing.
 *
 * @module
 */
import type { Entity } from "../../mod.ts";
import { visible } from "./visible.ts";

/** What a page begins with. Colours have a contrast of 7 and more in both schemes. */
export const HTML_START = `<!doctype html>
<html lang="und">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Entities</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.8 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem;
  color: light-dark(#111, #eee); background: light-dark(#fff, #111); }
p { white-space: pre-wrap; overflow-wrap: anywhere; }
mark { color: inherit; background: light-dark(#fff1a8, #4a3b00); border-radius: .2rem; padding: .1rem .2rem; }
mark small { font-weight: 700; margin-inline-start: .3rem; }
</style>
</head>
<body>
<main>
<h1>Entities</h1>
`;

/** What it ends with. */
export const HTML_END = "</main>\n</body>\n</html>\n";

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

function escaped(text: string, whole = false): string {
  return visible(text, whole).replace(/[&<>"]/g, (c) => ESCAPES[c]);
}

/** A document as a paragraph; an entity that overlaps one before it is left out. */
export function htmlOf(text: string, entities: readonly Entity[]): string {
  let html = "", at = 0;
  for (const { start, end, type, score } of entities) {
    if (start < at) continue;
    html += escaped(text.slice(at, start)) +
      `<mark title="${score.toFixed(3)}">${escaped(text.slice(start, end))}<small>${
        escaped(type, true)
      }</small></mark>`;
    at = end;
  }
  return `<p dir="auto">${html}${escaped(text.slice(at))}</p>\n`;
}
