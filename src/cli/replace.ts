/**
 * Writing a model so that it is either not there or whole: beside its place, read back, checked, and then renamed.
 *
 * In a folder that is there already the files are exchanged one by one, each whole, and what else lies in it is
 * left alone.
 *
 * Weak: while files of an old folder are exchanged, a reader can meet some of either.
 *
 * @module
 */
import { existsSync, lstatSync, readdirSync, statSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import { UsageError } from "./errors.ts";
import { readBytes } from "./files.ts";

/** How something is written in the place of something else. */
export interface ReplaceOptions<Copy, Result = void> {
  /** Write over what is there. */
  readonly force: boolean;
  /** Gets the copy before it gets its name; what it throws leaves everything as it was. */
  check(copy: Copy): Promise<Result> | Result;
}

function checkParent(path: string): void {
  const parent = dirname(resolve(path));
  if (existsSync(parent) && statSync(parent).isDirectory()) return;
  throw new UsageError(`${path}: ${parent} is not a folder`);
}

/** Says what is wrong with writing a file to `path`, before any work is done. */
export function checkFile(path: string, { force }: { readonly force: boolean }): void {
  checkParent(path);
  // A link that leads nowhere is there, too.
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (there.isDirectory()) throw new UsageError(`${path}: is a folder, not a file`);
  if (!there.isFile()) {
    throw new UsageError(`${path}: is not a regular file, and no other kind is ever replaced`);
  }
  if (!force) throw new UsageError(`${path}: exists already; --force overwrites it`);
}

/** Says what is wrong with writing a folder to `path`, before any work is done. */
export function checkFolder(path: string, { force }: { readonly force: boolean }): void {
  checkParent(path);
  if (!existsSync(path)) return;
  if (!statSync(path).isDirectory()) throw new UsageError(`${path}: is a file, not a folder`);
  if (!force && readdirSync(path).length > 0) {
    throw new UsageError(`${path}: holds files already; --force writes over those of an export`);
  }
}

/** The path to write to first: in the same folder, so that renaming never copies. */
function temporaryOf(path: string): string {
  // Resolved, since `.` lies in no folder by name.
  const target = resolve(path);
  return join(dirname(target), `.${basename(target)}.${process.pid}.tmp`);
}

/** Writes a file that is not there yet and reads it back; throws if that gives anything else. */
async function writeNew(path: string, bytes: Uint8Array): Promise<Uint8Array> {
  const file = await open(path, "wx");
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  const copy = await readBytes(path);
  if (copy.length !== bytes.length || copy.some((byte, i) => byte !== bytes[i])) {
    throw new Error(`${path}: what was read back is not what was written`);
  }
  return copy;
}

/**
 * Writes a file that is then either not there or whole, and returns what `check` made of the bytes that were read
 * back.
 */
export async function replaceFile<Result>(
  path: string,
  bytes: Uint8Array,
  { force, check }: ReplaceOptions<Uint8Array, Result>,
): Promise<Result> {
  const temporary = temporaryOf(path);
  try {
    const result = await check(await writeNew(temporary, bytes));
    // Someone else may have made it meanwhile.
    checkFile(path, { force });
    await rename(temporary, path);
    return result;
  } finally {
    await rm(temporary, { force: true });
  }
}

/**
 * Writes a folder of files. A new one is either not there or whole; in an old one each file is. `check` gets the
 * path of the copy that is to get the name. `stale` are names that must not stay behind in an old folder.
 */
export async function replaceFolder(
  path: string,
  files: ReadonlyMap<string, Uint8Array>,
  { force, check, stale = [] }: ReplaceOptions<string> & { readonly stale?: readonly string[] },
): Promise<void> {
  const temporary = temporaryOf(path);
  try {
    await mkdir(temporary);
    for (const [name, bytes] of files) await writeNew(join(temporary, name), bytes);
    await check(temporary);
    // Someone else may have made it meanwhile.
    checkFolder(path, { force });
    if (!existsSync(path)) await rename(temporary, resolve(path));
    else {
      // The graph comes first among `files` and last into the folder, which without it is no export.
      for (const name of [...files.keys()].reverse()) {
        await rename(join(temporary, name), join(path, name));
      }
      for (const name of stale) {
        if (!files.has(name)) await rm(join(path, name), { force: true });
      }
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
