/**
 * Files of labelled texts, of whatever kind, for all commands that read such.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { dataFormatOf, type LabelledText, type ReadOptions, readTexts } from "../../train.ts";
import { UsageError } from "./errors.ts";
import { complain } from "./output.ts";
import { readText } from "./text_files.ts";

/** The text that brat's entities are of: the file of the same name. */
function besideOf(path: string): { content: string; name: string } {
  const name = path.replace(/\.[^./\\]*$/, "") + ".txt";
  if (name !== path && existsSync(name)) return { content: readText(name), name };
  throw new UsageError(`${path}: expected the text beside it, ${name}`);
}

/** The texts of a file; warnings go to stderr. */
export function readLabelled(path: string, options: ReadOptions = {}): readonly LabelledText[] {
  const brat = (options.format ?? dataFormatOf(path)) === "brat";
  const { texts, warnings } = readTexts(readText(path), path, {
    ...options,
    ...(brat && { beside: besideOf(path) }),
  });
  for (const warning of warnings) complain(`warning: ${warning}`);
  return texts;
}
