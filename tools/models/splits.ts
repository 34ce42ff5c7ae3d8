/**
 * Which texts a model learns from, and which it is chosen and judged by.
 *
 * `splitTexts` of the library is what a new corpus should be split with. These are the splits that the committed models'
 * figures are of: drawn as `random.Random(seed).shuffle` draws them (`mersenne.ts`), so that they stay comparable.
 *
 * @module
 */
import { parse } from "npm:csv-parse@7.0.3/sync";
import type { LabelledText, Split } from "../../train.ts";
import { Refusal } from "../reproduce/files.ts";
import { PythonRandom } from "./mersenne.ts";
import { byCodePoints } from "./terms.ts";

/**
 * A tenth for validation and a tenth for the test, or the test's own texts, of a shuffled order. Texts that are alike may fall on
 * both sides: the protocol of arXiv 2605.25463.
 */
export function shuffledSplit(
  texts: readonly LabelledText[],
  seed: number,
  test?: readonly LabelledText[],
): Split {
  const order = new PythonRandom(seed).shuffled(texts), tenth = Math.floor(texts.length / 10);
  const held = test ? tenth : 2 * tenth;
  return {
    train: order.slice(held),
    validation: order.slice(0, tenth),
    test: test ?? order.slice(tenth, held),
  };
}

/** The same, but groups stay together: they are dealt out in a shuffled order until a part has its tenth. */
export function groupedSplit(
  texts: readonly LabelledText[],
  groups: readonly string[],
  seed: number,
): Split {
  const members = new Map<string, LabelledText[]>();
  texts.forEach((text, i) => {
    const group = groups[i]!, known = members.get(group);
    if (known === undefined) members.set(group, [text]);
    else known.push(text);
  });
  const tenth = Math.floor(texts.length / 10);
  const train: LabelledText[] = [], validation: LabelledText[] = [], test: LabelledText[] = [];
  for (const group of new PythonRandom(seed).shuffled([...members.keys()].sort(byCodePoints))) {
    const part = [validation, test].find((part) => part.length < tenth) ?? train;
    part.push(...members.get(group)!);
  }
  return { train, validation, test };
}

/**
 * What each text of a table is about: the first name that its row lists in a column; where it lists none, the longest of
 * all names that its text has; else itself alone. Names are compared without what stands in brackets.
 */
export function groupsOf(
  texts: readonly LabelledText[],
  table: string,
  column: string,
): string[] {
  const plain = (name: string): string => name.replace(/\(.*/, "").replace(/\s+/g, " ").trim();
  const listed = new Map<string, string[]>();
  const rows: { record: Record<string, string>; info: { lines: number } }[] = parse(table, {
    ...{ bom: true, columns: true, info: true, skip_empty_lines: true },
  }) as never;
  // A text tells its row by the line on which that begins: behind the end of the one before.
  let line = 1 + table.slice(0, table.indexOf("\n")).split("\n").length;
  for (const { record, info } of rows) {
    const cell = record[column];
    if (cell === undefined) throw new Refusal(`there is no column ${JSON.stringify(column)}`);
    listed.set(`${line}`, cell.split(",").map(plain).filter((name) => name !== ""));
    line = info.lines + 1;
  }
  const rowOf = ({ where }: LabelledText): string[] => listed.get(/\d+$/.exec(where)![0])!;
  const known = [...new Set(texts.flatMap(rowOf))]
    .sort((a, b) => [...b].length - [...a].length || byCodePoints(a, b));
  return texts.map((text, i) =>
    rowOf(text)[0] ?? known.find((name) => text.text.includes(name)) ?? `row ${i}`
  );
}
