/**
 * What `extract` prints: a way to write each document, and what goes before and behind all.
 *
 * Control characters of a text steer no terminal and break no line: JSON escapes them, all else shows pictures of them.
 * docs/formats.md has a page of each.
 *
 * @module
 */
import {
  bioOf,
  BratWriter,
  CONLL_COLUMNS,
  conllOf,
  type Entity,
  ENTITY_HEADER,
  entityRows,
  type Reading,
} from "../../mod.ts";
import { HTML_END, HTML_START, htmlOf } from "./html.ts";
import { bracketed, highlighter } from "./highlight.ts";
import { WholeFile } from "./corpus/whole_file.ts";

/** What `--format` names. */
export const OUTPUTS = ["text", "jsonl", "conll", "bio", "csv", "brat", "html"] as const;

/** A format's name. */
export type OutputName = typeof OUTPUTS[number];

/** Writes documents as they come. */
export interface Writer {
  /** What goes before all documents. */
  readonly start: string;
  /** A document; `number` counts from 1. */
  write(text: string, entities: readonly Entity[], number: number): string | Promise<string>;
  /** What goes behind them. */
  readonly end: string;
  /** All is written: files that are made beside what is printed get their names. */
  finish?(): Promise<void>;
  /** Something went wrong: such files go. */
  discard?(): Promise<void>;
}

/** Whether a format is for people, who are to see whole characters. */
export const isForPeople = (name: OutputName): boolean => name === "text" || name === "html";

const plain = (write: Writer["write"], start = "", end = ""): Writer => ({ start, write, end });

/** Characters that JSON need not escape, and that terminals obey or take for a line's end. */
const UNESCAPED = /[\x7f-\x9f\u2028\u2029]/g;

/** Fields are listed so that their order is part of the format. */
const listed = ({ type, text, start, end, score }: Entity): Entity => ({
  type,
  text,
  start,
  end,
  score,
});

/** One object in one line. */
function lineOf(value: object): string {
  const escape = (c: string): string => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replace(UNESCAPED, escape) + "\n";
}

/** A document as JSON. */
const jsonOf = (text: string, entities: readonly Entity[]): string =>
  lineOf({ text, entities: entities.map(listed) });

/** A document with its most probable readings as JSON. */
export function readingsOf(text: string, readings: readonly Reading[]): string {
  const own = readings.map(({ probability, entities }) => ({
    probability,
    entities: entities.map(listed),
  }));
  return lineOf({ text, readings: own });
}

/** brat's two files; nothing is printed. */
async function bratWriter(base: string): Promise<Writer> {
  const own = new BratWriter(), texts = await WholeFile.create(`${base}.txt`);
  const ann = await WholeFile.create(`${base}.ann`).catch(async (error) => {
    await texts.discard();
    throw error;
  });
  return {
    start: "",
    async write(text, entities, number) {
      const lines = own.add(text, entities, `document ${number}`);
      await texts.write(lines.text);
      await ann.write(lines.ann);
      return "";
    },
    end: "",
    async finish() {
      await texts.commit();
      await ann.commit();
    },
    async discard() {
      await texts.discard();
      await ann.discard();
    },
  };
}

/** What writes a format. `base` is for `brat`: the name of its files without their endings. */
export async function writerOf(
  name: OutputName,
  { types, color, base }: {
    readonly types: readonly string[];
    readonly color: boolean;
    readonly base: string | undefined;
  },
): Promise<Writer> {
  const render = color ? highlighter(types) : bracketed;
  switch (name) {
    case "text":
      return plain((text, entities) => render(text, entities) + "\n");
    case "jsonl":
      return plain(jsonOf);
    case "conll":
      return plain((text, found, n) => conllOf(text, found, `document ${n}`), CONLL_COLUMNS);
    case "bio":
      return plain((text, found, n) => bioOf(text, found, `document ${n}`));
    case "csv":
      return plain((text, found, number) => entityRows(number, text, found), ENTITY_HEADER);
    case "html":
      return plain(htmlOf, HTML_START, HTML_END);
    case "brat":
      return await bratWriter(base!);
  }
}
