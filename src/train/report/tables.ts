/**
 * A report's tables in Markdown, from records alone: what was not run has no row, and what the paper does not say has
 * no figure.
 *
 * @module
 */
import type { Score } from "../../eval/scores.ts";
import { MODEL_NAMES, PAPER } from "./paper.ts";
import { byName, type ModelRecord, type Spread, spreadOf } from "./records.ts";

/** The three models that are compared, in this order. */
const COMPARED = ["teacher", "student", "int8"] as const;

const percent = (value: number): string => (100 * value).toFixed(2);
const spread = ({ mean, deviation, count }: Spread): string =>
  percent(mean) + (count > 1 ? ` ± ${percent(deviation)}` : "");
const NONE = "–";

/** A Markdown table; the first columns are text, the others figures. */
export function markdownTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  texts = 1,
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |\n`;
  return line(header) + line(header.map((_, i) => i < texts ? "---" : "--:")) +
    rows.map(line).join("");
}

/** Of several seeds, the mean of a value. */
function over(records: readonly ModelRecord[], value: (record: ModelRecord) => number): Spread {
  return spreadOf(records.map(value));
}

/** Milliseconds of an engine; undefined where it was not measured. */
export function latencyOf({ latencies }: ModelRecord, engine = "edge-ner"): number | undefined {
  return latencies.find((latency) => latency.engine === engine)?.milliseconds;
}

/** The records of a role. */
export function ofRole(records: readonly ModelRecord[], role: ModelRecord["role"]): ModelRecord[] {
  return records.filter((record) => record.role === role);
}

/** Scores of teacher, student and int8, beside the paper's. */
export function accuracyTable(records: readonly ModelRecord[]): string {
  return markdownTable(
    ["model", "precision", "recall", "micro F1", "macro F1", "word accuracy", "paper's macro F1"],
    COMPARED.flatMap((role) => {
      const own = ofRole(records, role);
      if (own.length === 0) return [];
      return [[
        MODEL_NAMES[role],
        spread(over(own, ({ scores }) => scores.micro.precision)),
        spread(over(own, ({ scores }) => scores.micro.recall)),
        spread(over(own, ({ scores }) => scores.micro.f1)),
        spread(over(own, ({ scores }) => scores.macro.f1)),
        spread(over(own, ({ wordAccuracy }) => wordAccuracy)),
        PAPER[role].macroF1.toFixed(2),
      ]];
    }),
  );
}

/** Size and speed of teacher, student and int8, with other engines beside, and the paper's. */
export function sizeTable(records: readonly ModelRecord[]): string {
  const [teacher] = ofRole(records, "teacher");
  const engines = [...new Set(records.flatMap((r) => r.latencies.map(({ engine }) => engine)))];
  const others = engines.filter((engine) => engine !== "edge-ner");
  const milliseconds = (value: number | undefined): string => value?.toPrecision(3) ?? NONE;
  return markdownTable(
    [
      "model",
      "layers",
      "parameters",
      "size, MB",
      "ms a text",
      "speed-up",
      ...others.map((engine) => `ms a text, ${engine}`),
      "paper's size, MB",
      "paper's speed-up",
    ],
    COMPARED.flatMap((role) => {
      const [own] = ofRole(records, role);
      if (own === undefined) return [];
      const time = latencyOf(own), base = teacher && latencyOf(teacher);
      const { megabytes, speedup } = PAPER[role];
      return [[
        MODEL_NAMES[role],
        String(own.layers),
        own.parameters.toLocaleString("en"),
        (own.bytes / 1e6).toPrecision(4),
        milliseconds(time),
        time && base ? `${(base / time).toFixed(1)} x` : NONE,
        ...others.map((engine) => milliseconds(latencyOf(own, engine))),
        megabytes === undefined ? NONE : String(megabytes),
        speedup === undefined ? NONE : `${speedup.toFixed(1)} x`,
      ]];
    }),
  );
}

/** Types that occur in any record. */
export function typesOf(records: readonly ModelRecord[]): string[] {
  return [...new Set(records.flatMap(({ scores }) => Object.keys(scores.types)))].sort();
}

/** Precision, recall and F1 of each type, by every model that is no sweep: means over seeds. */
export function classTable(records: readonly ModelRecord[]): string {
  const compared = COMPARED.map((role) => [MODEL_NAMES[role], ofRole(records, role)] as const);
  const ablations = [...byName(ofRole(records, "ablation"))];
  const models = [...compared, ...ablations].filter(([, own]) => own.length > 0);
  const nothing: Score = { precision: 0, recall: 0, f1: 0, support: 0, predicted: 0, correct: 0 };
  return markdownTable(
    ["type", "model", "precision", "recall", "F1", "support"],
    typesOf(records).flatMap((type) =>
      models.map(([name, own], i) => {
        const of = (value: (score: Score) => number): Spread =>
          over(own, ({ scores }) => value(scores.types[type] ?? nothing));
        return [
          i === 0 ? type : "",
          name,
          ...[of((s) => s.precision), of((s) => s.recall), of((s) => s.f1)].map(spread),
          String(own[0]!.scores.types[type]?.support ?? 0),
        ];
      })
    ),
    2,
  );
}

/** F1 and accuracy by the number of layers that were kept. */
export function truncationTable(records: readonly ModelRecord[]): string {
  const rows = ofRole(records, "truncation").toSorted((a, b) => a.layers - b.layers);
  return markdownTable(
    ["layers", "which", "micro F1", "macro F1", "word accuracy"],
    rows.map(({ layers, name, scores, wordAccuracy }) => [
      String(layers),
      name,
      percent(scores.micro.f1),
      percent(scores.macro.f1),
      percent(wordAccuracy),
    ]),
  );
}

/** Ablations: mean and deviation over their seeds. */
export function ablationTable(records: readonly ModelRecord[]): string {
  return markdownTable(
    ["student", "micro F1", "macro F1", "seeds"],
    [...byName(ofRole(records, "ablation"))].map(([name, own]) => [
      name,
      spread(over(own, ({ scores }) => scores.micro.f1)),
      spread(over(own, ({ scores }) => scores.macro.f1)),
      String(own.length),
    ]),
  );
}

/** Values that were tried, and their scores on validation texts. */
export function sweepTable(records: readonly ModelRecord[]): string {
  const groups = [...byName(ofRole(records, "sweep"))];
  const means = groups.map(([, own]) => over(own, ({ scores }) => scores.micro.f1).mean);
  const best = Math.max(...means);
  return markdownTable(
    ["option", "micro F1, validation", "macro F1, validation", "seeds"],
    groups.map(([name, own], i) => [
      means[i] === best ? `**${name}**` : name,
      spread(over(own, ({ scores }) => scores.micro.f1)),
      spread(over(own, ({ scores }) => scores.macro.f1)),
      String(own.length),
    ]),
  );
}
