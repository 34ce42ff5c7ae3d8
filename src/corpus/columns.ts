/**
 * Labelled texts as a table: a text in one column, lists of entities in others, without offsets. MedER's form.
 *
 *     Medical Text,Organ,Disease
 *     "চোখের রোগ, জ্বর নয়","চোখ","রোগ, জ্বর"
 *
 * Every listed entity is searched in its row's text, longest first, and every occurrence that overlaps none found
 * before becomes a span: the mapping of arXiv 2605.25463. Of two of one length, the earlier column's comes first, then
 * the lower code points'. Rows that repeat an earlier one in every column are left out.
 *
 * Weak: an entity that is inflected in the text is found only as far as its stem reads the same, an entity that the
 * text spells otherwise not at all (the share found is reported), and a short one is found inside other words.
 *
 * @module
 */
import { parse } from "npm:csv-parse@7.0.3/sync";
import { FormatError, InputError, show } from "../errors.ts";
import type { Span } from "../eval/spans.ts";
import { ENTITY_COLUMNS, spanOf } from "./rows.ts";
import { inOrder, type LabelledText, type LabelledTexts } from "./text.ts";

/** What the columns of a table are. */
export interface ColumnOptions {
  /** Header of the column with the texts. Default: the first column. */
  readonly text?: string | undefined;
  /**
   * Types by the header of the column that lists their entities. Default: every column but that of the texts and
   * the group's is a type by the name of its header.
   */
  readonly types?: Readonly<Record<string, string>> | undefined;
  /**
   * Header of a column by which a split may keep rows together: the first of its comma-separated values counts. A
   * row with none is a group of its own.
   */
  readonly group?: string | undefined;
}

/** A row by its column's headers, and the line on which it begins. */
interface Row {
  readonly cells: Readonly<Record<string, string>>;
  readonly line: number;
}

const items = (cell: string): string[] =>
  cell.split(",").map((s) => s.trim()).filter((s) => s !== "");

/** Reads a table that has an entity in each row (`rows.ts`). */
function readRows(rows: readonly Row[], name: string): LabelledTexts {
  const documents = new Map<string, { text: string; entities: Span[]; where: string }>();
  for (const { cells, line } of rows) {
    const where = `${name}, line ${line}`, text = cells["text"]!, key = cells["document"]!;
    const known = documents.get(key) ?? { text, entities: [], where };
    if (known.text !== text) {
      throw new FormatError(
        "data/table",
        `${where}: document ${show(key)} has another text before.`,
      );
    }
    documents.set(key, known);
    const span = spanOf(cells, where);
    if (span) known.entities.push(span);
  }
  const texts = Array.from(documents.values(), ({ text, entities, where }) => ({
    text,
    entities: inOrder(entities, text, where),
    where,
  }));
  return { texts, warnings: [] };
}

/**
 * Reads a table of comma-separated values (RFC 4180) with a header: lists of entities, or an entity in each row as
 * `rows.ts` writes them, which the header tells.
 *
 * Throws {@link FormatError} `data/table` for a file that is no such table, naming the line, {@link InputError}
 * `input/column` for an option that names a column that is not there.
 */
export function readColumns(
  content: string,
  name: string,
  options: ColumnOptions = {},
): LabelledTexts {
  const { header, rows } = tableOf(content, name);
  if (header.join() === ENTITY_COLUMNS.join()) return readRows(rows, name);
  const column = (wanted: string): string => {
    const found = header.find((one) => one.trim() === wanted.trim());
    if (found !== undefined) return found;
    throw new InputError(
      "input/column",
      `${name}: there is no column ${show(wanted)}; its columns are ${
        header.map(show).join(", ")
      }.`,
    );
  };
  const text = options.text === undefined ? header[0]! : column(options.text);
  const group = options.group === undefined ? undefined : column(options.group);
  const listed = options.types === undefined
    ? header.filter((one) => one !== text && one !== group).map((one) => [one, one.trim()] as const)
    : Object.entries(options.types).map(([one, type]) => [column(one), type] as const);
  const counts = new Map(listed.map(([, type]) => [type, { listed: 0, found: 0 }]));
  const seen = new Set<string>(), texts: LabelledText[] = [];
  let repeated = 0;
  for (const { cells, line } of rows) {
    const own = cells[text]!;
    if (own.trim() === "") continue;
    const key = JSON.stringify([own.trim(), ...listed.map(([one]) => cells[one]!.trim())]);
    if (seen.has(key)) repeated++;
    if (seen.has(key)) continue;
    seen.add(key);
    const entities = listed.flatMap(([one, type]) =>
      items(cells[one]!).map((surface) => ({ surface, type }))
    );
    for (const { surface, type } of entities) {
      const count = counts.get(type)!;
      count.listed++;
      if (own.includes(surface)) count.found++;
    }
    texts.push({
      text: own,
      entities: findEntities(own, entities, [...counts.keys()]),
      where: `${name}, line ${line}`,
      group: group === undefined ? undefined : items(cells[group]!)[0],
    });
  }
  const shares = [...counts].filter(([, { listed, found }]) => found < listed)
    .map(([type, { listed, found }]) => `${type} ${found} of ${listed}`);
  return {
    texts,
    warnings: [
      ...repeated > 0 ? [`${name}: ${repeated} rows repeat an earlier one and are left out`] : [],
      ...shares.length > 0
        ? [`${name}: listed entities found in their texts: ${shares.join(", ")}`]
        : [],
    ],
  };
}

function tableOf(content: string, name: string): { header: string[]; rows: Row[] } {
  let records: { record: string[]; info: { lines: number } }[];
  try {
    // One record of the parser is typed as its plain output; `info` gives each with its place.
    records = parse(content, { bom: true, info: true, skip_empty_lines: true }) as never;
  } catch (error) {
    const { message, lines } = error as Error & { lines?: number };
    const where = lines === undefined ? name : `${name}, line ${lines}`;
    throw new FormatError("data/table", `${where}: ${message}`, { cause: error });
  }
  const [first, ...others] = records;
  if (first === undefined || first.record.length < 2) {
    throw new FormatError(
      "data/table",
      `${name}: expected a header and at least two columns, separated by commas.`,
    );
  }
  const header = first.record, double = header.find((one, i) => header.indexOf(one) !== i);
  if (double !== undefined) {
    throw new FormatError("data/table", `${name}: two columns are called ${show(double)}.`);
  }
  // The parser counts the lines that it has read, so a record begins one behind the last one's end.
  let line = first.info.lines + 1;
  const rows = others.map(({ record, info }): Row => {
    const row = { cells: Object.fromEntries(header.map((one, i) => [one, record[i]!])), line };
    line = info.lines + 1;
    return row;
  });
  return { header, rows };
}

/** Spans of listed entities by longest-first search; of one length, by the order of types, then of code points. */
export function findEntities(
  text: string,
  entities: readonly { readonly surface: string; readonly type: string }[],
  types: readonly string[],
): Span[] {
  const length = (surface: string): number => [...surface].length;
  const order = entities.toSorted((a, b) =>
    length(b.surface) - length(a.surface) || types.indexOf(a.type) - types.indexOf(b.type) ||
    (a.surface < b.surface ? -1 : a.surface > b.surface ? 1 : 0)
  );
  const taken = new Uint8Array(text.length), spans: Span[] = [];
  for (const { surface, type } of order) {
    for (let at = text.indexOf(surface); at >= 0; at = text.indexOf(surface, at + 1)) {
      const end = at + surface.length;
      if (taken.subarray(at, end).includes(1)) continue;
      taken.fill(1, at, end);
      spans.push({ type, start: at, end });
    }
  }
  return spans.sort((a, b) => a.start - b.start);
}
