/**
 * Training data as JSON lines: a text and its spans in each.
 *
 * @module
 */
import { FormatError, show } from "../errors.ts";
import { parseGold } from "../eval/gold.ts";
import { inOrder, type LabelledText, type LabelledTexts, linesOf } from "./text.ts";

/**
 * Reads JSON lines; `group` names a field by which a split may keep texts together. Blank lines are skipped.
 *
 * Throws {@link FormatError} that names file and line: `data/json` and `data/span` as `parseGold` does,
 * `data/overlap` for entities that overlap, `data/group` for a line without the field.
 */
export function readJsonLines(content: string, name: string, group?: string): LabelledTexts {
  const texts = linesOf(content).flatMap((line, i): LabelledText[] => {
    if (line.trim() === "") return [];
    const where = `${name}, line ${i + 1}`, { text, entities, fields } = parseGold(line, where);
    return [{
      text,
      entities: inOrder(entities, text, where),
      where,
      group: group === undefined ? undefined : groupOf(fields[group], group, where),
    }];
  });
  return { texts, warnings: [] };
}

function groupOf(value: unknown, field: string, where: string): string {
  if (typeof value === "string" || typeof value === "number") return String(value);
  throw new FormatError(
    "data/group",
    `${where}: ${show(field)} is ${show(value)}; a split by it needs a string or a number.`,
  );
}
