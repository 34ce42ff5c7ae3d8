/**
 * A job: a corpus, a model and how it is to be run. It is written beside its output, so that who goes on with it, here or on
 * another machine, goes on with the same.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import type { ExactBackend } from "../model.ts";
import { modelSource } from "../named.ts";
import type { InputFile } from "./inputs.ts";
import { deadName, partName, type Shard } from "./shards.ts";
import { writeWhole } from "./whole_file.ts";

/** What decides on the output's bytes. */
export interface Job {
  /** Of this file's form. */
  readonly version: 1;
  readonly inputs: readonly InputFile[];
  /** Bytes of a shard. */
  readonly shardBytes: number;
  /** Path of the model, or its URL. */
  readonly model: string;
  /** SHA-256 of the model, where it is a file; of a folder or a URL, nothing. */
  readonly modelHash: string | undefined;
  readonly backend: ExactBackend;
  readonly unconstrained: boolean;
  readonly allowStripAccents: boolean;
  readonly minScore: number;
  /** Name of the text's field or column. */
  readonly column: string;
}

const NAME = "job.json";

/** SHA-256 of a model's file. */
export async function hashOf(model: string | undefined): Promise<string | undefined> {
  const path = modelSource(model);
  if (!existsSync(path) || !statSync(path).isFile()) return undefined;
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

/**
 * Writes what is to be done into its folder, or finds the same there, to be gone on with. Throws {@link UsageError} for a
 * folder with another job, or with anything else.
 */
export async function enterFolder(folder: string, job: object): Promise<void> {
  const path = join(folder, NAME), json = JSON.stringify(job, undefined, 2) + "\n";
  if (existsSync(path)) {
    if (readFileSync(path, "utf8") === json) return removeUnfinished(folder);
    throw new UsageError(
      `${folder} has the output of another job (other inputs, another model or other options, see ${path}); ` +
        "name another folder, or remove this one",
    );
  }
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new UsageError(`${folder} is not empty, and has no ${NAME} to go on with`);
  }
  await writeWhole(path, json);
}

/** What killed processes have left for more than an hour; what is younger may be being written. */
function removeUnfinished(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!/^\.(part|dead|votes|posteriors)-\d+\.jsonl\./.test(name)) continue;
    if (Date.now() - statSync(path).mtimeMs > 3_600_000) rmSync(path, { force: true });
  }
}

/** The shards whose part is not there yet. */
export function missingOf(folder: string, shards: readonly Shard[]): Shard[] {
  const there = new Set(readdirSync(folder));
  return shards.filter(({ id }) => !there.has(partName(id)));
}

/** How many documents of some shards could not be worked on: the lines of their dead letters. */
export async function countDeadLetters(folder: string, shards: readonly Shard[]): Promise<number> {
  const there = new Set(readdirSync(folder));
  let lines = 0;
  for (const name of shards.map(({ id }) => deadName(id)).filter((name) => there.has(name))) {
    for await (const chunk of createReadStream(join(folder, name))) {
      for (const byte of chunk as Uint8Array) if (byte === 0x0a) lines++;
    }
  }
  return lines;
}
