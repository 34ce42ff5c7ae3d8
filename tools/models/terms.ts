/**
 * Lists of terms, from tables and from the entities of corpora.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { LabelledText } from "../../train.ts";
import type { Source, TermList } from "./descriptions.ts";
import type { PythonRandom } from "./mersenne.ts";

/** Terms of fewer characters are in too many words to say anything. */
const SHORTEST = 3;

/** What lists are made from. */
export interface TermData {
  /** The data folder. */
  readonly folder: string;
  /** Learnt texts of further corpora, with the corpus' own types; those that are left out are not there. */
  readonly corpora: ReadonlyMap<string, readonly LabelledText[]>;
  /** Names that are kept from lists. */
  readonly reserved: readonly string[];
}

const length = (term: string): number => [...term].length;

/** By code points, as Python sorts. */
export function byCodePoints(a: string, b: string): number {
  const left = [...a], right = [...b];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** The last column of a table of tab-separated values, in the file's order. */
export function columnOf(folder: string, path: string): string[] {
  return readFileSync(join(folder, path), "utf8").split(/\r?\n/).filter((line) => line !== "")
    .map((line) => line.split("\t").at(-1)!);
}

/** The surfaces of these types, each once. */
function surfaces(texts: readonly LabelledText[], types: readonly string[]): string[] {
  const found = new Set<string>();
  for (const { text, entities } of texts) {
    for (const { type, start, end } of entities) {
      if (types.includes(type)) found.add(text.slice(start, end));
    }
  }
  return [...found];
}

/** The terms of a source; undefined where its corpus is left out. */
function termsOf(source: Source, data: TermData, random: PythonRandom): string[] | undefined {
  const { column, entities, cut, shortest = SHORTEST, longest = Infinity } = source;
  const { mostWords = Infinity, unreserved = false, sample } = source;
  const texts = entities && data.corpora.get(entities.corpus);
  if (entities && !texts) return undefined;
  const all = entities ? surfaces(texts!, entities.types) : columnOf(data.folder, column!);
  const terms = (cut ? [...new Set(all.flatMap((one) => one.split(cut)))] : all)
    .map((term) => term.trim())
    .filter((term) =>
      length(term) >= shortest && length(term) <= longest &&
      term.split(/\s+/).length <= mostWords &&
      !(unreserved && data.reserved.some((name) => term.includes(name)))
    );
  if (sample === undefined) return terms;
  // A table has an order of its own; sets get one.
  return random.sample(entities || cut ? [...new Set(terms)].sort(byCodePoints) : terms, sample);
}

/** The terms of a list, each once, in the order of code points; undefined where all its corpora are left out. */
export function listTerms(
  { from }: TermList,
  data: TermData,
  random: PythonRandom,
): string[] | undefined {
  const parts = from.map((source) => termsOf(source, data, random));
  if (parts.every((part) => part === undefined)) return undefined;
  return [...new Set(parts.flatMap((part) => part ?? []))].sort(byCodePoints);
}

/** About half of a list's terms, told by their letters, of those that no text holds. */
export function reservedTerms(terms: readonly string[], texts: readonly LabelledText[]): string[] {
  const half = new Set(terms.filter((term) => length(term) >= SHORTEST && crc32(term) % 2 === 0));
  return [...half].filter((term) => !texts.some(({ text }) => text.includes(term)))
    .sort(byCodePoints);
}
