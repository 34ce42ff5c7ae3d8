/**
 * Lists of terms: names of medicines, of diseases, one a line.
 *
 * A line with tabs is a row of a table whose last column is the term (`DOID:0040058<TAB>...`, `napa<TAB>নাপা`).
 *
 * @module
 */
import { InputError } from "../errors.ts";
import { linesOf } from "./text.ts";

/**
 * The terms of a list, each once, in its order, without white space around. Throws {@link InputError} `input/data` for a
 * list without one.
 */
export function readTerms(content: string, name: string): string[] {
  const terms = linesOf(content).map((line) => line.split("\t").at(-1)!.trim());
  const distinct = new Set(terms.filter((term) => term !== ""));
  if (distinct.size > 0) return [...distinct];
  throw new InputError("input/data", `${name}: holds no term; expected one a line.`);
}
