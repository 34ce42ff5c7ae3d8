/**
 * SHA-256 of what is read, compared with what the caller knows of it: whoever wrote the file, and whatever has it in
 * between, it is the one that was meant.
 *
 * The digest is taken as the bytes come, which WebCrypto cannot do, so that a packed model still never lies in memory as a
 * whole. The last bytes are handed on only when the digest is right.
 *
 * @module
 */
import { sha256 } from "npm:@noble/hashes@2.4.0/sha2.js";
import { InputError, RuntimeError, show } from "../errors.ts";
import type { Folder } from "../formats/folder.ts";
import type { ByteSource } from "../formats/package/stream.ts";
import { digitsOf, hexOf } from "./digest.ts";

function compare(name: string, found: Uint8Array, expected: string): void {
  const hex = hexOf(found);
  if (hex === digitsOf(expected)) return;
  throw new RuntimeError(
    "runtime/integrity",
    `the SHA-256 of ${name} is ${hex}; expected ${
      digitsOf(expected)
    }: it is damaged, or not the file that was meant.`,
  );
}

async function* verifiedChunks(
  { chunks, size }: ByteSource,
  name: string,
  expected: string,
): AsyncGenerator<Uint8Array> {
  const hash = sha256.create();
  let loaded = 0, whole = false;
  for await (const chunk of chunks) {
    hash.update(chunk);
    loaded += chunk.length;
    // Who knows the size does not ask for what comes after the last byte.
    if (loaded === size) compare(name, hash.digest(), expected), whole = true;
    yield chunk;
  }
  if (!whole) compare(name, hash.digest(), expected);
}

/**
 * What was opened, with its bytes compared to `integrity`.
 *
 * @throws {InputError} `input/option` for a digest of a folder, for names of a file, and for names that the folder does not
 * have
 * @throws {RuntimeError} `runtime/integrity`, while it is read, if the bytes are others
 */
export function verified<Opened extends ByteSource | Folder>(
  opened: Opened,
  integrity: string | Readonly<Record<string, string>>,
): Opened {
  const fail = (message: string): never => {
    throw new InputError("input/option", `integrity ${message}.`);
  };
  if ("chunks" in opened) {
    if (typeof integrity !== "string") {
      return fail("has names of files, but what is loaded is one file; expected its digest");
    }
    return { ...opened, chunks: verifiedChunks(opened, "the model", integrity) };
  }
  if (typeof integrity === "string") {
    return fail(
      `is one digest, but ${opened.location} holds several files; expected an object of digests by their names`,
    );
  }
  const missing = Object.keys(integrity).find((name) => !opened.names.includes(name));
  if (missing !== undefined) {
    return fail(`names ${show(missing)}, which is none of the files of ${opened.location}`);
  }
  return {
    ...opened,
    async read(name: string): Promise<Uint8Array> {
      const bytes = await opened.read(name);
      if (Object.hasOwn(integrity, name)) compare(name, sha256(bytes), integrity[name]);
      return bytes;
    },
  };
}
