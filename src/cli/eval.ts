/**
 * `edge-ner eval`: strict span scores, of a model on documents whose entities are known, or of tags that another
 * program predicted.
 *
 * @module
 */
import { createReadStream, statSync } from "node:fs";
import { type Command, Option } from "commander";
import {
  calibrationOf,
  confusionMatrix,
  judgeEntities,
  parseGold,
  scoreSpans,
  TAG_SCHEMES,
} from "../../mod.ts";
import type { Entity, Span } from "../../mod.ts";
import { dataFormatOf } from "../../train.ts";
import { UsageError } from "./errors.ts";
import { addRecordOptions, record, type RecordOptions } from "./eval_record.ts";
import { confusionTable, scoreTable } from "./eval_tables.ts";
import { evaluateTags, type TagsOptions } from "./eval_tags.ts";
import { readLines } from "./lines.ts";
import { addModelOptions, decimal, integer, loadModel } from "./model.ts";
import type { ModelOptions } from "./model.ts";
import { complain, print } from "./output.ts";
import { Progress } from "./progress.ts";

interface EvalOptions extends ModelOptions, TagsOptions, RecordOptions {
  readonly format?: "jsonl" | "conll";
  readonly minScore: number;
  readonly batch: number;
}

const HELP = `
A line of the file is {"text": "...", "entities": [{"type": "MED", "start": 0, "end": 12}]}, what
"extract --format jsonl" prints ("spans" and "label" are understood, too); start and end count UTF-16 code units, end exclusive. An entity's own
"text", where given, must be what the offsets select. Blank lines are skipped.

Or it is a token, its gold tag and its predicted tag, a blank line between sentences (CoNLL: .conll, .tsv, .bio, .iob,
.txt; perhaps .gz); no model is loaded then. Columns between the token and the last two are not read. The figures are
those of Python's seqeval, digit for digit: in its default mode, which is conlleval's, or with --mode strict by a
scheme, told from the gold tags' prefixes where --scheme does not say it.

--record appends what "report" makes tables and figures of: scores, size, and the time that a text takes by itself on one
thread.

An entity counts only if type, start and end are all right. Averages run over the types seen
in gold or prediction, as in seqeval; --json has all digits.

Examples:
  edge-ner eval test.jsonl
  edge-ner eval test.jsonl --model ./my-export --backend fp32 --json
  edge-ner eval predictions.conll --mode strict --scheme IOB2`;

/** Options that say something of one kind of file only. */
const OF_DOCUMENTS = [
  "model",
  "backend",
  "threads",
  "unconstrained",
  "allowStripAccents",
  "minScore",
  "batch",
  "record",
  "as",
  "name",
  "seed",
  "ort",
];
const OF_TAGS = ["mode", "scheme"];

/** Defines the command. */
export function evalCommand(program: Command): void {
  const command = program.command("eval")
    .description("score a model on documents with known entities, or predicted tags")
    .argument("<file>", "documents, one JSON object a line, or tokens with gold and predicted tags")
    .addOption(
      new Option("--format <name>", "what the file holds (default: told from its name, or jsonl)")
        .choices(["jsonl", "conll"]),
    )
    .option("--json", "print one JSON object instead of a table")
    .option("--confusion", "also print which types, and which tags, are taken for which")
    .addOption(
      new Option("--mode <name>", "how tags are read (default: default)")
        .choices(["default", "strict"]),
    )
    .addOption(new Option("--scheme <name>", "what strict goes by").choices(TAG_SCHEMES))
    .option(
      "--zero-division <n>",
      "precision or recall where there is nothing to divide by, 0 or 1",
      integer(0, 1),
      0,
    )
    .option("--min-score <x>", "leave out predictions below this score", decimal(0, 1), 0)
    .option("--batch <n>", "documents that go through the model together", integer(1, 4096), 32)
    .addHelpText("after", HELP);
  addRecordOptions(addModelOptions(command)).action((file: string, options: EvalOptions) => {
    const tags = (options.format ?? dataFormatOf(file)) === "conll";
    const odd = command.options.find((option) =>
      command.getOptionValueSource(option.attributeName()) === "cli" &&
      (tags ? OF_DOCUMENTS : OF_TAGS).includes(option.attributeName())
    );
    if (odd === undefined) return tags ? evaluateTags(file, options) : evaluate(file, options);
    throw new UsageError(
      tags
        ? `${odd.long} is for a model, and ${file} holds what one has predicted`
        : `${odd.long} is for tags, and ${file} holds documents (--format conll says otherwise)`,
    );
  });
}

async function evaluate(file: string, options: EvalOptions): Promise<void> {
  const { size } = statSync(file);
  const ner = await loadModel(options);
  const known = ner.info().types;
  const progress = new Progress(size);
  const gold: (readonly Span[])[] = [];
  const predicted: (readonly Entity[])[] = [];
  const texts: string[] = [];
  let bytes = 0;
  let elapsed = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of createReadStream(file) as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      yield chunk;
    }
  }
  try {
    for await (const lines of readLines(counted(), file, complain)) {
      const documents = lines.filter(({ text }) => text.trim() !== "")
        .map(({ text, number }) => parseGold(text, `${file}, line ${number}`));
      for (let i = 0; i < documents.length; i += options.batch) {
        const batch = documents.slice(i, i + options.batch);
        const start = performance.now();
        const results = await ner.extractBatch(batch.map(({ text }) => text));
        elapsed += performance.now() - start;
        gold.push(...batch.map(({ entities }) => entities));
        if (options.record !== undefined) texts.push(...batch.map(({ text }) => text));
        for (const entities of results) {
          predicted.push(entities.filter((entity) => entity.score >= options.minScore));
        }
        progress.update(bytes, gold.length);
      }
    }
  } finally {
    progress.stop();
    ner.close();
  }
  if (gold.length === 0) throw new UsageError(`${file}: holds no documents`);
  const scores = scoreSpans(gold, predicted, options);
  const unknown = Object.keys(scores.types).filter((type) => !known.includes(type));
  if (unknown.length > 0) {
    complain(`warning: the model has no type ${unknown.join(", ")}; it knows ${known.join(", ")}`);
  }
  const confusion = confusionMatrix(gold, predicted);
  const calibration = calibrationOf(judgeEntities(gold, predicted));
  if (options.record !== undefined) {
    await record(options, { texts, gold, predicted, scores, confusion });
  }
  if (options.json) {
    await print(JSON.stringify({ ...scores, confusion, calibration }) + "\n");
    return;
  }
  await print(scoreTable(scores));
  if (options.confusion) await print("\n" + confusionTable(confusion));
  const perSecond = (gold.length / (elapsed / 1000)).toFixed(1);
  await print(
    `\n${gold.length} documents, ${perSecond} a second; ` +
      `${confusion.boundaryErrors} gold entities found with wrong boundaries\n` +
      `expected calibration error of the scores: ${(100 * calibration.error).toFixed(2)} %\n`,
  );
}
