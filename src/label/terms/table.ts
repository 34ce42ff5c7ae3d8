/**
 * Terms from a table: CSV (RFC 4180), or TSV, whose cells hold neither tabs nor line ends and are quoted by nothing.
 *
 * @module
 */
import { parse } from "npm:csv-parse@7.0.3/sync";
import { InputError, show } from "../../errors.ts";
import { type Lines, malformed, numbered, type Terms } from "./lines.ts";

/** Where in a table the terms are. */
export interface TableOptions {
  /** What separates cells; default a tab. */
  readonly separator?: "tab" | "comma" | undefined;
  /** Column of the terms: its number from 1, or its name in the table's first row. Default: the last column, no header. */
  readonly column?: number | string | undefined;
  /** The type of all terms, or `typeColumn`. */
  readonly type?: string | undefined;
  /** Column of the types, as `column`. */
  readonly typeColumn?: number | string | undefined;
  /** What separates several terms in a cell: `a + b`, `a; b`. Default: nothing does. */
  readonly split?: string | undefined;
}

/**
 * Reads a table. Throws {@link InputError} `input/option` unless one of `type` and `typeColumn` is given,
 * `FormatError` `label/terms` for a line that is no row or lacks a column.
 */
export async function* readTable(lines: Lines, name: string, options: TableOptions): Terms {
  if ((options.type === undefined) === (options.typeColumn === undefined)) {
    throw new InputError(
      "input/option",
      `${name}: a table of terms needs a type, or the column of the types, and not both.`,
    );
  }
  const { column = -1, typeColumn } = options;
  const hasHeader = typeof column === "string" || typeof typeColumn === "string";
  let header: readonly string[] | undefined;
  for await (const { cells, number } of rows(lines, name, options.separator ?? "tab")) {
    if (hasHeader && header === undefined) {
      header = cells;
      continue;
    }
    const cell = (wanted: number | string): string => {
      const at = typeof wanted === "number" ? wanted - 1 : header!.indexOf(wanted);
      const value = wanted === -1 ? cells.at(-1) : cells[at];
      if (value !== undefined) return value;
      throw malformed(name, number, `there is no column ${show(wanted)} among ${cells.length}.`);
    };
    const type = options.type ?? cell(typeColumn!).trim();
    if (type === "") throw malformed(name, number, "the type is empty.");
    const whole = cell(column);
    const texts = options.split === undefined ? [whole] : whole.split(options.split);
    for (const text of texts) if (text.trim() !== "") yield { text: text.trim(), type };
  }
}

interface Row {
  readonly cells: readonly string[];
  readonly number: number;
}

async function* rows(lines: Lines, name: string, separator: "tab" | "comma"): AsyncGenerator<Row> {
  // A quoted cell may go on over lines: then there is no row before its end.
  let open = "", first = 0;
  for await (const [line, number] of numbered(lines)) {
    if (separator === "tab") {
      if (line.trim() !== "") yield { cells: line.split("\t"), number };
      continue;
    }
    if (open === "") first = number;
    open += open === "" ? line : `\n${line}`;
    if ((open.split('"').length - 1) % 2 === 1) continue;
    if (open.trim() !== "") yield { cells: parseRow(open, name, first), number: first };
    open = "";
  }
  if (open !== "") throw malformed(name, first, "a quoted cell does not end.");
}

function parseRow(row: string, name: string, number: number): string[] {
  try {
    return (parse(row, { relax_column_count: true }) as string[][])[0] ?? [];
  } catch (error) {
    throw malformed(name, number, `is not CSV (${(error as Error).message}).`);
  }
}
