/**
 * The data of `edge-ner train`: which files, how they are read and split, and what no model can say of them.
 *
 * @module
 */
import type { Command } from "commander";
import { InvalidArgumentError, Option } from "commander";
import { DATA_FORMATS, Labeller, reachOf, splitTexts } from "../../train.ts";
import type { LabelledText, ReadOptions, Split, Tokenizer } from "../../train.ts";
import { UsageError } from "./errors.ts";
import { readLabelled } from "./labelled.ts";
import { decimal, integer } from "./model.ts";
import { complain } from "./output.ts";

/** What {@link addDataOptions} parses to. */
export interface DataOptions {
  readonly data: readonly string[];
  readonly validation?: readonly string[];
  readonly test?: readonly string[];
  readonly format?: ReadOptions["format"];
  readonly text?: string;
  readonly type?: Readonly<Record<string, string>>;
  readonly group?: string;
  readonly validationShare: number;
  readonly testShare: number;
  readonly splitSeed: number;
}

/** `COLUMN=TYPE`, more of them added to those before. */
export function parsePair(
  value: string,
  before: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const at = value.lastIndexOf("=");
  if (at < 1 || at === value.length - 1) throw new InvalidArgumentError("Expected NAME=TYPE.");
  return { ...before, [value.slice(0, at)]: value.slice(at + 1) };
}

/** An option that may be given many times. */
export const list = (value: string, values: readonly string[] = []): string[] => [...values, value];

/** Adds the options about data. */
export function addDataOptions(command: Command): Command {
  return command
    .requiredOption("--data <file>", "labelled texts; repeatable", list)
    .option("--validation <file>", "texts to choose the best epoch by; repeatable", list)
    .option("--test <file>", "texts for the last report; repeatable", list)
    .addOption(new Option("--format <name>", "kind of the files").choices(DATA_FORMATS))
    .option("--text <column>", "a table's column of texts (default: the first)")
    .option("--type <column=type>", "a table's column of entities; repeatable", parsePair)
    .option("--group <field>", "field or column whose texts stay on one side of a split")
    .option("--validation-share <x>", "share held out for validation", decimal(0, 0.9), 0.1)
    .option("--test-share <x>", "share held out for the last report", decimal(0, 0.9), 0.1)
    .option("--split-seed <n>", "decides which texts are held out", integer(0, 2 ** 32 - 1), 1);
}

/** Reads and splits. What is given as a file of its own is not split off. */
export function readData(options: DataOptions): Split {
  const { format, text, type: types, group } = options;
  const read = (paths: readonly string[]): LabelledText[] =>
    paths.flatMap((path) => readLabelled(path, { format, text, types, group }));
  const { validation, test } = options;
  const split = splitTexts(read(options.data), {
    seed: options.splitSeed,
    validation: validation ? 0 : options.validationShare,
    test: test ? 0 : options.testShare,
  });
  const parts = {
    train: split.train,
    validation: validation ? read(validation) : split.validation,
    test: test ? read(test) : split.test,
  };
  const seen = new Set(parts.train.map(({ text }) => text));
  const repeated = [...parts.validation, ...parts.test].filter(({ text }) => seen.has(text));
  if (repeated.length > 0) {
    complain(
      `warning: ${repeated.length} held-out texts are training texts, too (the first: ` +
        `${repeated[0].where}); scores on them say little`,
    );
  }
  const size = (texts: readonly LabelledText[]): string =>
    `${texts.length.toLocaleString("en")} texts with ` +
    texts.reduce((sum, { entities }) => sum + entities.length, 0).toLocaleString("en") +
    " entities";
  complain(
    `${size(parts.train)} to learn from, ${size(parts.validation)} for validation, ` +
      `${size(parts.test)} for the report`,
  );
  return parts;
}

/** Says, before any time is spent, what no labels of these tokens can say. */
export function reportReach(
  texts: readonly LabelledText[],
  tokenizer: Tokenizer,
  labels: readonly string[],
): void {
  const { ceiling, moved, lost, samples } = reachOf(texts, tokenizer, new Labeller(labels));
  const { support, f1 } = ceiling.micro;
  if (support === 0) throw new UsageError("the data have no entity: there is nothing to learn");
  if (moved + lost === 0) return;
  complain(
    `warning: of ${
      support.toLocaleString("en")
    } entities, ${moved} begin or end within a token and ${lost} have ` +
      `no token of their own: no model with this tokenizer scores above ${
        (100 * f1).toFixed(2)
      } F1`,
  );
  for (const { entity, where, gold, nearest } of samples.slice(0, 6)) {
    const what = nearest === "" ? "nothing says it" : `the nearest is ${JSON.stringify(nearest)}`;
    complain(`  ${where}: ${JSON.stringify(gold)} (${entity.type}): ${what}`);
  }
}
