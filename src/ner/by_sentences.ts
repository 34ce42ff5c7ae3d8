/**
 * Entities of texts whose sentences are seen one by one; their places are those in the texts.
 *
 * @module
 */
import type { Pause } from "../backend/backend.ts";
import { sentencesOf } from "../segment/sentences.ts";
import type { Entity } from "./entities.ts";
import type { ExtractOptions } from "./options.ts";
import { Offsets } from "./output.ts";
import { checkText } from "./stream.ts";

/** `extract` of all sentences at once, which `options` no longer ask to be cut, put together text by text. */
export async function bySentences(
  texts: readonly string[],
  options: ExtractOptions,
  extract: (sentences: readonly string[], options: ExtractOptions) => Promise<Entity[][]>,
  pause: Pause,
  method: string,
): Promise<Entity[][]> {
  const places: { readonly text: number; readonly start: number }[] = [];
  const sentences: string[] = [];
  for (const [i, text] of texts.entries()) {
    checkText(text, method);
    for (const { start, end } of sentencesOf(text)) {
      places.push({ text: i, start });
      sentences.push(text.slice(start, end));
      await pause();
    }
  }
  const found = await extract(sentences, { ...options, offsets: undefined });
  const entities = texts.map((): Entity[] => []);
  const units = texts.map((text) => new Offsets(options.offsets ?? "utf16", text));
  places.forEach(({ text, start }, i) => {
    for (const entity of found[i]) {
      const placed = { ...entity, start: start + entity.start, end: start + entity.end };
      entities[text].push(units[text].of(placed));
    }
  });
  return entities;
}
