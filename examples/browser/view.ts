/**
 * A text's entities and tokens as elements of the page.
 *
 * An entity's type stands above it and its score in the list below, where touch, keyboard and screen readers find it;
 * nothing has to be pointed at.
 *
 * @module
 */
/// <reference lib="dom" />
import type { Emissions, Entity } from "../../mod.ts";
import { make, tableOf } from "./page.ts";

/** One for each entity type, in the model's order; seen on light and dark paper. */
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

/** What is known of the model whose findings are shown. */
export interface Labelled {
  /** Its entity types, in its order. */
  readonly types: readonly string[];
  /** What they stand for, where that is known. */
  readonly meanings: Readonly<Record<string, string>>;
  /** The texts' language, for who has them read aloud; empty where it is not known. */
  readonly language: string;
}

function hue(types: readonly string[], type: string): string {
  return HUES[types.indexOf(type) % HUES.length] ?? HUES[0];
}

/** A text with each entity in a `mark`. */
export function markedText(
  source: string,
  entities: readonly Entity[],
  types: readonly string[],
): (string | HTMLElement)[] {
  const parts: (string | HTMLElement)[] = [];
  let at = 0;
  for (const { type, start, end } of entities) {
    const mark = make("mark", {}, source.slice(start, end));
    mark.dataset.type = type;
    mark.style.setProperty("--hue", hue(types, type));
    parts.push(source.slice(at, start), mark);
    at = end;
  }
  parts.push(source.slice(at));
  return parts;
}

/** A table of entities and their scores. */
export function entityTable(
  entities: readonly Entity[],
  { types, meanings, language }: Labelled,
): HTMLTableElement {
  const rows = entities.map(({ type, text, score }) => {
    const kind = make("td", { className: "swatch" }, type);
    kind.style.setProperty("--hue", hue(types, type));
    const meaning = meanings[type];
    if (meaning !== undefined) kind.append(make("span", { className: "quiet" }, ` ${meaning}`));
    return [
      make("th", { scope: "row", lang: language }, text),
      kind,
      make("td", { className: "number" }, score.toFixed(3)),
    ];
  });
  const count = entities.length === 1 ? "1 entity" : `${entities.length} entities`;
  const table = tableOf(count, ["Entity", "Type", "Score"], rows);
  table.querySelectorAll("th[scope=col]")[1].className = "";
  return table;
}

/** A table of tokens with what the encoder says of each. */
export function tokenTable(
  { tokens, labels, data }: Emissions,
  { language }: Labelled,
): HTMLTableElement {
  const rows = tokens.map(({ piece }, t) => {
    const row = data.subarray(t * labels.length, (t + 1) * labels.length), most = Math.max(...row);
    return [
      make("th", { scope: "row", lang: language }, piece),
      ...Array.from(
        row,
        (value) =>
          make("td", { className: value === most ? "number best" : "number" }, value.toFixed(2)),
      ),
    ];
  });
  const count = tokens.length === 1 ? "1 token" : `${tokens.length} tokens`;
  return tableOf(count, ["Token", ...labels], rows);
}
