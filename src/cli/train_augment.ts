/**
 * Options of `edge-ner train` on how the texts of each epoch differ from the data.
 *
 * @module
 */
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { AugmentOptions, LexiconOptions, PartialCorpus } from "../../train.ts";
import { PARTIAL_WEIGHT, readTerms } from "../../train.ts";
import { UsageError } from "./errors.ts";
import { readLabelled } from "./labelled.ts";
import { decimal, integer } from "./model.ts";
import { list, parsePair } from "./train_data.ts";
import { readText } from "./text_files.ts";

/** What {@link addAugmentOptions} parses to. */
export interface AugmentArguments extends AugmentOptions {
  readonly names?: readonly TypedFile[];
  readonly also?: readonly string[];
  readonly alsoType?: Readonly<Record<string, string>>;
  readonly alsoTexts?: number;
  readonly alsoWeight: number;
  readonly lexicon?: readonly TypedFile[];
  readonly dictionary?: boolean;
  readonly inflected?: boolean;
}

/** A file whose terms are of one type. */
export interface TypedFile {
  readonly type: string;
  readonly path: string;
}

/** `TYPE=FILE`, added to those before. */
export function parseTypedFile(value: string, before: readonly TypedFile[] = []): TypedFile[] {
  const at = value.indexOf("=");
  if (at < 1 || at === value.length - 1) throw new InvalidArgumentError("Expected TYPE=FILE.");
  return [...before, { type: value.slice(0, at), path: value.slice(at + 1) }];
}

/** Adds the options. */
export function addAugmentOptions(command: Command): Command {
  return command
    .option("--exchange <x>", "share of texts whose entities are exchanged", decimal(0, 1))
    .option(
      "--names <type=file>",
      "further names to exchange entities for, one a line; repeatable",
      parseTypedFile,
    )
    .option("--mask <x>", "share of tokens masked, in 70 % of the texts", decimal(0, 1))
    .option("--resplit <x>", "share of words cut into other pieces", decimal(0, 1))
    .option("--join <x>", "share of texts that others are joined to", decimal(0, 1))
    .option("--also <file>", "a further corpus, which knows some of the types; repeatable", list)
    .option("--also-type <theirs=ours>", "a type of theirs that is ours; repeatable", parsePair)
    .option("--also-texts <n>", "texts of each in an epoch (default: all)", integer(1, 1e9))
    .option(
      "--lexicon <type=file>",
      "a list of terms that the model carries, one a line; repeatable",
      parseTypedFile,
    )
    .option("--dictionary", "let the model carry a dictionary of the data's own entities")
    .option("--inflected", "let a term end inside a word")
    .option("--also-weight <x>", "factor on their loss", decimal(1e-6, 1e6), PARTIAL_WEIGHT);
}

/** The lexicons that the model is to have; undefined: none. */
export function readLexicons(
  { lexicon = [], dictionary = false, inflected = false }: AugmentArguments,
): LexiconOptions | undefined {
  if (lexicon.length === 0 && !dictionary) {
    if (inflected) throw new UsageError("--inflected is for --lexicon and --dictionary");
    return undefined;
  }
  const lists = lexicon.map(({ type, path }) => ({ type, terms: readTerms(readText(path), path) }));
  return { lists, dictionary, inflected };
}

/** The further corpora; a type that does not occur in one is not looked for in it. */
export function readFurther(options: AugmentArguments): PartialCorpus[] {
  const { also = [], alsoType = {}, alsoTexts, alsoWeight } = options;
  if (also.length > 0 && Object.keys(alsoType).length === 0) {
    throw new UsageError("--also needs --also-type: which of its types are ours");
  }
  return also.map((path) => {
    const texts = readLabelled(path);
    return { texts, types: alsoType, perEpoch: alsoTexts, weight: alsoWeight };
  });
}

/** The names of all files by type. */
export function readNames(files: readonly TypedFile[]): Record<string, string[]> {
  const names = new Map<string, string[]>();
  for (const { type, path } of files) {
    names.set(type, [...names.get(type) ?? [], ...readTerms(readText(path), path)]);
  }
  return Object.fromEntries(names);
}
