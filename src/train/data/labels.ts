/**
 * From entities at characters to labels at tokens, and what is lost on the way.
 *
 * A token has the label of the entity that its first character lies in. Where an entity ends inside a token, what
 * the labels say is longer than what the data say, and where it lies inside one, nothing says it: such entities count
 * as errors of any model with this tokenizer, however well it is trained. {@link reachOf} counts them before anyone
 * waits for that.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import { parseTags, spansOf, type Tag } from "../../crf/scheme.ts";
import { scoreSpans, type Span, type SpanScores } from "../../eval/spans.ts";
import { placeOf } from "../../ner/places.ts";
import type { Encoding, Tokenizer } from "../../tokenizer/types.ts";
import type { LabelledText } from "../../corpus/text.ts";

/**
 * `O`, then `B-` and `I-` of each type that occurs, types by name; or `known` labels (those of the model that training
 * starts from), if they are of just these types. Throws {@link InputError} `input/data` for texts without an entity.
 */
export function labelsOf(texts: readonly LabelledText[], known?: readonly string[]): string[] {
  const types = new Set(texts.flatMap(({ entities }) => entities.map(({ type }) => type)));
  if (types.size === 0) {
    throw new InputError("input/data", "the data have no entity: there is nothing to learn.");
  }
  if (known !== undefined) {
    const tags = parseTags(known).filter(({ role }) => role !== "outside");
    const same = new Set(tags.map(({ type }) => type));
    if (same.size === types.size && [...same].every((type) => types.has(type))) return [...known];
  }
  return ["O", ...[...types].sort().flatMap((type) => [`B-${type}`, `I-${type}`])];
}

/** Writes entities as labels, in any scheme of `crf/scheme.ts`. */
export class Labeller {
  /** The labels, taken apart. */
  readonly tags: readonly Tag[];
  readonly #columns = new Map<string, number>();
  readonly #outside: number;

  /** Throws {@link InputError} `input/labels` for labels without an `O`. */
  constructor(labels: readonly string[]) {
    this.tags = parseTags(labels);
    this.tags.forEach(({ role, type }, column) => {
      const key = `${role} ${type}`;
      if (!this.#columns.has(key)) this.#columns.set(key, column);
    });
    this.#outside = this.tags.findIndex(({ role }) => role === "outside");
    if (this.#outside < 0) {
      throw new InputError("input/labels", `there is no label O among ${labels.join(", ")}.`);
    }
  }

  /**
   * The label of each token, `[tokens]`; entities in order, as an example has them. Throws {@link InputError}
   * `input/labels` for an entity of a type that has no label.
   */
  label(
    entities: readonly Span[],
    { starts, ends }: Pick<Encoding, "starts" | "ends">,
  ): Int32Array {
    const path = new Int32Array(starts.length).fill(this.#outside);
    let token = 0;
    for (const { type, start, end } of entities) {
      while (token < starts.length && starts[token]! < start) token++;
      // A token without a place of its own (SentencePiece's `▁`) begins nothing.
      while (token < starts.length && starts[token] === ends[token]) token++;
      const first = token;
      while (token < starts.length && starts[token]! < end) token++;
      for (let t = first; t < token; t++) {
        path[t] = this.#column(type, t === first, t + 1 === token);
      }
    }
    return path;
  }

  /** Entities as the labels say them, at characters. */
  entities(path: Int32Array, { starts, ends }: Pick<Encoding, "starts" | "ends">): Span[] {
    return spansOf(path, this.tags).flatMap((span): Span[] => {
      const place = placeOf(span, starts, ends);
      return place ? [{ type: span.type, ...place }] : [];
    });
  }

  /** The column for a token that is first or last of its entity, or both; what a scheme lacks is `B-` or `I-`. */
  #column(type: string, first: boolean, last: boolean): number {
    const roles = first
      ? (last ? ["single", "begin", "inside", "plain"] : ["begin", "inside", "plain"])
      : (last ? ["end", "inside", "plain"] : ["inside", "plain"]);
    for (const role of roles) {
      const column = this.#columns.get(`${role} ${type}`);
      if (column !== undefined) return column;
    }
    throw new InputError(
      "input/labels",
      `no label can say ${
        first ? "that an entity begins" : "more than an entity's first token"
      }: ` +
        `there is none of the type ${type} for it.`,
    );
  }
}

/** An entity that no labels can say right. */
export interface OutOfReach {
  /** What the data say. */
  readonly entity: Span;
  /** Where its text stands. */
  readonly where: string;
  /** The characters that the data say. */
  readonly gold: string;
  /** Those that the nearest labels say; empty where nothing says it. */
  readonly nearest: string;
}

/** What of the data a tokenizer can say. */
export interface Reach {
  /** Strict scores of the gold labels themselves against the gold entities: no model scores higher. */
  readonly ceiling: SpanScores;
  /** Entities whose boundaries lie within tokens, so that a model can at best find others. */
  readonly moved: number;
  /** Entities that no token begins in. */
  readonly lost: number;
  /** The first few of both of each type. */
  readonly samples: readonly OutOfReach[];
}

/** Samples of each type. */
const SAMPLES = 2;

/** Writes all entities as labels and reads them back. */
export function reachOf(
  texts: readonly LabelledText[],
  tokenizer: Tokenizer,
  labeller: Labeller,
): Reach {
  const said: Span[][] = [], samples: OutOfReach[] = [], kept = new Map<string, number>();
  let moved = 0, lost = 0;
  for (const { text, entities, where } of texts) {
    const encoding = tokenizer.encode(text);
    const spans = labeller.entities(labeller.label(entities, encoding), encoding);
    said.push(spans);
    for (const entity of entities) {
      const { type, start, end } = entity;
      if (spans.some((s) => s.type === type && s.start === start && s.end === end)) continue;
      const nearest = spans.find((s) => s.type === type && s.start < end && start < s.end);
      if (nearest === undefined) lost++;
      else moved++;
      const count = kept.get(type) ?? 0;
      if (count === SAMPLES) continue;
      kept.set(type, count + 1);
      samples.push({
        entity,
        where,
        gold: text.slice(start, end),
        nearest: nearest === undefined ? "" : text.slice(nearest.start, nearest.end),
      });
    }
  }
  return { ceiling: scoreSpans(texts.map(({ entities }) => entities), said), moved, lost, samples };
}
