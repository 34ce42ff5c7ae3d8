/**
 * A text with its gold entities, as training sees it: where it came from, and checked for what a chain of labels
 * cannot say.
 *
 * A token has one label, so entities may not overlap. Such data are refused rather than thinned out: which of two
 * entities is meant is for whoever made the data to say.
 *
 * @module
 */
import { FormatError, show } from "../errors.ts";
import type { Span } from "../eval/spans.ts";

/** A text with its gold entities. */
export interface LabelledText {
  /** The text that offsets index. */
  readonly text: string;
  /** From left to right, none overlapping another. UTF-16 code units. */
  readonly entities: readonly Span[];
  /** Where it stands, for messages: `train.jsonl, line 3`. */
  readonly where: string;
  /** What a split by groups keeps together; undefined: it belongs to no group. */
  readonly group?: string | undefined;
}

/** What a file held. */
export interface LabelledTexts {
  /** In the file's order. */
  readonly texts: readonly LabelledText[];
  /** Sentences for people, on what was read otherwise than it might have been meant. */
  readonly warnings: readonly string[];
}

/** Puts entities in order. Throws {@link FormatError} `data/overlap`, naming two that share a character. */
export function inOrder(entities: readonly Span[], text: string, where: string): Span[] {
  const sorted = entities.toSorted((a, b) => a.start - b.start || a.end - b.end);
  for (let i = 1; i < sorted.length; i++) {
    const before = sorted[i - 1]!, after = sorted[i]!;
    if (before.end <= after.start) continue;
    const name = ({ type, start, end }: Span): string =>
      `${show(text.slice(start, end))} (${type}, ${start}..${end})`;
    throw new FormatError(
      "data/overlap",
      `${where}: the entities ${name(before)} and ${
        name(after)
      } overlap; a token has one label, so ` +
        "keep one of them.",
    );
  }
  return sorted;
}

/** A file's text by lines without their ends, the byte order mark dropped. */
export function linesOf(content: string): string[] {
  return content.replace(/^\uFEFF/, "").split(/\r?\n/);
}
