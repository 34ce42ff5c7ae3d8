/**
 * Options of `edge-ner train` on how the texts of each epoch differ from the data.
 *
 * @module
 */
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { AugmentOptions } from "../../train.ts";
import { readTerms } from "../../train.ts";
import { decimal } from "./model.ts";
import { readText } from "./text_files.ts";

/** What {@link addAugmentOptions} parses to. */
export interface AugmentArguments extends AugmentOptions {
  readonly names?: readonly TypedFile[];
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
    .option("--join <x>", "share of texts that others are joined to", decimal(0, 1));
}

/** The names of all files by type. */
export function readNames(files: readonly TypedFile[]): Record<string, string[]> {
  const names = new Map<string, string[]>();
  for (const { type, path } of files) {
    names.set(type, [...names.get(type) ?? [], ...readTerms(readText(path), path)]);
  }
  return Object.fromEntries(names);
}
