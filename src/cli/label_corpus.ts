/**
 * A corpus through labelers: first what each says of each text, kept by shard so that a run that was stopped does not ask again; then one
 * answer out of that.
 *
 * @module
 */
import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import {
  type Combined,
  type CombineMeter,
  type Combiner,
  type Labeler,
  observe,
  type Observed,
  type Opinion,
  type Tokens,
  tokensOf,
} from "../../label.ts";
import { type Ner, parseGold, type Span } from "../../mod.ts";
import { readDocuments } from "./corpus/documents.ts";
import { deadName, partName, type Shard } from "./corpus/shards.ts";
import { WholeFile } from "./corpus/whole_file.ts";
import { readLines } from "./lines.ts";
import { complain } from "./output.ts";

/** A text and what all labelers said of it, as a line of `votes-00000.jsonl`. */
interface Voted {
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** By labeler: type, start, end, confidence of each span; null: it abstained. */
  readonly votes: readonly (readonly (readonly [string, number, number, number])[] | null)[];
}

/** Texts that labelers see together. */
const BATCH = 32;

const votesName = (id: number): string => partName(id).replace("part", "votes");
const posteriorsName = (id: number): string => partName(id).replace("part", "posteriors");

/** Runs `work` on a file that is kept whole, or not at all. */
async function writing<T>(path: string, work: (file: WholeFile) => Promise<T>): Promise<T> {
  const file = await WholeFile.create(path);
  try {
    const result = await work(file);
    await file.commit();
    return result;
  } catch (error) {
    await file.discard();
    throw error;
  }
}

/** Asks all labelers about a shard's texts, unless that was done before; returns how many texts could not be read. */
export async function vote(
  shard: Shard,
  labelers: readonly Labeler[],
  column: string,
  folder: string,
  progress: (documents: number) => void,
): Promise<void> {
  const path = join(folder, votesName(shard.id));
  if (existsSync(path)) return;
  const dead: string[] = [];
  let done = 0;
  await writing(path, async (file) => {
    for await (const group of readDocuments(shard, column)) {
      for (let i = 0; i < group.length; i += BATCH) {
        const some = group.slice(i, i + BATCH),
          good = some.filter(({ error }) => error === undefined);
        for (const { at, error, text } of some) {
          if (error !== undefined) {
            dead.push(JSON.stringify({ file: shard.path, at, error, text }) + "\n");
          }
        }
        const said = await Promise.all(
          labelers.map((labeler) => labeler.label(good.map(({ text }) => text))),
        );
        const lines = good.map(({ text, fields }, n) => {
          const votes = said.map((opinions) =>
            opinions[n]?.map((span) =>
              [span.type, span.start, span.end, span.confidence] as const
            ) ?? null
          );
          return JSON.stringify({ text, fields, votes } satisfies Voted) + "\n";
        });
        await file.write(lines.join(""));
        progress(done += some.length);
      }
    }
    if (dead.length > 0) {
      await writing(join(folder, deadName(shard.id)), (letters) => letters.write(dead.join("")));
    }
  });
}

/** A text, what was said of it, and that at its tokens. */
export interface VotedText {
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly opinions: readonly Opinion[];
  readonly observed: Observed;
}

/** What was said of a shard's texts; at the tokens of `model`, or at words. */
export async function* readVotes(
  shard: Shard,
  labelers: readonly Labeler[],
  folder: string,
  model: Ner | undefined,
): AsyncGenerator<VotedText> {
  const path = join(folder, votesName(shard.id));
  for await (
    const lines of readLines(createReadStream(path) as AsyncIterable<Uint8Array>, path, complain)
  ) {
    for (const line of lines) {
      const { text, fields, votes } = JSON.parse(line.text) as Voted;
      const opinions = votes.map((spans): Opinion =>
        spans?.map(([type, start, end, confidence]) => ({ type, start, end, confidence }))
      );
      const tokens = model === undefined ? tokensOf(text, opinions) : tokensOfModel(model, text);
      yield { text, fields, opinions, observed: observe(labelers, opinions, tokens) };
    }
  }
}

function tokensOfModel(model: Ner, text: string): Tokens {
  const tokens = model.tokenize(text);
  return {
    starts: Int32Array.from(tokens, ({ start }) => start),
    ends: Int32Array.from(tokens, ({ end }) => end),
  };
}

/** Writes one answer on each text of a shard, and counts it. */
export async function answer(
  shard: Shard,
  texts: AsyncIterable<VotedText>,
  combiner: Combiner,
  meter: CombineMeter,
  folder: string,
  { column, posteriors }: { readonly column: string; readonly posteriors: boolean },
): Promise<void> {
  await writing(join(folder, partName(shard.id)), async (file) => {
    const write = async (soft: WholeFile | undefined): Promise<void> => {
      for await (const { text, fields, opinions, observed } of texts) {
        const combined = combiner.combine(observed);
        meter.add(observed, opinions, combined, goldOf(text, fields, shard.path));
        const entities = combined.spans.map(({ type, start, end, confidence }) => ({
          type,
          text: text.slice(start, end),
          start,
          end,
          score: confidence,
        }));
        const { entities: _, spans: __, ...others } = fields;
        await file.write(JSON.stringify({ ...others, [column]: text, entities }) + "\n");
        await soft?.write(softLine(text, observed, combined, combiner.labels));
      }
    };
    if (posteriors) await writing(join(folder, posteriorsName(shard.id)), write);
    else await write(undefined);
  });
}

/** Gold entities, where the document has some. */
function goldOf(
  text: string,
  { entities, spans }: Readonly<Record<string, unknown>>,
  where: string,
): readonly Span[] | undefined {
  const list = entities ?? spans;
  if (list === undefined) return undefined;
  return parseGold(JSON.stringify({ text, entities: list }), where).entities;
}

/** Five digits are more than labels without annotators are worth. */
const DIGITS = 1e5;

function softLine(
  text: string,
  { starts, ends }: Observed,
  { posteriors }: Combined,
  labels: readonly string[],
): string {
  const n = labels.length;
  const rows = Array.from(
    starts,
    (_, t) =>
      Array.from(posteriors.subarray(t * n, (t + 1) * n), (p) => Math.round(p * DIGITS) / DIGITS),
  );
  return JSON.stringify({ text, labels, starts: [...starts], ends: [...ends], posteriors: rows }) +
    "\n";
}
