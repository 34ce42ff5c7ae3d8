/**
 * Texts from files, packed or not; folders that are there whole or not at all, files of labelled texts in them; and what is
 * said where none of it can be.
 *
 * @module
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { LabelledText } from "../../train.ts";

/** Says to people what is missing, or not as it must be. */
export class Refusal extends Error {}

/** A file of text, unpacked if its name ends in `.gz`. */
export function textIn(path: string): string {
  const bytes = readFileSync(path);
  return (/\.gz$/i.test(path) ? gunzipSync(bytes) : bytes).toString("utf8");
}

/** Labelled texts, a line of JSON each. */
export function jsonl(texts: readonly Pick<LabelledText, "text" | "entities">[]): string {
  return texts.map(({ text, entities }) => JSON.stringify({ text, entities }) + "\n").join("");
}

/** Writes a folder whole or not at all. */
export function writeWhole(
  folder: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): void {
  const temporary = `${folder}.tmp`;
  rmSync(temporary, { recursive: true, force: true });
  mkdirSync(temporary, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(temporary, name), content);
  }
  renameSync(temporary, folder);
}
