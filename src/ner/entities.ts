/**
 * Emissions to entities: the best path, its spans, where they lie in the text and how sure they are.
 *
 * Whose emissions they are does not matter: another engine's, beside our tokenizer and CRF, become entities
 * here as well.
 *
 * @module
 */
import { atOnce, type Crf, type Lattice } from "../crf/crf.ts";
import { continuation, spansOf, type Tag } from "../crf/scheme.ts";
import type { Encoding } from "../tokenizer/types.ts";
import { type Boundary, fitting } from "./boundaries.ts";
import { placeOf } from "./places.ts";

/** Spans whose scores are summed between two pauses. */
const SPANS = 32;

/** An entity found in a text. */
export interface Entity {
  /** Entity type, a label without its prefix. */
  type: string;
  /** The entity as it stands in the text: `text.slice(start, end)`. */
  text: string;
  /** First UTF-16 code unit. */
  start: number;
  /** One past the last UTF-16 code unit. */
  end: number;
  /**
   * Probability, under the model, that the text has exactly the span of its tokens with this type: 0 to 1. Of an entity that was
   * widened (to a boundary, to whole words), that of the span that the model found.
   */
  score: number;
}

/**
 * Entities of a text, from left to right, given where its tokens lie and their emissions, float32
 * `[tokens, labels]`. A span none of whose tokens has a place in the text is left out.
 *
 * @param tags the labels taken apart, as the CRF was made for them
 * @throws {InputError} `input/emissions` if the emissions are not whole, finite rows
 */
export function entitiesOf(
  text: string,
  places: Pick<Encoding, "starts" | "ends">,
  emissions: Float32Array,
  crf: Crf,
  tags: readonly Tag[],
  boundary: Boundary = "model",
): Entity[] {
  return atOnce(findingEntities(text, places, emissions, crf, tags, boundary));
}

/**
 * {@link entitiesOf} in pieces; nobody else may ask the CRF before the last. What `settle` makes of the entities, by
 * rules that know nothing of scores, is what is fitted to the boundary.
 */
export function* findingEntities(
  text: string,
  { starts, ends }: Pick<Encoding, "starts" | "ends">,
  emissions: Float32Array,
  crf: Crf,
  tags: readonly Tag[],
  boundary: Boundary,
  settle = (entities: Entity[]): Entity[] => entities,
): Generator<void, Entity[]> {
  const path = (yield* crf.decoding(emissions)).labels;
  const lattice = spansOf(path, tags).length > 0 ? yield* crf.summing(emissions) : undefined;
  const found = yield* entitiesOn(path, text, { starts, ends }, emissions, crf, tags, lattice);
  return yield* fitting(text, settle(found), boundary);
}

/** Entities of a path of labels, in pieces; the lattice may only be missing where there are none. */
function* entitiesOn(
  path: Int32Array,
  text: string,
  { starts, ends }: Pick<Encoding, "starts" | "ends">,
  emissions: Float32Array,
  crf: Crf,
  tags: readonly Tag[],
  lattice: Lattice | undefined,
): Generator<void, Entity[]> {
  const entities: Entity[] = [];
  for (const [i, span] of spansOf(path, tags).entries()) {
    const place = placeOf(span, starts, ends);
    if (!place) continue;
    const { type } = span, { start, end } = place;
    const inside = continuation(path[span.last], tags);
    const score = crf.spanProbability(emissions, path, span, inside, lattice!);
    entities.push({ type, text: text.slice(start, end), start, end, score });
    if (i % SPANS === SPANS - 1) yield;
  }
  return entities;
}

/** One way to read a text. */
export interface Reading {
  /** Its entities, from left to right. */
  entities: Entity[];
  /** How probable, among all paths of labels, those are together that were looked at and give these entities: 0 to 1. */
  probability: number;
}

/** Paths that are looked at for each reading that is wanted: several may have the same entities. */
const PATHS_EACH = 8;

/**
 * The `count` most probable readings of a text, in pieces. Paths may differ where what is left of their entities does not, after
 * `settle`, the boundary and `isWanted`: they are one reading, as probable as all of them, with the scores of the best.
 */
export function* findingReadings(
  count: number,
  text: string,
  places: Pick<Encoding, "starts" | "ends">,
  emissions: Float32Array,
  crf: Crf,
  tags: readonly Tag[],
  boundary: Boundary,
  settle: (entities: Entity[]) => Entity[],
  isWanted: (entity: Entity) => boolean,
): Generator<void, Reading[]> {
  const { paths, lattice } = yield* crf.readings(emissions, PATHS_EACH * count);
  // A text without tokens has no path, and reads in one way.
  const ways = paths.length > 0 ? paths : [{ labels: new Int32Array(0), probability: 1 }];
  const readings = new Map<string, Reading>();
  for (const { labels, probability } of ways) {
    const found = yield* entitiesOn(labels, text, places, emissions, crf, tags, lattice);
    const entities = (yield* fitting(text, settle(found), boundary)).filter(isWanted);
    const key = JSON.stringify(entities.map(({ type, start, end }) => [type, start, end]));
    const same = readings.get(key);
    if (same) same.probability = Math.min(1, same.probability + probability);
    else readings.set(key, { entities, probability });
    yield;
  }
  // Sorting keeps the order of equals.
  return [...readings.values()].sort((a, b) => b.probability - a.probability).slice(0, count);
}
