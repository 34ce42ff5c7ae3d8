/**
 * `edge-ner status`: what is in a queue, how far its jobs are and how fast they go.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { integer } from "../model.ts";
import { print } from "../output.ts";
import { clock } from "../progress.ts";
import { connect, doneKey, type JobEntry, JOBS_KEY, openQueue } from "./connection.ts";
import { type Metric, serveMetrics } from "./metrics.ts";

interface StatusOptions {
  readonly queue: string;
  readonly json?: boolean;
  readonly metrics?: number;
}

/** How far a job is. */
interface JobStatus extends JobEntry {
  readonly done: number;
  readonly documents: number;
  readonly dead: number;
  /** Documents a second since it was queued. */
  readonly rate: number;
}

interface QueueStatus {
  /** Shards by what they wait for. */
  readonly shards: Readonly<Record<string, number>>;
  readonly workers: number;
  readonly jobs: readonly JobStatus[];
  /** Why shards failed for good. */
  readonly failures: readonly string[];
}

const HELP = `
Examples:
  edge-ner status --queue redis://localhost:6379
  edge-ner status --queue redis://localhost:6379 --json
  edge-ner status --queue redis://localhost:6379 --metrics 9465`;

/** Defines the command. */
export function statusCommand(program: Command): void {
  program.command("status")
    .description("show what is in a queue and how far its jobs are")
    .requiredOption("--queue <url>", "the Redis of the queue")
    .option("--json", "print one JSON object")
    .option(
      "--metrics <port>",
      "serve figures for Prometheus instead, until it is ended",
      integer(1, 65535),
    )
    .addHelpText("after", HELP)
    .action((options: StatusOptions) => status(options));
}

async function status(options: StatusOptions): Promise<void> {
  const redis = await connect(options.queue), queue = await openQueue(redis);
  const look = async (): Promise<QueueStatus> => {
    const shards = await queue.getJobCounts("waiting", "active", "delayed", "failed");
    const entries = await redis.hgetall(JOBS_KEY);
    const jobs = await Promise.all(
      Object.entries(entries).map(async ([job, json]): Promise<JobStatus> => {
        const entry = JSON.parse(json) as JobEntry, done = await redis.hvals(doneKey(job));
        const sum = (at: number): number =>
          done.reduce((total, each) => total + Number(each.split(" ")[at]), 0);
        const seconds = Math.max(1, Date.now() - entry.started) / 1000;
        return {
          ...entry,
          done: done.length,
          documents: sum(0),
          dead: sum(1),
          rate: sum(0) / seconds,
        };
      }),
    );
    const failures = (await queue.getFailed(0, 9)).map(({ data, failedReason }) =>
      `shard ${data.shard.id} of ${data.folder}: ${failedReason}`
    );
    return { shards, workers: await queue.getWorkersCount(), jobs, failures };
  };
  try {
    if (options.metrics !== undefined) {
      await serveMetrics(options.metrics, async () => metricsOf(await look()));
      for (;;) await sleep(60_000);
    }
    const now = await look();
    await print(options.json ? JSON.stringify(now) + "\n" : textOf(now));
  } finally {
    await queue.close();
    redis.disconnect();
  }
}

function textOf({ shards, workers, jobs, failures }: QueueStatus): string {
  const counts = Object.entries(shards).map(([name, count]) => `${count} ${name}`).join(", ");
  const lines = jobs.map(({ folder, done, shards, documents, dead, rate, started }) => {
    const left = done === 0 ? "?" : clock((Date.now() - started) / 1000 * (shards / done - 1));
    return `${folder}: ${done} of ${shards} shards, ${documents} documents, ${
      rate.toFixed(1)
    }/s, ` +
      `${dead} dead letters, ${left} left`;
  });
  return [`shards: ${counts}; ${workers} workers`, ...lines, ...failures].join("\n") + "\n";
}

function metricsOf({ shards, workers, jobs }: QueueStatus): Metric[] {
  const label = (name: string, value: string): string => `{${name}=${JSON.stringify(value)}}`;
  const byJob = (name: string, help: string, value: (job: JobStatus) => number): Metric => ({
    name,
    type: "gauge",
    help,
    values: Object.fromEntries(jobs.map((job) => [label("folder", job.folder), value(job)])),
  });
  return [
    {
      name: "edge_ner_queue_shards",
      type: "gauge",
      help: "Shards in the queue by state.",
      values: Object.fromEntries(
        Object.entries(shards).map(([state, count]) => [label("state", state), count]),
      ),
    },
    {
      name: "edge_ner_queue_workers",
      type: "gauge",
      help: "Workers that are connected.",
      values: { "": workers },
    },
    byJob("edge_ner_job_shards", "Shards of a job.", ({ shards }) => shards),
    byJob("edge_ner_job_shards_done", "Finished shards of a job.", ({ done }) => done),
    byJob("edge_ner_job_documents", "Documents of finished shards.", ({ documents }) => documents),
    byJob(
      "edge_ner_job_dead_letters",
      "Documents that could not be worked on.",
      ({ dead }) => dead,
    ),
  ];
}
