/**
 * One shard, from its documents to its part of the output: the same bytes whoever makes it.
 *
 * A document that is none, or that the library refuses, becomes a line of the shard's dead letters with its error, and the rest goes
 * on. Whatever else goes wrong (a full disk, a damaged file, a bug) ends the shard and leaves nothing behind. The part gets
 * its name last, so that it being there means that all is done.
 *
 * @module
 */
import { join } from "node:path";
import { type Entity, InputError, type Ner, TokenizerError } from "../../../mod.ts";
import { type Document, readDocuments } from "./documents.ts";
import type { Job } from "./job.ts";
import { deadName, partName, type Shard } from "./shards.ts";
import { WholeFile } from "./whole_file.ts";

/** What a shard came to. */
export interface ShardReport {
  readonly documents: number;
  /** Of them, those that could not be worked on. */
  readonly dead: number;
}

/** Thrown where a caller wants no more; nothing of the shard is kept. */
export class Stopped extends Error {}

/** How a shard is worked on. */
export interface ShardOptions {
  /** Documents that go through the model together. */
  readonly batch: number;
  readonly signal?: AbortSignal | undefined;
  /** Told after each batch how many documents are done. */
  readonly progress?: ((documents: number) => void) | undefined;
}

/** Works on a shard; `folder` is the output's. */
export async function annotateShard(
  ner: Pick<Ner, "extractBatch">,
  shard: Shard,
  job: Pick<Job, "column" | "minScore">,
  folder: string,
  { batch, signal, progress }: ShardOptions,
): Promise<ShardReport> {
  const part = await WholeFile.create(join(folder, partName(shard.id)));
  const letters = await WholeFile.create(join(folder, deadName(shard.id))).catch(async (error) => {
    await part.discard();
    throw error;
  });
  let documents = 0, dead = 0;
  const bury = async ({ at, text }: Document, error: string): Promise<void> => {
    dead++;
    await letters.write(JSON.stringify({ file: shard.path, at, error, text }) + "\n");
  };
  try {
    for await (const group of readDocuments(shard, job.column)) {
      for (let i = 0; i < group.length; i += batch) {
        if (signal?.aborted) throw new Stopped();
        const some = group.slice(i, i + batch),
          good = some.filter(({ error }) => error === undefined);
        const results = await recognise(ner, good.map(({ text }) => text));
        const lines: string[] = [];
        for (const document of some) {
          const result = document.error ?? results[good.indexOf(document)]!;
          if (typeof result === "string") await bury(document, result);
          else lines.push(lineOf(document, result, job));
        }
        await part.write(lines.join(""));
        documents += some.length;
        progress?.(documents);
      }
    }
    if (dead > 0) await letters.commit();
    else await letters.discard();
    await part.commit();
    return { documents, dead };
  } catch (error) {
    await part.discard();
    await letters.discard();
    throw error;
  }
}

/** One object in one line: the document's own fields first. */
function lineOf(
  { text, fields }: Document,
  entities: readonly Entity[],
  { column, minScore }: Pick<Job, "column" | "minScore">,
): string {
  const kept = entities.filter(({ score }) => score >= minScore)
    .map(({ type, text, start, end, score }) => ({ type, text, start, end, score }));
  const { entities: _, ...others } = fields;
  return JSON.stringify({ ...others, [column]: text, entities: kept }) + "\n";
}

/** Entities of each text, or why the library refuses it. One that is refused must not take its batch along. */
async function recognise(
  ner: Pick<Ner, "extractBatch">,
  texts: readonly string[],
): Promise<(readonly Entity[] | string)[]> {
  try {
    return await ner.extractBatch(texts);
  } catch (error) {
    if (
      !(error instanceof InputError || error instanceof TokenizerError) ||
      error.code === "input/closed"
    ) {
      throw error;
    }
    if (texts.length === 1) return [`${error.message} (${error.code})`];
    const each: (readonly Entity[] | string)[] = [];
    for (const text of texts) each.push(...await recognise(ner, [text]));
    return each;
  }
}
