/**
 * A report as Markdown: the tables of a reproduction of arXiv 2605.25463, and its figures by their files' names.
 *
 * @module
 */
import type { ModelRecord } from "./records.ts";
import {
  ablationTable,
  accuracyTable,
  classTable,
  ofRole,
  sizeTable,
  sweepTable,
  truncationTable,
} from "./tables.ts";

/** What a figure shows, by the name of its file. */
export const FIGURES = {
  "truncation.svg": "Strict macro F1 and word accuracy by the number of layers kept.",
  "curves.svg": "Loss, and F1 on the validation texts, while models were trained.",
  "tradeoff.svg":
    "Macro F1 against speed-up over the teacher; the area of a bubble is the model's size.",
  "confusion.svg":
    "What is taken for what, of spans whose boundaries are right, by the smallest model.",
  "classes.svg": "F1 of each type.",
} as const;

/** Name of a figure's file. */
export type FigureName = keyof typeof FIGURES;

/** The whole report; `figures` are those that were drawn, `note` is Markdown to say above all tables. */
export function reportText(
  records: readonly ModelRecord[],
  figures: ReadonlySet<FigureName>,
  note?: string,
): string {
  const figure = (name: FigureName): string =>
    figures.has(name) ? `\n![${FIGURES[name]}](${name})\n\n*${FIGURES[name]}*\n` : "";
  const section = (title: string, role: ModelRecord["role"], table: string, note = ""): string =>
    ofRole(records, role).length === 0 ? "" : `\n## ${title}\n\n${note}${table}`;
  const anyCompared = ["teacher", "student", "int8"] as const;
  const compared = anyCompared.some((role) => ofRole(records, role).length > 0);
  return "# Teacher, student, int8\n\n" +
    "Strict scores at characters: an entity counts only if its type and both its ends are right. " +
    "± is the deviation over seeds. The paper's figures are those of arXiv 2605.25463, on its own split of " +
    "MedER; they compare with these only where these were trained and tested on the same.\n" +
    (note === undefined ? "" : `\n${note}\n`) +
    (compared
      ? "\n## Accuracy\n\n" + accuracyTable(records) + figure("curves.svg") +
        "\n## Size and speed\n\n" +
        "A text at a time on one thread, as it was in the run: compare within this table.\n\n" +
        sizeTable(records) + figure("tradeoff.svg")
      : "") +
    section("Layers kept, without training", "truncation", truncationTable(records)) +
    figure("truncation.svg") +
    section("Ablations", "ablation", ablationTable(records)) +
    section(
      "Temperature and mixing",
      "sweep",
      sweepTable(records),
      "Chosen on validation texts alone.\n\n",
    ) +
    "\n## By type\n\n" + classTable(records) + figure("classes.svg") + figure("confusion.svg");
}
