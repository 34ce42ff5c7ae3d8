/**
 * An input's documents: lines, each a text as it stands or a JSON object with a text in it; or a file of labelled texts,
 * whose labels are not looked at.
 *
 * @module
 */
import { statSync } from "node:fs";
import { UsageError } from "./errors.ts";
import { readLabelled } from "./labelled.ts";
import type { Line } from "./lines.ts";

/** What a line is. */
export const INPUTS = ["text", "jsonl", "conll", "bio", "csv", "brat"] as const;

/** Those whose lines are documents; the others are read as a whole. */
export type LineInput = "text" | "jsonl";

/**
 * The lines' documents. As JSON lines, `text` is read and nothing else: what `extract` prints, and what annotation tools
 * export, can be read again. Throws {@link UsageError} that names the line for one without a text.
 */
export async function* documentsOf(
  lines: AsyncIterable<Line[]>,
  input: LineInput,
  name: string,
): AsyncGenerator<Line[]> {
  for await (const some of lines) {
    yield input === "text" ? some : some.map((line) => ({
      ...line,
      text: textOf(line.text, `${name}, line ${line.number}`),
    }));
  }
}

function textOf(line: string, where: string): string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new UsageError(`${where}: not JSON (${(error as Error).message})`);
  }
  const text = (value as { text?: unknown } | null)?.text;
  if (typeof text === "string") return text;
  throw new UsageError(`${where}: expected an object with a string "text"`);
}

/** The texts of a file of labelled texts, which is read as a whole. */
export async function* textsOf(
  path: string,
  input: Exclude<typeof INPUTS[number], LineInput>,
): AsyncGenerator<Line[]> {
  if (path === "-") throw new UsageError(`--input ${input} needs a file, not standard input`);
  const format = input === "bio" ? "conll" : input, texts = readLabelled(path, { format });
  const bytes = statSync(path).size / texts.length;
  yield texts.map(({ text }, i) => ({ text, number: i + 1, bytes }));
}
