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
  scoreOverlaps,
  scoreSpans,
  TAG_SCHEMES,
} from "../../mod.ts";
import type { Entity, GoldDocument, Span } from "../../mod.ts";
import { dataFormatOf, declaresColumns } from "../../train.ts";
import { UsageError } from "./errors.ts";
import { addRecordOptions, record, type RecordOptions } from "./eval_record.ts";
import { confusionTable, overlapTable, scoreTable } from "./eval_tables.ts";
import { evaluateTags, type TagsOptions } from "./eval_tags.ts";
import { readLabelled } from "./labelled.ts";
import { readLines } from "./lines.ts";
import { addModelOptions, decimal, integer, loadModel } from "./model.ts";
import type { ModelOptions } from "./model.ts";
import { complain, print } from "./output.ts";
import { Progress } from "./progress.ts";
import { readText } from "./text_files.ts";

/** What a file may hold: `bio` are tokens with gold tags alone, `conll` with predicted ones beside them. */
const FORMATS = ["jsonl", "conll", "bio", "csv", "brat"] as const;

interface EvalOptions extends ModelOptions, TagsOptions, RecordOptions {
  readonly format?: typeof FORMATS[number];
  readonly overlap?: boolean;
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

Or labelled texts for the model of any other kind that "train" reads: --format bio (tokens and gold tags), CoNLL-U Plus,
.csv, brat (.ann, its text beside it).

An entity counts only if type, start and end are all right; --overlap adds what shares a character with one of its type,
for texts that were labelled by other rules than the model has learnt. Averages run over the types seen
in gold or prediction, as in seqeval; --json has all digits.

Examples:
  edge-ner eval test.jsonl
  edge-ner eval test.jsonl --model ./my-export --backend fp32 --json
  edge-ner eval predictions.conll --mode strict --scheme IOB2`;

/** Options that say something of one kind of file only. */
const OF_DOCUMENTS = [
  "model",
  "backend",
  "gpuPrecision",
  "threads",
  "unconstrained",
  "allowStripAccents",
  "overlap",
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
        .choices(FORMATS),
    )
    .option("--json", "print one JSON object instead of a table")
    .option("--overlap", "also print what is found, and right, whatever its boundaries")
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
    const format = options.format ?? dataFormatOf(file) ?? "jsonl";
    const tags = format === "conll" && !declaresColumns(readText(file));
    const odd = command.options.find((option) =>
      command.getOptionValueSource(option.attributeName()) === "cli" &&
      (tags ? OF_DOCUMENTS : OF_TAGS).includes(option.attributeName())
    );
    if (odd === undefined) {
      return tags ? evaluateTags(file, options) : evaluate(file, format, options);
    }
    throw new UsageError(
      tags
        ? `${odd.long} is for a model, and ${file} holds what one has predicted`
        : `${odd.long} is for tags, and ${file} holds documents (--format conll says otherwise)`,
    );
  });
}

/** A file's documents, and the bytes that they take there. */
async function* documentsIn(
  file: string,
  format: typeof FORMATS[number],
): AsyncGenerator<
  { documents: readonly Pick<GoldDocument, "text" | "entities">[]; bytes: number }
> {
  if (format !== "jsonl") {
    const documents = readLabelled(file, { format: format === "bio" ? "conll" : format });
    const bytes = statSync(file).size / Math.max(1, documents.length);
    for (const document of documents) yield { documents: [document], bytes };
    return;
  }
  const chunks = createReadStream(file) as AsyncIterable<Uint8Array>;
  for await (const lines of readLines(chunks, file, complain)) {
    for (const { text, number, bytes } of lines) {
      const documents = text.trim() === "" ? [] : [parseGold(text, `${file}, line ${number}`)];
      yield { documents, bytes };
    }
  }
}

/** Documents some at a time, each lot with the bytes up to its end. */
async function* batchesOf(
  file: string,
  format: typeof FORMATS[number],
  size: number,
): AsyncGenerator<{ batch: Pick<GoldDocument, "text" | "entities">[]; bytes: number }> {
  let batch: Pick<GoldDocument, "text" | "entities">[] = [], done = 0;
  for await (const { documents, bytes } of documentsIn(file, format)) {
    batch.push(...documents);
    done += bytes;
    if (batch.length < size) continue;
    yield { batch, bytes: done };
    batch = [];
  }
  if (batch.length > 0) yield { batch, bytes: done };
}

async function evaluate(
  file: string,
  format: typeof FORMATS[number],
  options: EvalOptions,
): Promise<void> {
  const { size } = statSync(file);
  const ner = await loadModel(options);
  const known = ner.info().types;
  const progress = new Progress(size);
  const gold: (readonly Span[])[] = [];
  const predicted: (readonly Entity[])[] = [];
  const texts: string[] = [];
  let elapsed = 0;
  try {
    for await (const { batch, bytes } of batchesOf(file, format, options.batch)) {
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
  const overlaps = Object.fromEntries(
    Object.keys(scores.types).map((type) => [type, scoreOverlaps(gold, predicted, type)]),
  );
  if (options.json) {
    const more = options.overlap && { overlaps };
    await print(JSON.stringify({ ...scores, ...more, confusion, calibration }) + "\n");
    return;
  }
  await print(scoreTable(scores));
  if (options.overlap) await print("\n" + overlapTable(overlaps));
  if (options.confusion) await print("\n" + confusionTable(confusion));
  const perSecond = (gold.length / (elapsed / 1000)).toFixed(1);
  await print(
    `\n${gold.length} documents, ${perSecond} a second; ` +
      `${confusion.boundaryErrors} gold entities found with wrong boundaries\n` +
      `expected calibration error of the scores: ${(100 * calibration.error).toFixed(2)} %\n`,
  );
}
