/**
 * Files that are there whole or not at all: written under another name, made durable, then renamed.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A file on its way. */
export class WholeFile {
  /** Bytes written so far. */
  size = 0;
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: FileHandle;

  private constructor(path: string, temporary: string, file: FileHandle) {
    this.#path = path;
    this.#temporary = temporary;
    this.#file = file;
  }

  /** Begins a file that will be at `path`. Its other name is its own: others may be writing the same one. */
  static async create(path: string): Promise<WholeFile> {
    await mkdir(dirname(path), { recursive: true });
    const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
    return new WholeFile(path, temporary, await open(temporary, "wx"));
  }

  /** Appends text. */
  async write(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await this.#file.write(bytes, at, bytes.length - at);
      at += bytesWritten;
    }
    this.size += bytes.length;
  }

  /** Makes it durable and gives it its name, in the place of what had it. */
  async commit(): Promise<void> {
    await this.#file.sync();
    await this.#file.close();
    await rename(this.#temporary, this.#path);
    // The name is durable when its folder is. Windows has no such thing, and nothing is lost by it there.
    const folder = await open(dirname(this.#path), "r").catch(() => undefined);
    await folder?.sync().catch(() => {});
    await folder?.close();
  }

  /** Gives it up. */
  async discard(): Promise<void> {
    await this.#file.close().catch(() => {});
    await rm(this.#temporary, { force: true });
  }
}

/** Writes a whole file at once. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const file = await WholeFile.create(path);
  try {
    await file.write(text);
    await file.commit();
  } catch (error) {
    await file.discard();
    throw error;
  }
}
