/**
 * The scores of a model as a table: of runs that differ by their seed, mean and sample deviation.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { SpanScores } from "../../mod.ts";
import { type ModelRecord, readTexts } from "../../train.ts";
import { floorOf } from "./floor.ts";

/** A Markdown table of strict F1 in percent, from the records of `eval`; below, the floor of each split of these files. */
export function summary(
  records: readonly ModelRecord[],
  data: string,
  splits: readonly string[],
): string {
  const rows = Map.groupBy(records, ({ role, name }) => `${name}, ${role}`);
  const texts = (name: string) => readTexts(readFileSync(join(data, name), "utf8"), name).texts;
  const floors = splits.flatMap((name) => {
    const [train, test] = [texts(`${name}-train.jsonl`), texts(`${name}-test.jsonl`)];
    return ([["all training entities", 0], ["those mostly labelled", 0.5]] as const).map((
      [what, share],
    ) => row(`${name}-test, dictionary of ${what}`, [floorOf(train, test, share)]));
  });
  return [
    "| texts, model | seeds | micro F1 | macro F1 |",
    "| --- | --- | --- | --- |",
    ...Array.from(rows, ([name, same]) => row(name, same.map(({ scores }) => scores))),
    ...floors,
    "",
  ].join("\n");
}

function row(name: string, scores: readonly SpanScores[]): string {
  const f1 = (level: "micro" | "macro"): string =>
    spread(scores.map((score) => 100 * score[level].f1));
  return `| ${name} | ${scores.length} | ${f1("micro")} | ${f1("macro")} |`;
}

function spread(values: readonly number[]): string {
  const n = values.length, mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n === 1) return mean.toFixed(2);
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return `${mean.toFixed(2)} ± ${Math.sqrt(squares / (n - 1)).toFixed(2)}`;
}
