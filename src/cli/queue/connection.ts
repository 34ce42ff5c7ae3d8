/**
 * What producer, workers and `status` share: the queue, what is in it, and where counts are kept.
 *
 * BullMQ gives each shard to one worker at a time under a lock that the worker renews. A worker that dies stops renewing, and the
 * shard goes to another: so a shard may be made twice, never lost, and twice is harmless, since both make the same
 * bytes under the same name. Counts are kept by shard for the same reason.
 *
 * BullMQ and ioredis are optional peer dependencies: who wants a queue installs them.
 *
 * @module
 */
import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { UsageError } from "../errors.ts";
import { complain } from "../output.ts";
import type { Job } from "../corpus/job.ts";
import type { Shard } from "../corpus/shards.ts";

/** Of all jobs. */
export const QUEUE = "edge-ner";

/** How long a shard stays with a worker that has gone silent, in milliseconds. */
export const LOCK_MS = 15_000;

/** A shard to be worked on. */
export interface ShardTask {
  /** The output's folder, which all workers see. */
  readonly folder: string;
  /** The hash of folder and job. */
  readonly job: string;
  readonly shard: Shard;
  readonly model: Pick<
    Job,
    "model" | "modelHash" | "backend" | "unconstrained" | "allowStripAccents"
  >;
  readonly options: Pick<Job, "column" | "minScore">;
}

/** Key of a job's finished shards: a hash of `documents dead` by shard. */
export function doneKey(job: string): string {
  return `${QUEUE}:done:${job}`;
}

/** How long counts outlive the last shard that was finished, in seconds. */
export const DONE_KEPT_S = 7 * 24 * 3600;

/** Key of all jobs: a hash of what {@link JobEntry} says, by job. */
export const JOBS_KEY = `${QUEUE}:jobs`;

/** What is kept of a job while it is under way. */
export interface JobEntry {
  readonly folder: string;
  readonly shards: number;
  /** Unix time in milliseconds. */
  readonly started: number;
}

/** The two packages, which the library does not bring. Throws {@link UsageError} where they are not installed. */
export async function loadBullMq(): Promise<{
  bullmq: typeof import("bullmq");
  Connection: typeof Redis;
}> {
  try {
    const [bullmq, ioredis] = await Promise.all([import("bullmq"), import("ioredis")]);
    return { bullmq, Connection: ioredis.Redis };
  } catch (cause) {
    throw new UsageError(
      "a queue needs two packages that are not installed: npm install bullmq ioredis",
      {
        cause,
      },
    );
  }
}

/** Connects to Redis; while it is away, commands wait, and the connection is tried again every second or two. */
export async function connect(url: string): Promise<Redis> {
  const { Connection } = await loadBullMq();
  if (!/^rediss?:\/\//.test(url)) {
    throw new UsageError(`${url} is no address of a Redis; expected redis://HOST:PORT`);
  }
  const redis = new Connection(url, {
    // BullMQ asks for this: commands are not given up while Redis restarts.
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(times * 100, 2000),
  });
  let told = false;
  redis.on("error", (error: Error & { code?: string }) => {
    if (!told) complain(`${url} cannot be reached (${error.code ?? error.message}); trying again`);
    told = true;
  });
  redis.on("ready", () => told = false);
  return redis;
}

/** The queue of shards. */
export async function openQueue(redis: Redis): Promise<Queue<ShardTask>> {
  const { bullmq } = await loadBullMq();
  const queue = new bullmq.Queue<ShardTask>(QUEUE, { connection: redis });
  queue.on("error", () => {});
  return queue;
}
