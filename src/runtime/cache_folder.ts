/**
 * Downloads kept in a folder, for Deno, Bun and Node.
 *
 * A file is written beside its place and then moved there, so that what is found is whole, whoever else writes at the
 * same time. Its name is the SHA-256 of its URL and, for people, that URL's last part.
 *
 * @module
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { NerError, RuntimeError } from "../errors.ts";
import type { ByteSource } from "../formats/package/stream.ts";
import { fileChunks } from "./files.ts";
import type { ModelCache } from "./source.ts";

/** Where a user's caches are. */
export function userCache(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  return join(XDG_CACHE_HOME || LOCALAPPDATA || join(homedir(), ".cache"), "edge-ner");
}

/** The cache in a folder, which is made when there is something to keep. */
export function cacheFolder(folder: string): ModelCache {
  const placeOf = (url: string): string => {
    const digest = createHash("sha256").update(url).digest("hex").slice(0, 32);
    const name = new URL(url).pathname.split("/").at(-1)!.replace(/[^\w.-]/g, "_").slice(-80);
    return join(folder, `${digest}-${name}`);
  };
  const get = async (url: string): Promise<ByteSource | undefined> => {
    const path = placeOf(url), found = await stat(path).catch(() => undefined);
    return found?.isFile() ? { size: found.size, chunks: fileChunks(path) } : undefined;
  };
  return {
    get,
    async put(url, { chunks }): Promise<ByteSource> {
      const path = placeOf(url), part = `${path}.${randomUUID()}.part`;
      try {
        await mkdir(folder, { recursive: true });
        const file = await open(part, "wx");
        try {
          for await (const chunk of chunks) await file.writeFile(chunk);
        } finally {
          await file.close();
        }
        await rename(part, path);
      } catch (cause) {
        await rm(part, { force: true }).catch(() => {});
        // What ended the download, the caller's own reason among it, has no code of the system's.
        const { code } = (cause ?? {}) as { code?: unknown };
        if (cause instanceof NerError || typeof code !== "string") throw cause;
        throw new RuntimeError("runtime/cache", `The cache in ${folder} does not take ${url}.`, {
          cause,
        });
      }
      return (await get(url))!;
    },
    delete: (url) => rm(placeOf(url), { force: true }),
  };
}
