/**
 * The files of a corpus: named one by one, by folder or by pattern; what each holds is told from its name.
 *
 * `.jsonl`: an object with a `text` a line, whose other fields are kept. `.txt`: a document a line. `.tsv`: a table with a
 * header, one of whose columns is the text. Any of them packed: `.gz`, `.zst`.
 *
 * @module
 */
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { glob } from "tinyglobby";
import { UsageError } from "../errors.ts";

/** A file of documents. */
export interface InputFile {
  /** Absolute. */
  readonly path: string;
  /** Bytes on disk. */
  readonly size: number;
  readonly format: "jsonl" | "txt" | "tsv";
  readonly packing: "gz" | "zst" | undefined;
}

const NAME = /\.(jsonl|txt|tsv)(?:\.(gz|zst))?$/i;

function inputOf(path: string): InputFile {
  const [, format, packing] = NAME.exec(path) ?? [];
  if (format === undefined) {
    throw new UsageError(
      `${path}: expected .jsonl, .txt or .tsv, perhaps packed as .gz or .zst: the name says what a file holds`,
    );
  }
  return {
    path: resolve(path),
    size: statSync(path).size,
    format: format.toLowerCase() as InputFile["format"],
    packing: packing?.toLowerCase() as InputFile["packing"],
  };
}

/**
 * The files that arguments name, each once, in the order of their paths. Of folders and patterns the files with a known name
 * count. Throws {@link UsageError} for an argument that names none.
 */
export async function findInputs(names: readonly string[]): Promise<InputFile[]> {
  const found = new Map<string, InputFile>();
  for (const name of names) {
    const there = existsSync(name), isFolder = there && statSync(name).isDirectory();
    const paths = there && !isFolder ? [name] : await glob(isFolder ? "**/*" : name, {
      ...(isFolder && { cwd: name }),
      absolute: true,
      expandDirectories: false,
    });
    const known = there && !isFolder ? paths : paths.filter((path) => NAME.test(path));
    if (known.length === 0) {
      throw new UsageError(
        there
          ? `${name}: holds no .jsonl, .txt or .tsv file, packed or not`
          : `${name}: no such file or folder, and no file matches`,
      );
    }
    for (const path of known) {
      const input = inputOf(path);
      found.set(input.path, input);
    }
  }
  return [...found.values()].sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
}
