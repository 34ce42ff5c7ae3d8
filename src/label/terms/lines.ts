/**
 * Lists of terms as lines, from wherever they come: SNOMED's description file has hundreds of megabytes, so no reader
 * here asks for all of it at once.
 *
 * @module
 */
import { FormatError } from "../../errors.ts";
import type { Term } from "../term_index.ts";

/** Lines without their ends. */
export type Lines = Iterable<string> | AsyncIterable<string>;

/** Terms as they are read. */
export type Terms = AsyncGenerator<Term, void, undefined>;

/** Lines with their numbers, from 1; a byte order mark is dropped. */
export async function* numbered(lines: Lines): AsyncGenerator<[line: string, number: number]> {
  let number = 0;
  for await (const line of lines) {
    yield [number++ === 0 ? line.replace(/^\uFEFF/, "") : line, number];
  }
}

/** An error that names file and line. */
export function malformed(name: string, number: number, message: string): FormatError {
  return new FormatError("label/terms", `${name}, line ${number}: ${message}`);
}
