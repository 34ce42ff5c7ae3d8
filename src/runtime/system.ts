/**
 * The little that loading a packed model asks of the operating system, for Deno, Bun and Node, by Node's names for it.
 *
 * The package's build leaves this file beside the library, as `#system` of its package.json, where Deno finds `system_deno.ts`
 * instead: the modules of Node that are free elsewhere take Deno a third of a cold start to make.
 *
 * @module
 */
import { open, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";

/** A file that is read from its beginning to its end. */
export interface OpenFile {
  /** Fills some of `into` with what comes next; resolves to how many bytes, 0 at the end. */
  read(into: Uint8Array): Promise<number>;
  close(): Promise<void> | void;
}

/** What a path leads to. */
export interface PathKind {
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  readonly size: number;
}

/** What a path leads to, links followed. */
export async function kindOf(path: string): Promise<PathKind> {
  const found = await stat(path);
  return { isFile: found.isFile(), isDirectory: found.isDirectory(), size: found.size };
}

/** Opens a file to read. */
export async function openFile(path: string): Promise<OpenFile> {
  const file = await open(path);
  return {
    read: async (into) => (await file.read(into, 0, into.length, null)).bytesRead,
    close: () => file.close(),
  };
}

/** The path of a `file:` URL; rejects if it is of another machine, or none. */
export function pathOf(url: URL): Promise<string> {
  return Promise.resolve().then(() => fileURLToPath(url));
}

/** Cores that a program may use; Node 20 has no navigator. */
export const cores: number = globalThis.navigator?.hardwareConcurrency ?? availableParallelism();
