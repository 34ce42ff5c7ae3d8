/**
 * The producer: puts the missing shards of a job into the queue and waits until their parts are there.
 *
 * The folder is the truth, not the queue: every few seconds what is neither there nor queued is queued again. So a Redis
 * that comes back without its memory costs a repetition, and a shard that failed is tried again for as long as
 * somebody waits for it. Parts are named once, so nothing is there twice.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { complain, print } from "../output.ts";
import { Progress } from "../progress.ts";
import { CheckFailed } from "../errors.ts";
import { countDeadLetters, type Job, missingOf } from "../corpus/job.ts";
import type { Shard } from "../corpus/shards.ts";
import {
  connect,
  doneKey,
  type JobEntry,
  JOBS_KEY,
  openQueue,
  type ShardTask,
} from "./connection.ts";

const LOOK_MS = 500, REPAIR_MS = 5000;
/** A shard that fails is tried again so often, after so long: for an hour in all, in which a disk can be made room on. */
const ATTEMPTS = 360, PAUSE_MS = 10_000;

/** Puts shards into the queue of a Redis and waits for them. Throws {@link CheckFailed} where shards failed for good. */
export async function produce(
  url: string,
  folder: string,
  job: Job,
  shards: readonly Shard[],
): Promise<void> {
  const redis = await connect(url), queue = await openQueue(redis);
  const hash = createHash("sha256").update(folder).update(JSON.stringify(job)).digest("hex").slice(
    0,
    16,
  );
  const { model, modelHash, backend, unconstrained, allowStripAccents, column, minScore } = job;
  const taskOf = (shard: Shard): ShardTask => ({
    folder,
    job: hash,
    shard,
    model: { model, modelHash, backend, unconstrained, allowStripAccents },
    options: { column, minScore },
  });
  const idOf = (shard: Shard): string => `${hash}-${shard.id}`;
  // A shard that is queued already is not queued again: the same id is the same job.
  const add = (some: readonly Shard[]): Promise<unknown> =>
    queue.addBulk(some.map((shard) => ({
      name: "shard",
      data: taskOf(shard),
      opts: {
        jobId: idOf(shard),
        attempts: ATTEMPTS,
        backoff: { type: "fixed", delay: PAUSE_MS },
        removeOnComplete: true,
      },
    })));
  const progress = new Progress(shards.length);
  try {
    let missing = missingOf(folder, shards), repaired = performance.now();
    const entry: JobEntry = { folder, shards: shards.length, started: Date.now() };
    await redis.hset(JOBS_KEY, hash, JSON.stringify(entry));
    await retryFailed(queue, missing.map(idOf));
    await add(missing);
    while (missing.length > 0) {
      await sleep(LOOK_MS);
      missing = missingOf(folder, shards);
      progress.update(shards.length - missing.length, await documentsOf(redis, hash));
      if (performance.now() - repaired < REPAIR_MS) continue;
      repaired = performance.now();
      await add(missing);
      const failed = await failedOf(queue, new Set(missing.map(idOf)));
      if (failed.length > 0 && failed.length === missing.length) {
        throw new CheckFailed(
          `${failed.length} of ${shards.length} shards failed; the last reason: ${
            failed[0]!.failedReason
          }`,
        );
      }
    }
    // From the folder: a worker that was killed right after its part had its name has told nobody its counts.
    const dead = await countDeadLetters(folder, shards);
    await redis.hdel(JOBS_KEY, hash);
    await redis.del(doneKey(hash));
    await print(`${shards.length} parts in ${folder}; ${dead} dead letters\n`);
  } finally {
    progress.stop();
    await queue.close();
    redis.disconnect();
  }
}

async function documentsOf(
  redis: Awaited<ReturnType<typeof connect>>,
  job: string,
): Promise<number> {
  const done = await redis.hvals(doneKey(job));
  return done.reduce((sum, value) => sum + Number(value.split(" ")[0]), 0);
}

type Queue = Awaited<ReturnType<typeof openQueue>>;

async function failedOf(queue: Queue, ids: ReadonlySet<string>) {
  return (await queue.getFailed()).filter(({ id }) => id !== undefined && ids.has(id));
}

/** What failed before somebody waited for it again is tried again. */
async function retryFailed(queue: Queue, ids: readonly string[]): Promise<void> {
  for (const job of await failedOf(queue, new Set(ids))) {
    complain(`shard ${job.data.shard.id} failed before (${job.failedReason}); trying again`);
    await job.remove();
  }
}
