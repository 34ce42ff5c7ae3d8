/**
 * Folders that are there whole or not at all, files of labelled texts in them, and what is said where neither can be.
 *
 * @module
 */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LabelledText } from "../../train.ts";

/** Says to people what is missing, or not as it must be. */
export class Refusal extends Error {}

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
