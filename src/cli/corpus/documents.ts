/**
 * The documents of a shard, as a stream; what is none comes as an error of its own, and the next line follows.
 *
 * @module
 */
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { Decompress } from "fzstd";
import { NerError } from "../../../mod.ts";
import { UsageError } from "../errors.ts";
import { MAX_LINE_BYTES } from "../lines.ts";
import type { Shard } from "./shards.ts";

/** A document, or a line that is none. */
export interface Document {
  /** First byte of its line in its file, unpacked. */
  readonly at: number;
  readonly text: string;
  /** What else its line says: the object's other fields, the row's other columns. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** What is wrong with it: then `text` is the line, as far as it could be read. */
  readonly error?: string;
}

const LF = 0x0a, CR = 0x0d;
/** Of a line that is refused for its length, what a dead letter shows. */
const SHOWN = 1024;

/** Documents of a shard in batches, as they are read; `column` is the text's in a table. */
export async function* readDocuments(
  shard: Shard,
  column: string,
): AsyncGenerator<Document[], void, undefined> {
  const header = shard.format === "tsv" ? await headerOf(shard) : undefined;
  for await (const lines of linesOf(shard)) {
    const documents = lines.filter(({ at }) => header === undefined || at > 0)
      .map((line) => documentOf(line, shard, column, header))
      .filter((document) => document !== undefined);
    if (documents.length > 0) yield documents;
  }
}

interface Line {
  readonly at: number;
  readonly text: string;
  readonly error?: string;
}

/** Blank lines are no documents, except in `.txt`, which has an output line for every line. */
function documentOf(
  { at, text, error }: Line,
  { format }: Shard,
  column: string,
  header: readonly string[] | undefined,
): Document | undefined {
  if (error !== undefined) return { at, text, fields: {}, error };
  if (format === "txt") return { at, text, fields: {} };
  if (text.trim() === "") return undefined;
  try {
    const { [column]: own, ...fields } = header === undefined
      ? objectOf(text)
      : rowOf(text, header);
    if (typeof own === "string") return { at, text: own, fields };
    return { at, text, fields: {}, error: `"${column}" is missing or not a string` };
  } catch (error) {
    return { at, text, fields: {}, error: (error as Error).message };
  }
}

function objectOf(line: string): Record<string, unknown> {
  const value: unknown = JSON.parse(line);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new TypeError("not a JSON object");
}

function rowOf(line: string, header: readonly string[]): Record<string, unknown> {
  const cells = line.split("\t");
  if (cells.length !== header.length) {
    throw new TypeError(`${cells.length} cells in a table of ${header.length} columns`);
  }
  return Object.fromEntries(header.map((name, i) => [name, cells[i]]));
}

/** The first line of a table, which stands in its first shard alone. */
async function headerOf(shard: Shard): Promise<string[]> {
  for await (const [line] of linesOf({ ...shard, from: 0, to: 1 })) return line!.text.split("\t");
  return [];
}

/** The lines that begin in a shard. */
async function* linesOf(shard: Shard): AsyncGenerator<Line[]> {
  const to = shard.to ?? Infinity;
  // The byte before it tells whether the first byte begins a line.
  let skipping = shard.from > 0, at = Math.max(0, shard.from - 1), begin = at;
  let pending: Uint8Array[] = [], size = 0, overlong = false;
  const take = (tail: Uint8Array, next: number): Line | undefined => {
    const start = begin, whole = overlong || skipping ? tail : concat(pending, tail);
    const line = skipping ? undefined : overlong ? tooLong(start, pending) : decode(start, whole);
    begin = next;
    pending = [];
    size = 0;
    overlong = skipping = false;
    return line;
  };
  for await (const chunk of bytesOf(shard, at)) {
    const lines: Line[] = [];
    let from = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, from)) {
      if (size + end - from > MAX_LINE_BYTES) overlong = true;
      const line = take(chunk.subarray(from, end), at + end + 1);
      if (line) lines.push(line);
      from = end + 1;
      if (begin >= to) {
        if (lines.length > 0) yield lines;
        return;
      }
    }
    at += chunk.length;
    size += chunk.length - from;
    if (size > MAX_LINE_BYTES) {
      overlong = true;
      pending = pending.slice(0, 1);
    } else if (!skipping && from < chunk.length) pending.push(chunk.slice(from));
    if (lines.length > 0) yield lines;
  }
  if (size > 0 && !skipping) {
    const line = take(new Uint8Array(0), at);
    if (line) yield [line];
  }
}

const strict = new TextDecoder("utf-8", { fatal: true }), lenient = new TextDecoder();

function decode(at: number, bytes: Uint8Array): Line {
  if (bytes.at(-1) === CR) bytes = bytes.subarray(0, -1);
  try {
    // The decoder drops a byte order mark, wherever a file may have one.
    return { at, text: strict.decode(bytes) };
  } catch {
    return { at, text: lenient.decode(bytes), error: "not UTF-8" };
  }
}

function tooLong(at: number, pending: readonly Uint8Array[]): Line {
  const text = lenient.decode(pending[0]?.subarray(0, SHOWN) ?? new Uint8Array(0));
  return { at, text, error: `longer than ${MAX_LINE_BYTES >> 20} MiB` };
}

function concat(parts: readonly Uint8Array[], tail: Uint8Array): Uint8Array {
  if (parts.length === 0) return tail;
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, tail.length));
  let at = 0;
  for (const part of [...parts, tail]) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A file's bytes from a place on, unpacked. A packed file that is damaged is an error of the shard, not of a line. */
async function* bytesOf({ path, packing }: Shard, start: number): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path, { start, highWaterMark: 1 << 18 });
  if (packing === undefined) return yield* file as AsyncIterable<Uint8Array>;
  try {
    if (packing === "gz") {
      const unpacked = createGunzip();
      file.on("error", (error) => unpacked.destroy(error));
      return yield* file.pipe(unpacked) as AsyncIterable<Uint8Array>;
    }
    let ready: Uint8Array[] = [];
    const unpack = new Decompress((chunk) => ready.push(chunk));
    for await (const chunk of file as AsyncIterable<Uint8Array>) {
      unpack.push(chunk);
      yield* ready;
      ready = [];
    }
    unpack.push(new Uint8Array(0), true);
    yield* ready;
  } catch (cause) {
    if (cause instanceof NerError || (cause as { syscall?: unknown }).syscall) throw cause;
    throw new DamagedFile(`${path}: is damaged (${(cause as Error).message})`, { cause });
  }
}

/** A packed file that cannot be unpacked: nobody else can either. */
export class DamagedFile extends UsageError {}
