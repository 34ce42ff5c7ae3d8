/**
 * What a report is made of: a line of JSON for each model that was scored, appended as it happens.
 *
 * @module
 */
import { FormatError, show } from "../../errors.ts";
import type { Confusion, SpanScores } from "../../eval/spans.ts";

/**
 * What a scored model is in a report: one of the three that are compared; a teacher with fewer layers; one row of the
 * table of ablations; or one of the values that were tried on validation texts.
 */
export const ROLES = ["teacher", "student", "int8", "truncation", "ablation", "sweep"] as const;

/** How long a text takes, one at a time on one thread, in milliseconds. */
export interface Latency {
  /** Who ran it: `edge-ner`, `onnxruntime-web`. */
  readonly engine: string;
  /** Mean over texts of the best of several passes. */
  readonly milliseconds: number;
}

/** A model and its scores. */
export interface ModelRecord {
  /** Tells it from records to come. */
  readonly kind: "model";
  /** See {@link ROLES}. */
  readonly role: typeof ROLES[number];
  /** Of an ablation: what is different; of a sweep: the option and its value, `temperature 4`. */
  readonly name: string;
  /** The seed of the run, by which rows of one name are told apart. */
  readonly seed: number;
  /** `fp32`, `int8`. */
  readonly backend: string;
  /** Transformer layers. */
  readonly layers: number;
  /** Numbers that were trained. */
  readonly parameters: number;
  /** Of the model's files, without its tokenizer's where they lie apart. */
  readonly bytes: number;
  /** The first is the library's own. */
  readonly latencies: readonly Latency[];
  /** Strict scores at characters. */
  readonly scores: SpanScores;
  /** Share of words, cut at spaces, whose tag is right: what flatters, since most are outside. */
  readonly wordAccuracy: number;
  /** Which types are taken for which. */
  readonly confusion: Confusion;
}

/** A type of a record's field, as JSON has it. */
const FIELDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  role: (value) => ROLES.includes(value as typeof ROLES[number]),
  name: (value) => typeof value === "string" && value !== "",
  seed: isNumber,
  backend: (value) => typeof value === "string",
  layers: isNumber,
  parameters: isNumber,
  bytes: isNumber,
  latencies: (value) =>
    Array.isArray(value) &&
    value.every((one) => typeof one?.engine === "string" && isNumber(one?.milliseconds)),
  scores: (value) => isScores(value),
  wordAccuracy: isNumber,
  confusion: (value) =>
    Array.isArray((value as Confusion)?.types) && Array.isArray((value as Confusion).counts),
};

function isNumber(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function isScores(value: unknown): boolean {
  const { types, micro, macro } = (value ?? {}) as Partial<SpanScores>;
  const score = (one: unknown): boolean =>
    ["precision", "recall", "f1", "support"].every((key) =>
      isNumber((one as Record<string, unknown>)?.[key])
    );
  return typeof types === "object" && types !== null &&
    [...Object.values(types), micro, macro].every(score);
}

/**
 * Reads records; of two of one role, name and seed the later counts, as when a stage was done again. Throws
 * {@link FormatError} `data/json` for a line that is no record, naming it.
 */
export function readRecords(content: string, where: string): ModelRecord[] {
  const records = new Map<string, ModelRecord>();
  content.split("\n").forEach((line, i) => {
    if (line.trim() === "") return;
    const fail = (what: string): never => {
      throw new FormatError(
        "data/json",
        `${where}, line ${i + 1}: ${what}; expected a record as "eval --record" writes it.`,
      );
    };
    let record: Record<string, unknown>;
    try {
      record = JSON.parse(line);
    } catch {
      return fail("is no JSON");
    }
    if (record?.kind !== "model") fail(`its kind is ${show(record?.kind)}`);
    const wrong = Object.keys(FIELDS).find((field) => !FIELDS[field]!(record[field]));
    if (wrong !== undefined) fail(`${wrong} is ${show(record[wrong])}`);
    const own = record as unknown as ModelRecord;
    records.set(JSON.stringify([own.role, own.name, own.seed]), own);
  });
  return [...records.values()];
}

/** Mean and sample deviation. */
export interface Spread {
  /** Arithmetic. */
  readonly mean: number;
  /** With n - 1. */
  readonly deviation: number;
  /** Values. */
  readonly count: number;
}

/** The spread of values, of which there is one at least; of a single one the deviation is 0. */
export function spreadOf(values: readonly number[]): Spread {
  const count = values.length, mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: count < 2 ? 0 : Math.sqrt(squares / (count - 1)), count };
}

/** Records by name, names in the order in which they came first. */
export function byName(records: readonly ModelRecord[]): Map<string, ModelRecord[]> {
  const groups = new Map<string, ModelRecord[]>();
  for (const record of records) {
    const group = groups.get(record.name);
    if (group) group.push(record);
    else groups.set(record.name, [record]);
  }
  return groups;
}
