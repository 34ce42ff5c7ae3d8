/**
 * Models on a disk, for Deno, Bun and Node: a packed one is read as it is needed; for all else `folders.ts` is loaded.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import { told } from "./download.ts";
import { attempt, type Opened } from "./source.ts";
import type { SourceOptions } from "./source_options.ts";
import { kindOf, openFile } from "./system.ts";

/** Opens a packed model, a folder, or an ONNX file with what lies beside or above it. */
export async function openPath(path: string, options: SourceOptions): Promise<Opened> {
  const { isFile, isDirectory, size } = await attempt(path, () => kindOf(path));
  if (!isFile && !isDirectory) {
    throw new RuntimeError("runtime/read", `${path} is neither a file nor a folder.`);
  }
  if (isDirectory || /\.onnx$/i.test(path)) {
    const { graphAt, folderAt } = await import("./folders.ts");
    return isDirectory ? await folderAt(path, options) : await graphAt(path, options);
  }
  const name = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
  return told({ size, chunks: fileChunks(path) }, name, false, options);
}

/** A file's bytes, a megabyte at a time, the next of which is read while the last is looked at. */
export async function* fileChunks(path: string): AsyncGenerator<Uint8Array> {
  const file = await attempt(path, () => openFile(path));
  const read = (into: Uint8Array): Promise<number> => {
    const coming = attempt(path, () => file.read(into));
    // Told when it is waited for, which may be never.
    coming.catch(() => {});
    return coming;
  };
  let given = new Uint8Array(1 << 20), next = new Uint8Array(1 << 20);
  let coming = read(next);
  try {
    for (;;) {
      const length = await coming;
      if (length === 0) return;
      [given, next] = [next, given];
      coming = read(next);
      yield given.subarray(0, length);
    }
  } finally {
    await coming.catch(() => {});
    await file.close();
  }
}
