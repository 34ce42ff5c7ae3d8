/**
 * Scores and confusions as `eval` prints them.
 *
 * @module
 */
import type { Confusion, OverlapScore, Score, TagConfusion, TypeScores } from "../../mod.ts";
import { table } from "./table.ts";

/** The scores as a table, in percent. */
export function scoreTable({ types, micro, macro, weighted }: TypeScores): string {
  const row = (name: string, score: Score): string[] => [
    name,
    ...[score.precision, score.recall, score.f1].map((x) => (100 * x).toFixed(2)),
    String(score.support),
    String(score.predicted),
    String(score.correct),
  ];
  return table(["type", "precision", "recall", "F1", "support", "predicted", "correct"], [
    ...Object.entries(types).map(([type, score]) => row(type, score)),
    row("micro", micro),
    row("macro", macro),
    row("weighted", weighted),
  ]);
}

/** What is found and right whatever its boundaries, in percent. */
export function overlapTable(scores: Readonly<Record<string, OverlapScore>>): string {
  return table(
    ["by overlap", "precision", "recall", "support", "found", "predicted", "right"],
    Object.entries(scores).map((
      [type, { precision, recall, support, found, predicted, right }],
    ) => [
      type,
      ...[precision, recall].map((x) => (100 * x).toFixed(2)),
      ...[support, found, predicted, right].map(String),
    ]),
  );
}

/** Gold types as rows, predicted types as columns. */
export function confusionTable({ types, counts }: Confusion): string {
  return matrix([...types, "(none)"], counts);
}

/** Gold tags as rows, predicted tags as columns. */
export function tagConfusionTable({ tags, counts }: TagConfusion): string {
  return matrix(tags, counts);
}

function matrix(names: readonly string[], counts: readonly (readonly number[])[]): string {
  return table(
    ["gold \\ predicted", ...names],
    counts.map((row, i) => [names[i], ...row.map(String)]),
  );
}
