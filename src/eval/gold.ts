/**
 * A document with its gold entities, one JSON object a line: what annotation tools export and
 * `extract --format jsonl` prints.
 *
 *     {"text": "...", "entities": [{"type": "MED", "start": 0, "end": 12}]}
 *
 * The list may also be called `spans`, as in Prodigy and spaCy, and a type `label`. Offsets count UTF-16 code
 * units, the end exclusive. Python counts code points, which differ beyond the Basic Multilingual Plane; an
 * entity's own `text`, where it is given, shows such a slip.
 *
 * @module
 */
import { FormatError, show } from "../errors.ts";
import type { Span } from "./spans.ts";

/** A document with its gold entities. */
export interface GoldDocument {
  /** The text that offsets index. */
  readonly text: string;
  /** In the line's order; they may overlap. */
  readonly entities: readonly Span[];
  /** The whole object, for fields of the caller's own. */
  readonly fields: Readonly<Record<string, unknown>>;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Reads one line; `where` is how messages call it, for instance `train.jsonl, line 3`.
 *
 * Throws {@link FormatError}: `data/json` for what is not a JSON object with a text and a list of entities,
 * `data/span` for an entity without a type, or whose offsets do not select what they should.
 */
export function parseGold(line: string, where: string): GoldDocument {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new FormatError("data/json", `${where}: not JSON (${(error as Error).message})`, {
      cause: error,
    });
  }
  const fields = isObject(value) ? value : {};
  const { text } = fields;
  if (typeof text !== "string") {
    throw new FormatError("data/json", `${where}: "text" is missing or not a string`);
  }
  const list = fields["entities"] ?? fields["spans"];
  if (!Array.isArray(list)) {
    throw new FormatError("data/json", `${where}: "entities" is missing or not a list`);
  }
  const entities = list.map((entity: unknown, i) => {
    return parseSpan(isObject(entity) ? entity : {}, text, `${where}: entity ${i + 1}`);
  });
  return { text, entities, fields };
}

function parseSpan(entity: Readonly<Record<string, unknown>>, text: string, where: string): Span {
  const wrong = (what: string): FormatError => new FormatError("data/span", `${where} ${what}`);
  const { start, end, text: own } = entity, type = entity["type"] ?? entity["label"];
  if (typeof type !== "string" || type === "") throw wrong('has no "type"');
  if (!Number.isInteger(start) || !Number.isInteger(end)) {
    throw wrong('needs whole numbers "start" and "end"');
  }
  const [from, to] = [start as number, end as number];
  if (from < 0 || from >= to || to > text.length) {
    throw wrong(`is ${from}..${to} in a text of ${text.length} UTF-16 code units`);
  }
  if (own !== undefined && own !== text.slice(from, to)) {
    throw wrong(
      `is ${show(own)}, but ${from}..${to} selects ` +
        `${show(text.slice(from, to))}; offsets count UTF-16 code units`,
    );
  }
  return { type, start: from, end: to };
}
