/**
 * `edge-ner eval`: strict span scores of a model on documents whose entities are known.
 *
 * @module
 */
import { createReadStream, statSync } from "node:fs";
import type { Command } from "commander";
import { confusionMatrix, parseGold, scoreSpans } from "../../mod.ts";
import type { Confusion, Score, Span, SpanScores } from "../../mod.ts";
import { UsageError } from "./errors.ts";
import { readLines } from "./lines.ts";
import { addModelOptions, decimal, integer, loadModel } from "./model.ts";
import type { ModelOptions } from "./model.ts";
import { complain, print } from "./output.ts";
import { Progress } from "./progress.ts";
import { table } from "./table.ts";

interface EvalOptions extends ModelOptions {
  readonly json?: boolean;
  readonly confusion?: boolean;
  readonly minScore: number;
  readonly batch: number;
}

const HELP = `
A line of the file is {"text": "...", "entities": [{"type": "MED", "start": 0, "end": 12}]}, what
"extract --format jsonl" prints ("spans" and "label" are understood, too); start and end count UTF-16 code units, end exclusive. An entity's own
"text", where given, must be what the offsets select. Blank lines are skipped.

An entity counts only if type, start and end are all right. Macro F1 is the mean over the types seen
in gold or prediction, as in seqeval.

Examples:
  edge-ner eval test.jsonl
  edge-ner eval test.jsonl --model ./my-export --backend fp32 --json`;

/** Defines the command. */
export function evalCommand(program: Command): void {
  const command = program.command("eval")
    .description("score a model on documents with known entities")
    .argument("<file>", "documents, one JSON object a line")
    .option("--json", "print one JSON object instead of a table")
    .option("--confusion", "also print which types are taken for which")
    .option("--min-score <x>", "leave out predictions below this score", decimal(0, 1), 0)
    .option("--batch <n>", "documents that go through the model together", integer(1, 4096), 32)
    .addHelpText("after", HELP);
  addModelOptions(command).action(evaluate);
}

async function evaluate(file: string, options: EvalOptions): Promise<void> {
  const { size } = statSync(file);
  const ner = await loadModel(options);
  const known = ner.info().types;
  const progress = new Progress(size);
  const gold: (readonly Span[])[] = [];
  const predicted: (readonly Span[])[] = [];
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
  const scores = scoreSpans(gold, predicted);
  const unknown = Object.keys(scores.types).filter((type) => !known.includes(type));
  if (unknown.length > 0) {
    complain(`warning: the model has no type ${unknown.join(", ")}; it knows ${known.join(", ")}`);
  }
  const confusion = confusionMatrix(gold, predicted);
  if (options.json) {
    await print(JSON.stringify({ ...scores, confusion }) + "\n");
    return;
  }
  await print(scoreTable(scores));
  if (options.confusion) await print("\n" + confusionTable(confusion));
  const perSecond = (gold.length / (elapsed / 1000)).toFixed(1);
  await print(
    `\n${gold.length} documents, ${perSecond} a second; ` +
      `${confusion.boundaryErrors} gold entities found with wrong boundaries\n`,
  );
}

/** The scores as a table, in percent. */
export function scoreTable(scores: SpanScores): string {
  const row = (name: string, score: Score): string[] => [
    name,
    ...[score.precision, score.recall, score.f1].map((x) => (100 * x).toFixed(2)),
    String(score.support),
    String(score.predicted),
    String(score.correct),
  ];
  return table(["type", "precision", "recall", "F1", "gold", "predicted", "correct"], [
    ...Object.entries(scores.types).map(([type, score]) => row(type, score)),
    row("micro", scores.micro),
    row("macro", scores.macro),
  ]);
}

/** Gold types as rows, predicted types as columns. */
function confusionTable({ types, counts }: Confusion): string {
  const rows = counts.map((row, i) => [types[i] ?? "(none)", ...row.map(String)]);
  return table(["gold \\ predicted", ...types, "(none)"], rows);
}
