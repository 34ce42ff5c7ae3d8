/**
 * Options of commands that take a user's own terms: lists of names, one a line (docs/lexicons.md).
 *
 * @module
 */
import type { Command } from "commander";
import type { TermOptions } from "../../mod.ts";
import { readTerms } from "../../train.ts";
import { decimal } from "./model.ts";
import { readText } from "./text_files.ts";
import { parseTypedFile, type TypedFile } from "./train_augment.ts";

/** What {@link addTermOptions} parses to. */
export interface TermArguments {
  readonly lexicon?: readonly TypedFile[];
  readonly weight?: number;
  readonly always?: readonly TypedFile[];
  readonly never?: readonly string[];
}

/** Adds the options. */
export function addTermOptions(command: Command): Command {
  return command
    .option(
      "--lexicon <type=file>",
      "terms that are probably of a type, one a line; repeatable",
      parseTypedFile,
    )
    .option(
      "--weight <x>",
      "how much they count: odds times e^x at each token (default: 2)",
      decimal(-40, 40),
    )
    .option(
      "--always <type=file>",
      "terms that are entities wherever they stand, one a line; repeatable",
      parseTypedFile,
    )
    .option(
      "--never <file>",
      "what no entity is, one a line; repeatable",
      (path: string, paths: readonly string[] = []) => [...paths, path],
    );
}

/** The terms of all files; undefined where none are named. */
export function readTermOptions(
  { lexicon, weight, always, never }: TermArguments,
): TermOptions | undefined {
  if (!lexicon && !always && !never) return undefined;
  const termsOf = (path: string): string[] => readTerms(readText(path), path);
  const listOf = ({ type, path }: TypedFile) => ({ type, terms: termsOf(path) });
  return {
    ...(lexicon && { lexicon: lexicon.map((file) => ({ ...listOf(file), weight })) }),
    ...(always && { always: always.map(listOf) }),
    ...(never && { never: never.flatMap(termsOf) }),
  };
}
