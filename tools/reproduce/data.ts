/**
 * What a reproduction learns from and is judged by, as files in its folder: made up, or split off from a corpus.
 *
 * | name                                       | content                                          |
 * | ------------------------------------------ | ------------------------------------------------ |
 * | `{train,validation,test}.jsonl`            | labelled texts                                   |
 * | `text.txt.gz`                              | made-up text to pretrain on; else it stays where it is |
 * | `unlabelled.txt`                           | text that teachers label                         |
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { readTexts, splitTexts } from "../../train.ts";
import { jsonl, Refusal, textIn, writeWhole } from "./files.ts";
import { makeNames, makeSentences } from "./synthetic.ts";

/** Types of MedER's columns, as the paper calls them. */
export const MEDER = {
  "Medicine\\ Chemical Name": "MED",
  "Organ": "ORG",
  "Disease": "DIS",
  "Hormone": "HOR",
  "Pharmacological Class": "PHA",
  "Common Medical Terms": "CMT",
} as const;

/** How much is made up. */
export interface SyntheticSizes {
  readonly train: number;
  readonly validation: number;
  readonly test: number;
  readonly text: number;
  readonly unlabelled: number;
}

/** Made-up data; half of the names in the test texts occur nowhere else but in plain text. */
export function makeData(folder: string, sizes: SyntheticSizes): void {
  if (existsSync(folder)) return;
  const known = makeNames(1, 40), other = makeNames(2, 40);
  const all = {
    MED: [...known.MED, ...other.MED],
    DIS: [...known.DIS, ...other.DIS],
    ORG: [...known.ORG, ...other.ORG],
  };
  const plain = (seed: number, count: number): string =>
    makeSentences(seed, count, all).map(({ text }) => text + "\n").join("");
  writeWhole(folder, {
    "train.jsonl": jsonl(makeSentences(3, sizes.train, known)),
    "validation.jsonl": jsonl(makeSentences(4, sizes.validation, all)),
    "test.jsonl": jsonl(makeSentences(5, sizes.test, all)),
    "text.txt.gz": gzipSync(plain(6, sizes.text)),
    "unlabelled.txt": plain(7, sizes.unlabelled),
  });
}

/** A corpus of labelled texts and a folder of plain text. */
export interface Corpus {
  /** A file of labelled texts, or the folder of three that are split already. */
  readonly labelled: string;
  /** Folder of plain text. */
  readonly text: string;
}

/**
 * The data of a folder: `train.jsonl`, `validation.jsonl` and `test.jsonl`, or MedER's table (`MedER*.csv`, there or in
 * `meder/`), and plain text in `text/` or `bangla_text/`. Throws an Error that says what is missing.
 */
export function findCorpus(folder: string): Corpus {
  const text = ["text", "bangla_text"].map((name) => join(folder, name)).find(existsSync);
  if (text === undefined) {
    throw new Refusal(`${folder}: has no folder text/ of plain text (.txt, .txt.gz)`);
  }
  if (["train", "validation", "test"].every((name) => existsSync(join(folder, `${name}.jsonl`)))) {
    return { labelled: folder, text };
  }
  for (const place of [folder, join(folder, "meder")]) {
    const table = existsSync(place)
      ? readdirSync(place).find((name) => /^MedER.*\.csv$/i.test(name))
      : undefined;
    if (table !== undefined) return { labelled: join(place, table), text };
  }
  throw new Refusal(
    `${folder}: has neither train.jsonl, validation.jsonl and test.jsonl nor MedER's table (MedER*.csv)`,
  );
}

/** Splits a corpus' labelled texts, a tenth each held out; and takes text for teachers to label. */
export function splitData(folder: string, { labelled, text }: Corpus, unlabelled: number): void {
  if (existsSync(folder)) return;
  const files: Record<string, string> = {};
  if (/\.csv$/i.test(labelled)) {
    const { texts } = readTexts(readFileSync(labelled, "utf8"), labelled, { types: MEDER });
    for (const [name, part] of Object.entries(splitTexts(texts, { seed: 1 }))) {
      files[`${name}.jsonl`] = jsonl(part);
    }
  } else {
    for (const name of ["train", "validation", "test"]) {
      files[`${name}.jsonl`] = readFileSync(join(labelled, `${name}.jsonl`), "utf8");
    }
  }
  writeWhole(folder, { ...files, "unlabelled.txt": someLines(text, unlabelled) });
}

/** The first file of a folder of plain text. */
export function firstText(folder: string): string {
  const [name] = readdirSync(folder).filter((one) => /\.txt(\.gz)?$/i.test(one)).sort();
  if (name === undefined) throw new Refusal(`${folder}: has no .txt or .txt.gz file`);
  return join(folder, name);
}

/** The first lines of the first file of a folder, short enough for one sequence. */
function someLines(folder: string, count: number): string {
  const lines = textIn(firstText(folder)).split("\n").filter((line) =>
    line.length > 40 && line.length < 400
  );
  return lines.slice(0, count).map((line) => line + "\n").join("");
}
