/**
 * `edge-ner worker`: takes shards from a queue and makes their parts, until it is told to stop.
 *
 * On SIGTERM or SIGINT the shard under way goes back into the queue and the process ends; a second signal ends it at
 * once, which costs no more than the lock's time. One shard at a time: the model has threads of its own.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Job as QueuedJob } from "bullmq";
import type { Command } from "commander";
import type { Ner } from "../../../mod.ts";
import { annotateShard, Stopped } from "../corpus/annotate_shard.ts";
import { DamagedFile } from "../corpus/documents.ts";
import { hashOf } from "../corpus/job.ts";
import { partName } from "../corpus/shards.ts";
import { integer, loadModel } from "../model.ts";
import { complain } from "../output.ts";
import {
  connect,
  DONE_KEPT_S,
  doneKey,
  loadBullMq,
  LOCK_MS,
  QUEUE,
  type ShardTask,
} from "./connection.ts";
import { type Metric, serveMetrics } from "./metrics.ts";

interface WorkerOptions {
  readonly queue: string;
  readonly threads?: number;
  readonly batch: number;
  readonly metrics?: number;
}

const HELP = `
Needs BullMQ and a Redis: npm install bullmq ioredis. The worker must see the inputs, the model and the output's folder under the
same paths as the producer ("edge-ner annotate ... --queue"). SIGTERM returns the shard under way and ends.

--metrics PORT answers http://HOST:PORT/metrics for Prometheus.

Examples:
  edge-ner worker --queue redis://localhost:6379
  edge-ner worker --queue redis://10.0.0.7:6379 --threads 4 --metrics 9464`;

/** Defines the command. */
export function workerCommand(program: Command): void {
  program.command("worker")
    .description("work on the shards of a queue")
    .requiredOption("--queue <url>", "the Redis of the queue")
    .option(
      "--threads <n>",
      "threads to use, 1 to 64 (default: one for each core, up to four)",
      integer(1, 64),
    )
    .option("--batch <n>", "documents that go through the model together", integer(1, 4096), 32)
    .option("--metrics <port>", "serve figures for Prometheus", integer(1, 65535))
    .addHelpText("after", HELP)
    .action((options: WorkerOptions) => work(options));
}

/** What this worker has done since it began. */
interface Tally {
  documents: number;
  dead: number;
  shards: number;
  errors: number;
}

async function work(options: WorkerOptions): Promise<void> {
  const { bullmq } = await loadBullMq();
  const redis = await connect(options.queue), models = new Models(options);
  const tally: Tally = { documents: 0, dead: 0, shards: 0, errors: 0 },
    stop = new AbortController();
  const take = async ({ data }: QueuedJob<ShardTask>): Promise<void> => {
    const { folder, shard, job } = data;
    // Somebody who was thought dead may have finished it.
    if (existsSync(join(folder, partName(shard.id)))) return;
    const ner = await models.get(data.model);
    let counted = 0;
    const { documents, dead } = await annotateShard(ner, shard, data.options, folder, {
      batch: options.batch,
      signal: stop.signal,
      progress: (done) => {
        tally.documents += done - counted;
        counted = done;
      },
    });
    tally.dead += dead;
    tally.shards++;
    // The part was there before this line: a producer that saw it may have ended and removed the key, so it ends by itself, too.
    await redis.hset(doneKey(job), String(shard.id), `${documents} ${dead}`);
    await redis.expire(doneKey(job), DONE_KEPT_S);
  };
  const worker = new bullmq.Worker<ShardTask>(QUEUE, async (job, token) => {
    try {
      await take(job);
    } catch (error) {
      if (error instanceof Stopped) {
        await job.moveToDelayed(Date.now(), token);
        throw new bullmq.DelayedError();
      }
      tally.errors++;
      complain(`shard ${job.data.shard.id} of ${job.data.folder}: ${(error as Error).message}`);
      // Tried again by nobody: it would be no better.
      throw error instanceof DamagedFile ? new bullmq.UnrecoverableError(error.message) : error;
    }
  }, {
    connection: redis,
    concurrency: 1,
    lockDuration: LOCK_MS,
    stalledInterval: LOCK_MS / 3,
    // A worker that dies is no fault of its shard.
    maxStalledCount: 1e6,
  });
  worker.on("error", () => {});
  if (options.metrics !== undefined) {
    await serveMetrics(options.metrics, () => Promise.resolve(metricsOf(tally)));
  }
  const told = new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (stop.signal.aborted) process.exit(1);
        stop.abort();
        resolve();
      });
    }
  });
  const ready = worker.waitUntilReady().then(() => complain(`taking shards from ${options.queue}`));
  await Promise.race([told, ready]);
  await told;
  await worker.close();
  models.close();
  redis.disconnect();
  complain(`stopped; ${tally.documents} documents in ${tally.shards} shards`);
}

function metricsOf({ documents, dead, shards, errors }: Tally): Metric[] {
  const counter = (name: string, help: string, value: number): Metric => ({
    name: `edge_ner_${name}_total`,
    type: "counter",
    help,
    values: { "": value },
  });
  return [
    counter("documents", "Documents that went through the model.", documents),
    counter("dead_letters", "Documents that could not be worked on.", dead),
    counter("shards", "Shards that were finished.", shards),
    counter("shard_errors", "Shards that failed, each time.", errors),
    {
      name: "edge_ner_resident_bytes",
      type: "gauge",
      help: "Resident memory of the worker.",
      values: { "": process.memoryUsage().rss },
    },
  ];
}

/** The model of the job at hand; one at a time. */
class Models {
  readonly #threads: number | undefined;
  #key: string | undefined;
  #ner: Ner | undefined;

  constructor({ threads }: WorkerOptions) {
    this.#threads = threads;
  }

  /** Loads a model unless it is the one that is loaded. Throws where the file here is not the producer's. */
  async get(model: ShardTask["model"]): Promise<Ner> {
    const key = JSON.stringify(model);
    if (this.#ner !== undefined && this.#key === key) return this.#ner;
    this.close();
    if (await hashOf(model.model) !== model.modelHash) {
      throw new Error(`${model.model} is another file here than where the job was made`);
    }
    this.#ner = await loadModel({
      ...model,
      ...(this.#threads !== undefined && { threads: this.#threads }),
    });
    this.#key = key;
    return this.#ner;
  }

  close(): void {
    this.#ner?.close();
    this.#ner = undefined;
  }
}
