/**
 * Models of several files on a disk, for Deno, Bun and Node: `node:fs/promises`, which all three have. Loaded when one is asked for.
 *
 * A folder's files are regular files in it, or links to such in the store of a Hugging Face cache: devices and pipes
 * never end, and a link to elsewhere is not the model's.
 *
 * @module
 */
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { RuntimeError } from "../errors.ts";
import { type Folder, SUBFOLDERS } from "../formats/folder.ts";
import { attempt, ioError, type Opened } from "./source.ts";
import type { SourceOptions } from "./source_options.ts";

/** An ONNX file, and the folder that it is of. */
export async function graphAt(path: string, options: SourceOptions): Promise<Opened> {
  const [above, sub] = await rootOf(dirname(path));
  return { ...await listed(above, sub === "" ? [] : [sub], options), graph: sub + basename(path) };
}

/** The folder that a folder's configuration is in: itself or the one above it; and its place there. */
async function rootOf(folder: string): Promise<[root: string, sub: string]> {
  const has = (place: string): Promise<boolean> =>
    stat(join(place, "config.json")).then((found) => found.isFile(), () => false);
  const above = join(folder, "..");
  return await has(folder) || !await has(above)
    ? [folder, ""]
    : [above, `${basename(await attempt(folder, () => realpath(folder)))}/`];
}

/** A folder as it was named; a hub model's `onnx/` stands for the model. */
export async function folderAt(path: string, options: SourceOptions): Promise<Folder> {
  const [root, sub] = /^onnx\/?$/.test(basename(path)) ? await rootOf(path) : [path, ""];
  return await listed(root, sub === "" ? SUBFOLDERS : [sub], options);
}

/** Names of the files in a folder; a Hugging Face cache links them, so links are listed as well. */
async function namesIn(folder: string): Promise<string[]> {
  const entries = await attempt(folder, () => readdir(folder, { withFileTypes: true }));
  return entries.filter((e) => e.isFile() || e.isSymbolicLink()).map((e) => e.name).sort();
}

async function listed(
  path: string,
  subfolders: readonly string[],
  { signal, onProgress }: SourceOptions,
): Promise<Folder> {
  const own = await namesIn(path), names = [...own];
  for (const sub of subfolders) {
    const place = join(path, sub), found = await stat(place).catch(() => undefined);
    if (found?.isDirectory()) names.push(...(await namesIn(place)).map((name) => sub + name));
  }
  return {
    location: path,
    names,
    async read(name): Promise<Uint8Array> {
      if (!names.includes(name)) throw ioError("read", join(path, name), { code: "ENOENT" });
      signal?.throwIfAborted();
      const bytes = await readBytes(await fileIn(path, name)), { length } = bytes;
      onProgress?.({ file: name, loaded: length, total: length, cached: false });
      return bytes;
    },
  };
}

/** The path of a file in a folder, links followed: a regular file in that folder, or in the `blobs` of its cache. */
async function fileIn(folder: string, name: string): Promise<string> {
  const path = join(folder, name), real = await attempt(path, () => realpath(path));
  const homes = [folder, join(folder, "..", "..", "blobs")].map((home) =>
    realpath(home).then((home) => join(home, "/"), () => undefined)
  );
  const inside = (await Promise.all(homes)).some((home) =>
    home !== undefined && real.startsWith(home)
  );
  if (!inside) {
    throw new RuntimeError("runtime/read", `${path} is a link that leads out of its folder.`);
  }
  if (!(await attempt(path, () => stat(real))).isFile()) {
    throw new RuntimeError("runtime/read", `${path} is not a regular file.`);
  }
  return real;
}

async function readBytes(path: string): Promise<Uint8Array> {
  const buffer = await attempt(path, () => readFile(path));
  // A plain view: Node's Buffer changes what `slice` means.
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
