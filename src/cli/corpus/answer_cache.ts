/**
 * Answers of a paid service on disk, a file each, in folders by the first two digits of their keys.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { AnswerCache } from "../../../label.ts";
import { writeWhole } from "./whole_file.ts";

/** A cache in a folder, which several processes may share. */
export function answerCache(folder: string): AnswerCache {
  const pathOf = (key: string): string => join(folder, key.slice(0, 2), `${key}.json`);
  return {
    async get(key) {
      try {
        return await readFile(pathOf(key), "utf8");
      } catch (error) {
        if ((error as { code?: unknown }).code === "ENOENT") return undefined;
        throw error;
      }
    },
    set: (key, answer) => writeWhole(pathOf(key), answer),
  };
}
