/**
 * A table with an entity in each row, for spreadsheets and data frames: `document,text,type,entity,start,end,score`, as
 * RFC 4180 has it.
 *
 * A text stands in each row of its own, so that a row says all, and a text without entities is a row without one. Offsets are
 * UTF-16 code units. Control characters but line ends and tabs are shown as pictures.
 *
 * Weak: long texts with many entities are repeated often; a cell that begins with `=` is a formula to some
 * spreadsheets, which have to be told that columns are text.
 *
 * @module
 */
import { FormatError } from "../errors.ts";
import type { Span } from "../eval/spans.ts";
import { picture } from "./controls.ts";

/** The columns. */
export const ENTITY_COLUMNS = ["document", "text", "type", "entity", "start", "end", "score"];

function cell(value: string | number): string {
  const text = String(value).replace(/[^\t\r\n]+/g, picture);
  return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replace(/"/g, '""')}"` : text;
}

/** The table's first line. */
export const ENTITY_HEADER = `${ENTITY_COLUMNS.join()}\r\n`;

/** A document's rows; `number` counts from 1. */
export function entityRows(
  number: number,
  text: string,
  entities: readonly (Span & { readonly score?: number })[],
): string {
  const own = entities.map(({ type, start, end, score }) => [
    type,
    text.slice(start, end),
    start,
    end,
    score ?? "",
  ]);
  return (own.length > 0 ? own : [["", "", "", "", ""]])
    .map((fields) => [number, text, ...fields].map(cell).join() + "\r\n").join("");
}

/** A document's entities, from a row: undefined for a row without one. Throws {@link FormatError} `data/span`. */
export function spanOf(
  cells: Readonly<Record<string, string>>,
  where: string,
): Span | undefined {
  const { text, type, entity, start, end } = cells as Record<string, string>;
  if ([type, entity, start, end].every((field) => field === "")) return undefined;
  const from = Number(start), to = Number(end);
  const whole = /^\d+$/.test(start!) && /^\d+$/.test(end!) && from < to;
  if (type !== "" && whole && text!.slice(from, to) === entity) {
    return { type: type!, start: from, end: to };
  }
  throw new FormatError(
    "data/span",
    `${where}: no type, or ${start}..${end} does not select ${
      JSON.stringify(entity)
    }; offsets count UTF-16 code units.`,
  );
}
