/**
 * `edge-ner annotate`: a finished model over a corpus that may be larger than memory, or than a machine.
 *
 * The corpus is cut into shards, each of which becomes one part of the output, written whole. So a run that was stopped goes on with
 * what is missing; and with `--queue` any number of workers make the parts, the same bytes as one process would.
 *
 * @module
 */
import { resolve } from "node:path";
import type { Command } from "commander";
import { annotateShard } from "./corpus/annotate_shard.ts";
import { findInputs } from "./corpus/inputs.ts";
import { enterFolder, hashOf, type Job, missingOf } from "./corpus/job.ts";
import { cutShards, type Shard } from "./corpus/shards.ts";
import { CheckFailed, UsageError } from "./errors.ts";
import {
  addModelOptions,
  decimal,
  exactBackend,
  integer,
  loadModel,
  type ModelOptions,
} from "./model.ts";
import { modelSource } from "./named.ts";
import { complain, print } from "./output.ts";
import { Progress } from "./progress.ts";

interface AnnotateOptions extends ModelOptions {
  readonly output: string;
  readonly column: string;
  readonly minScore: number;
  readonly batch: number;
  readonly shard: number;
  readonly queue?: string;
}

const HELP = `
An input is a file, a folder or a pattern: .jsonl (an object with "text" a line; other fields are kept), .txt (a document
a line), .tsv (a table with a header), each also as .gz or .zst. The output is a folder: part-00000.jsonl and so on, in the order
of the inputs, what "extract --format jsonl" prints; dead-00000.jsonl for documents that could not be worked on, each with its
error; job.json. A run that was stopped is gone on with by the same command.

With --queue the parts are made by "edge-ner worker", on any machines that see the same paths.

Examples:
  edge-ner annotate notes.jsonl.gz -o annotated
  edge-ner annotate "corpus/**/*.txt" -o annotated --model ./my-model.safetensors
  edge-ner annotate corpus -o annotated --queue redis://localhost:6379`;

/** Defines the command. */
export function annotateCommand(program: Command): void {
  const command = program.command("annotate")
    .description("find entities in all documents of a corpus, into a folder")
    .argument("<input...>", "files, folders or patterns")
    .requiredOption("-o, --output <folder>", "where the parts go")
    .option("--column <name>", "field or column of the text", "text")
    .option("--min-score <x>", "leave out entities below this score", decimal(0, 1), 0)
    .option("--batch <n>", "documents that go through the model together", integer(1, 4096), 32)
    .option(
      "--shard <bytes>",
      "size of the pieces that files are cut into",
      integer(1, 2 ** 40),
      8 << 20,
    )
    .option("--queue <url>", "leave the work to workers, through BullMQ on this Redis")
    .addHelpText("after", HELP);
  addModelOptions(command).action((inputs: string[], options: AnnotateOptions) =>
    annotate(inputs, options)
  );
}

async function annotate(names: readonly string[], options: AnnotateOptions): Promise<void> {
  const inputs = await findInputs(names), folder = resolve(options.output);
  const job: Job = {
    version: 1,
    inputs,
    shardBytes: options.shard,
    model: modelSource(options.model),
    modelHash: await hashOf(options.model),
    backend: exactBackend(options, "annotate"),
    unconstrained: options.unconstrained ?? false,
    allowStripAccents: options.allowStripAccents ?? false,
    minScore: options.minScore,
    column: options.column,
  };
  const shards = cutShards(inputs, options.shard);
  if (shards.length === 0) throw new UsageError(`${names.join(", ")}: all files are empty`);
  await enterFolder(folder, job);
  const missing = missingOf(folder, shards);
  if (missing.length < shards.length) {
    complain(`${shards.length - missing.length} of ${shards.length} parts are there; going on`);
  }
  if (options.queue !== undefined) {
    const { produce } = await import("./queue/produce.ts");
    return await produce(options.queue, folder, job, shards);
  }
  await annotateHere(folder, job, missing, options);
}

/** Bytes of input that a shard stands for. */
function bytesOf({ from, to, size }: Shard): number {
  return (to ?? size) - from;
}

/** One process: a shard after the other, the model's threads on each batch. */
async function annotateHere(
  folder: string,
  job: Job,
  shards: readonly Shard[],
  options: AnnotateOptions,
): Promise<void> {
  const progress = new Progress(shards.reduce((sum, shard) => sum + bytesOf(shard), 0));
  const ner = await loadModel(options), start = performance.now();
  let bytes = 0, documents = 0, dead = 0;
  try {
    for (const shard of shards) {
      const report = await annotateShard(ner, shard, job, folder, {
        batch: options.batch,
        progress: (done) => progress.update(bytes, documents + done),
      });
      bytes += bytesOf(shard);
      documents += report.documents;
      dead += report.dead;
      progress.update(bytes, documents);
    }
  } finally {
    progress.stop();
    ner.close();
  }
  const rate = documents / ((performance.now() - start) / 1000);
  await print(
    `${documents} documents, ${
      rate.toFixed(1)
    } a second; ${dead} dead letters; ${shards.length} parts in ${folder}\n`,
  );
  if (documents > 0 && dead === documents) {
    throw new CheckFailed(`no document could be worked on; see dead-*.jsonl in ${folder}`);
  }
}
