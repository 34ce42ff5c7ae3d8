/**
 * A model's files from disk: a package, an export or a checkpoint, and how large they are.
 *
 * `Ner.load` reads these, too, but hands out a recogniser; `convert`, `inspect` and `verify` need the model
 * itself and its files, and take the path of a graph as well as of its folder.
 *
 * @module
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type FolderContent, readFolder } from "../../mod.ts";

/** A model's files by role. */
export interface ModelFiles {
  readonly content: FolderContent;
  /** Sizes in bytes of all files that were read, by name. */
  readonly sizes: Readonly<Record<string, number>>;
}

/** Reads a whole file as a plain view, without the surprises of Node's Buffer. */
export async function readBytes(path: string): Promise<Uint8Array> {
  const buffer = await readFile(path);
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** Reads a package, an ONNX file with what lies beside it, or a folder that `readFolder` understands. */
export async function readModelFiles(path: string): Promise<ModelFiles> {
  const file = (await stat(path)).isDirectory() ? undefined : basename(path);
  if (file !== undefined && !/\.onnx$/i.test(file)) {
    const bytes = await readBytes(path);
    return { content: { kind: "package", bytes }, sizes: { [file]: bytes.length } };
  }
  const location = file === undefined ? path : dirname(path);
  const sizes: Record<string, number> = {};
  const content = await readFolder({
    location,
    names: (await readdir(location, { withFileTypes: true }))
      .filter((entry) => !entry.isDirectory()).map((entry) => entry.name).sort(),
    async read(name): Promise<Uint8Array> {
      const bytes = await readBytes(join(location, name));
      sizes[name] = bytes.length;
      return bytes;
    },
  }, { graph: file });
  return { content, sizes };
}
