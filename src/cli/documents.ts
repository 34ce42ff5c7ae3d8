/**
 * Lines of an input to documents: each a text as it stands, or a JSON object with a text in it.
 *
 * @module
 */
import { UsageError } from "./errors.ts";
import type { Line } from "./lines.ts";

/** What a line is. */
export const INPUTS = ["text", "jsonl"] as const;

/**
 * The lines' documents. As JSON lines, `text` is read and nothing else: what `extract` prints, and what annotation tools
 * export, can be read again. Throws {@link UsageError} that names the line for one without a text.
 */
export async function* documentsOf(
  lines: AsyncIterable<Line[]>,
  input: typeof INPUTS[number],
  name: string,
): AsyncGenerator<Line[]> {
  for await (const some of lines) {
    yield input === "text" ? some : some.map(({ text, number }) => ({
      text: textOf(text, `${name}, line ${number}`),
      number,
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
