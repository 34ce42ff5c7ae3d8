/**
 * Text files as commands take them in: plain, or packed with gzip where the name ends in `.gz`.
 *
 * @module
 */
import { createReadStream, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createGunzip, gunzipSync } from "node:zlib";
import { UsageError } from "./errors.ts";

const GZIP = /\.gz$/i;

/** Files of a folder that are taken for text. */
const TEXT = /\.txt(\.gz)?$/i;

/** Files by name, and those of folders and their folders that end in `.txt` or `.txt.gz`, in the order of their names. */
export function textFiles(paths: readonly string[]): string[] {
  const files = paths.flatMap((path): string[] => {
    if (!statSync(path).isDirectory()) return [path];
    const inside = readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() || TEXT.test(entry.name))
      .map(({ name }) => join(path, name)).sort();
    return textFiles(inside);
  });
  if (files.length > 0 || paths.length === 0) return files;
  throw new UsageError(`${paths[0]}: holds no .txt or .txt.gz file`);
}

function notGzip(path: string, error: unknown): UsageError {
  return new UsageError(`${path}: is no gzip file (${(error as Error).message})`);
}

/** A file's bytes, unpacked, as they come. Throws {@link UsageError} for a `.gz` that is none. */
export async function* openText(path: string): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path);
  if (!GZIP.test(path)) {
    yield* file as AsyncIterable<Uint8Array>;
    return;
  }
  const unpacked = createGunzip();
  // A file that cannot be opened must end what reads from it.
  file.on("error", (error) => unpacked.destroy(error));
  try {
    yield* file.pipe(unpacked) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw String((error as { code?: unknown }).code).startsWith("Z_")
      ? notGzip(path, error)
      : error;
  }
}

/** A file's text, unpacked. Throws {@link UsageError} for bytes that are not UTF-8, naming the first such line. */
export function readText(path: string): string {
  let bytes: Uint8Array = readFileSync(path);
  if (GZIP.test(path)) {
    try {
      bytes = gunzipSync(bytes);
    } catch (error) {
      throw notGzip(path, error);
    }
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const lines = new TextDecoder("utf-8").decode(bytes).split("\n");
    const bad = lines.findIndex((line) => line.includes("\uFFFD")) + 1;
    throw new UsageError(`${path}, line ${bad}: is not UTF-8; convert it first (iconv -t utf-8)`);
  }
}
