/**
 * `edge-ner eval` of a file with gold and predicted tags: no model, the figures of seqeval.
 *
 * @module
 */
import { type ScoreOptions, scoreTags, type TagOptions } from "../../mod.ts";
import { readTagPairs } from "../../train.ts";
import { confusionTable, scoreTable, tagConfusionTable } from "./eval_tables.ts";
import { complain, print } from "./output.ts";
import { readText } from "./text_files.ts";

/** What tags are scored by, and what is printed of it. */
export interface TagsOptions extends ScoreOptions, Pick<TagOptions, "mode" | "scheme"> {
  readonly json?: boolean;
  readonly confusion?: boolean;
}

/** Reads, scores and prints. */
export async function evaluateTags(file: string, options: TagsOptions): Promise<void> {
  const { mode = "default", scheme, zeroDivision } = options;
  const { gold, predicted, where } = readTagPairs(readText(file), file);
  const scores = scoreTags(gold, predicted, { mode, scheme, zeroDivision, where });
  if (mode === "default" && scores.tagConfusion.tags.some((tag) => /^[LU]/.test(tag))) {
    complain(
      "warning: the default mode does not know L- and U-, and joins or loses entities there; " +
        "--mode strict --scheme BILOU does",
    );
  }
  if (options.json) {
    await print(JSON.stringify({ mode, ...scores }) + "\n");
    return;
  }
  await print(scoreTable(scores));
  if (options.confusion) {
    await print(`\n${confusionTable(scores.confusion)}\n${tagConfusionTable(scores.tagConfusion)}`);
  }
  const reading = scores.scheme === undefined ? "default mode" : `strict, ${scores.scheme}`;
  await print(
    `\ntoken accuracy ${(100 * scores.accuracy).toFixed(2)} % of ${scores.tokens} tokens; ` +
      `${scores.documents} sequences, ${reading}; ` +
      `${scores.confusion.boundaryErrors} gold entities found with wrong boundaries\n`,
  );
}
