/**
 * A text with its entities made visible: coloured for a terminal, in brackets for everything else.
 *
 * A colour is a bright background under black letters, which reads on dark and on light terminals
 * alike, and the type's name stands beside it, so that nothing depends on telling colours apart. Entities should
 * end where clusters do (`boundary: "grapheme"`): a vowel sign behind a mark would be drawn on its own.
 *
 * @module
 */
import type { Entity } from "../../mod.ts";
import { visible } from "./visible.ts";

/** Renders one document. */
export type Render = (text: string, entities: readonly Entity[]) => string;

/** Copies the text and puts `mark(entity)` in place of each entity; an overlapping one is left out. */
function replaceEntities(
  text: string,
  entities: readonly Entity[],
  plain: (text: string) => string,
  mark: (text: string, type: string) => string,
): string {
  let result = "";
  let at = 0;
  for (const { start, end, type } of [...entities].sort((a, b) => a.start - b.start)) {
    if (start < at) continue;
    result += plain(text.slice(at, start)) + mark(text.slice(start, end), type);
    at = end;
  }
  return result + plain(text.slice(at));
}

/** `তাকে [প্যারাসিটামল MED] দিন`: for pipes, logs and terminals without colour. */
export const bracketed: Render = (text, entities) =>
  replaceEntities(
    text,
    entities,
    (part) => part,
    (part, type) => `[${part} ${visible(type, true)}]`,
  );

/** Backgrounds by their SGR codes, from the 16 colours that every terminal has: bright ones. */
const BACKGROUNDS = [106, 103, 102, 105, 107, 101, 104];

/** A renderer with one colour a type, in the order of `types`; further types get colours as they come. */
export function highlighter(types: readonly string[]): Render {
  const known = new Map(types.map((type, index) => [type, index]));
  const mark = (text: string, type: string): string => {
    if (!known.has(type)) known.set(type, known.size);
    const background = BACKGROUNDS[known.get(type)! % BACKGROUNDS.length];
    return `\x1b[30;${background}m ${visible(text)} \x1b[1m${visible(type, true)}\x1b[22m \x1b[0m`;
  };
  return (text, entities) => replaceEntities(text, entities, (part) => visible(part), mark);
}
