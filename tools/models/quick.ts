/**
 * A description at a size of seconds, and a data folder for it of made-up text: to see that all stages run.
 *
 * The corpora have the form of the real ones, file by file, so that each reader is used; what the sentences are of is told in
 * `../reproduce/synthetic.ts`. Scores say nothing about any language.
 *
 * @module
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { makeNames, makeSentences, type Names, type Sentence } from "../reproduce/synthetic.ts";
import { words } from "../reproduce/words.ts";
import type { Description } from "./descriptions.ts";

/** How many sentences a corpus has. */
const SENTENCES = 160;

/** Types of made-up sentences, in the order in which a model's own are taken from. */
const MADE_UP = ["MED", "DIS", "ORG"] as const;

/** A small model of the same description. Its data are made in `folder`, unless they are there. */
export function madeUp(model: Description, folder: string): Description {
  makeCorpora(folder, model);
  const small = (lists: Description["names"]): Description["names"] =>
    lists.map((list) => ({
      ...list,
      from: list.from.map((source) => ({ ...source, ...(source.sample && { sample: 20 }) })),
    }));
  return {
    ...model,
    further: Object.fromEntries(
      Object.entries(model.further).map(([name, one]) => [
        name,
        { ...one, ...(one.held && { held: { ...one.held, count: 20 } }) },
      ]),
    ),
    names: small(model.names),
    ...(model.unlabelled && { unlabelled: { ...model.unlabelled, count: 40 } }),
    starts: Math.min(model.starts, 2),
    ...(model.shifts && {
      shifts: Object.fromEntries(
        MADE_UP.flatMap((type) => model.shifts![type] ? [[type, model.shifts![type]]] : []),
      ),
    }),
    vocabulary: { ...model.vocabulary, options: words("--size 300") },
    encoder: words("--hidden 16 --layers 1 --heads 2 --positions 64"),
    train: words("--epochs 2 --rate 3e-3"),
    distill: words("--epochs 1 --rate 3e-3"),
  };
}

/** Writes all files that a description names. */
function makeCorpora(folder: string, model: Description): void {
  const names = makeNames(1, 60);
  const sentences = (seed: number): Sentence[] => makeSentences(seed, SENTENCES, names);
  const files = new Map<string, string>();
  const { file, types, test } = model.labelled;
  const own = types
    ? Object.keys(types)
    : [...new Set(Object.values(model.further).flatMap((one) => Object.values(one.types)))];
  const write = (path: string, seed: number, labels: readonly string[]): void => {
    const made = sentences(seed);
    files.set(path, path.endsWith(".csv") ? tableText(made, labels) : tagText(made, labels));
  };
  write(file, 2, own);
  if (test) write(test, 3, own);
  const lists = [...model.lexicons, ...model.names, ...model.vocabulary.terms ?? []];
  for (const [i, [name, one]] of Object.entries(model.further).entries()) {
    const listed = lists.flatMap(({ from }) =>
      from.flatMap(({ entities }) => entities?.corpus === name ? entities.types : [])
    );
    write(one.file, 4 + i, [...new Set([...Object.keys(one.types), ...listed])]);
  }
  for (const path of model.vocabulary.texts) {
    files.set(path, sentences(9).map(({ text }) => text + "\n").join(""));
  }
  for (const { type, from } of lists) {
    for (const { column } of from) {
      if (column !== undefined) {
        files.set(column, columnText(names, Math.max(0, own.indexOf(type))));
      }
    }
  }
  for (const [path, content] of files) {
    const full = join(folder, path);
    if (existsSync(full)) continue;
    mkdirSync(dirname(full), { recursive: true });
    rmSync(`${full}.tmp`, { force: true });
    writeFileSync(`${full}.tmp`, path.endsWith(".gz") ? gzipSync(content) : content);
    renameSync(`${full}.tmp`, full);
  }
}

/** A column of names, half of them in no text: some of these are to be asked for. */
function columnText(names: Names, type: number): string {
  const place = MADE_UP[type % MADE_UP.length]!;
  const terms = [...names[place].slice(0, 40), ...makeNames(5, 40)[place]];
  return terms.map((term, i) => `${i}\t${term}\n`).join("");
}

/** The label of a sentence's entity, or undefined: the types are matched up in order. */
function labelOf(type: string, labels: readonly string[]): string | undefined {
  const at = (MADE_UP as readonly string[]).indexOf(type);
  return at < 0 ? undefined : labels[at];
}

/** Lists of entities in columns, as MedER has them. */
function tableText(sentences: readonly Sentence[], columns: readonly string[]): string {
  const row = (cells: readonly string[]): string =>
    cells.map((cell) => `"${cell}"`).join(",") + "\n";
  return row(["Medical Text", ...columns]) +
    sentences.map(({ text, entities }) => {
      const listed = columns.map((column) =>
        entities.filter(({ type }) => labelOf(type, columns) === column)
          .map(({ start, end }) => text.slice(start, end)).join(", ")
      );
      return row([text, ...listed]);
    }).join("");
}

/** A token and its tag a line. */
function tagText(sentences: readonly Sentence[], labels: readonly string[]): string {
  return sentences.map(({ text, entities }) => {
    const lines = [...text.matchAll(/\S+/g)].map(({ 0: word, index }) => {
      const entity = entities.find(({ start, end }) => start <= index && index < end);
      const label = entity && labelOf(entity.type, labels);
      return `${word}\t${label ? `${index === entity!.start ? "B" : "I"}-${label}` : "O"}\n`;
    });
    return lines.join("") + "\n";
  }).join("");
}
