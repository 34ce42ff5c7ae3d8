/**
 * A file of labelled texts by its kind, which its name tells.
 *
 * @module
 */
import { InputError, show } from "../errors.ts";
import { type ColumnOptions, readColumns } from "./columns.ts";
import { readBrat } from "./brat.ts";
import { readConll } from "./conll.ts";
import type { LabelledTexts } from "./text.ts";
import { readJsonLines } from "./jsonl.ts";

/** Kinds of files. */
export const DATA_FORMATS = ["jsonl", "conll", "csv", "brat"] as const;

/** How a file is read. */
export interface ReadOptions extends ColumnOptions {
  /** Its kind; told from its name where it is not given. */
  readonly format?: typeof DATA_FORMATS[number] | undefined;
  /** Of `brat`, which is two files: the text that the entities are of, and its name. */
  readonly beside?: { readonly content: string; readonly name: string } | undefined;
}

const KINDS: Readonly<Record<string, typeof DATA_FORMATS[number]>> = {
  jsonl: "jsonl",
  ndjson: "jsonl",
  conll: "conll",
  tsv: "conll",
  bio: "conll",
  iob: "conll",
  iob2: "conll",
  txt: "conll",
  csv: "csv",
  ann: "brat",
};

/** The kind of a file that its name tells, perhaps with `.gz` behind; undefined where it tells none. */
export function dataFormatOf(name: string): typeof DATA_FORMATS[number] | undefined {
  const ending = name.replace(/\.gz$/i, "").match(/\.([^./\\]+)$/)?.[1]?.toLowerCase() ?? "";
  return Object.hasOwn(KINDS, ending) ? KINDS[ending] : undefined;
}

/**
 * Reads labelled texts: JSON lines with spans, a token and its tag a line, a table with lists of entities or one a row,
 * or brat's two files.
 * `content` is the file's text, unpacked; `name` its name, by which messages call it.
 *
 * Throws {@link InputError} `input/format` for a name that tells no kind, `input/column` for a group in a kind that
 * has no fields, `input/data` for a file without a single text; and what the readers throw, naming file and line.
 */
export function readTexts(content: string, name: string, options: ReadOptions = {}): LabelledTexts {
  const format = options.format ?? dataFormatOf(name);
  if (format === undefined) {
    throw new InputError(
      "input/format",
      `${name}: the name does not tell what the file holds; expected .jsonl (spans), .tsv or .conll ` +
        "(a token and its tag a line), .csv (lists of entities, or one a row) or .ann (brat), or a format that says it.",
    );
  }
  const { beside } = options;
  if (format === "brat" && beside === undefined) {
    throw new InputError("input/data", `${name}: brat's entities need the text beside them.`);
  }
  if ((format === "conll" || format === "brat") && options.group !== undefined) {
    throw new InputError(
      "input/column",
      `${name}: tokens and tags have no column ${show(options.group)} to group by.`,
    );
  }
  const read = format === "jsonl"
    ? readJsonLines(content, name, options.group)
    : format === "conll"
    ? readConll(content, name)
    : format === "brat"
    ? readBrat(content, beside!.content, name, beside!.name)
    : readColumns(content, name, options);
  if (read.texts.length > 0) return read;
  throw new InputError("input/data", `${name}: holds no text.`);
}
