/**
 * What becomes of the entities that a model finds in a text before they are fitted to a boundary: what the model says of all its
 * entities, then a caller's rules.
 *
 * @module
 */
import type { Match } from "../lexicon/matcher.ts";
import type { Entity } from "./entities.ts";
import type { Parts } from "./parts.ts";
import { toWords } from "./whole_words.ts";

/** Settles the entities of a text, in which `matches` are where terms stand. */
export function settling(
  text: string,
  { wholeWords, terms }: Pick<Parts, "wholeWords" | "terms">,
  matches: readonly Match[],
): (entities: Entity[]) => Entity[] {
  return (entities) => {
    const own = wholeWords ? toWords(text, entities) : entities;
    return terms ? terms.settle(text, own, matches) : own;
  };
}
