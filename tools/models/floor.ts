/**
 * The floor that a model has to beat: a dictionary of its training texts' entities.
 *
 * Every entity is looked for in a text, longest first, as its commonest type: all of them, or those alone that training
 * texts label in at least half of the places where they stand. It knows names by heart and nothing else.
 *
 * @module
 */
import { findEntities } from "../../src/corpus/columns.ts";
import { scoreSpans, type SpanScores } from "../../mod.ts";
import type { LabelledText } from "../../train.ts";

type Text = Pick<LabelledText, "text" | "entities">;

/** The dictionary's strict scores, of entities that are labelled in at least this share of their places. */
export function floorOf(train: readonly Text[], test: readonly Text[], share: number): SpanScores {
  const counts = new Map<string, Map<string, number>>();
  for (const { text, entities } of train) {
    for (const { type, start, end } of entities) {
      const surface = text.slice(start, end), types = counts.get(surface) ?? new Map();
      counts.set(surface, types.set(type, (types.get(type) ?? 0) + 1));
    }
  }
  const types = [...new Set(train.flatMap(({ entities }) => entities.map(({ type }) => type)))];
  const entities = Array.from(counts, ([surface, own]) => {
    const labelled = [...own.values()].reduce((sum, count) => sum + count, 0);
    const places = share === 0 ? 0 : train.reduce(
      (sum, { text }) => text.includes(surface) ? sum + text.split(surface).length - 1 : sum,
      0,
    );
    const [[type]] = [...own].sort(([, a], [, b]) => b - a) as [[string, number]];
    return { surface, type, often: labelled >= share * places };
  }).filter(({ often }) => often);
  const found = test.map(({ text }) =>
    findEntities(text, entities.filter(({ surface }) => text.includes(surface)), types)
  );
  return scoreSpans(test.map(({ entities }) => entities), found);
}
