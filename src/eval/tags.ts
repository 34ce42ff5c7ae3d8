/**
 * Scores of predicted tag sequences against gold ones: by spans and by tokens.
 *
 * Python's seqeval gives the same float64s for the same sequences: per type, micro, macro and weighted, in its default mode
 * and in its strict one, and token accuracy. The fixture that says so is made by seqeval itself.
 *
 * Token accuracy flatters: most tokens are outside, and a model that finds nothing has most of them right. It is here
 * because papers report it. The confusion of tags says what it hides.
 *
 * @module
 */
import { byCodePoint } from "./order.ts";
import type { ScoreOptions } from "./scores.ts";
import { detectScheme, spansOfTags, type TagOptions, type TagScheme } from "./sequences.ts";
import { type Confusion, confusionMatrix, scoreSpans, type SpanScores } from "./spans.ts";

/** Tokens by tag. */
export interface TagConfusion {
  /** Tags seen in gold or prediction, in the order of code points. */
  readonly tags: readonly string[];
  /** `counts[g][p]`: tokens with gold tag g and predicted tag p. */
  readonly counts: readonly (readonly number[])[];
}

/** What {@link scoreTags} returns; `documents` are sequences. */
export interface TagScores extends SpanScores {
  /** The scheme that tags were read by; undefined in the default mode. */
  readonly scheme: TagScheme | undefined;
  /** Tokens in all. */
  readonly tokens: number;
  /** Share of the tokens whose tags are equal, 0 to 1; without tokens, that of nothing by nothing. */
  readonly accuracy: number;
  /** Spans by type. */
  readonly confusion: Confusion;
  /** Tokens by tag. */
  readonly tagConfusion: TagConfusion;
}

function checkLengths(
  gold: readonly (readonly string[])[],
  predicted: readonly (readonly string[])[],
): void {
  const same = gold.length === predicted.length;
  const at = gold.findIndex((tags, i) => tags.length !== predicted[i]?.length);
  if (same && at < 0) return;
  throw new RangeError(
    same
      ? `sequence ${at + 1} has ${gold[at].length} gold tags and ${
        predicted[at].length
      } predicted ones.`
      : `${gold.length} gold sequences and ${predicted.length} predicted ones.`,
  );
}

function confusionOfTags(gold: readonly string[], predicted: readonly string[]): TagConfusion {
  const tags = [...new Set([...gold, ...predicted])].sort(byCodePoint);
  const column = new Map(tags.map((tag, i) => [tag, i]));
  const counts = tags.map(() => new Array<number>(tags.length).fill(0));
  gold.forEach((tag, i) => counts[column.get(tag)!][column.get(predicted[i])!]++);
  return { tags, counts };
}

/**
 * Scores predicted tags, sequence by sequence and token by token.
 *
 * Throws a `RangeError` if the two differ in their lengths, `FormatError` `data/tag` for what is no tag or, reading
 * strictly, not one of the scheme, and `InputError` `input/option` for a scheme that is not known, needed but not told
 * by the gold tags' prefixes, or named in the default mode, which goes by none.
 */
export function scoreTags(
  gold: readonly (readonly string[])[],
  predicted: readonly (readonly string[])[],
  options: TagOptions & ScoreOptions = {},
): TagScores {
  checkLengths(gold, predicted);
  const scheme = options.scheme ?? (options.mode === "strict" ? detectScheme(gold) : undefined);
  const reading = { ...options, scheme };
  const spans = spansOfTags(gold, reading), found = spansOfTags(predicted, reading);
  const tagConfusion = confusionOfTags(gold.flat(), predicted.flat());
  const tokens = gold.reduce((sum, tags) => sum + tags.length, 0);
  const equal = tagConfusion.counts.reduce((sum, row, i) => sum + row[i], 0);
  return {
    ...scoreSpans(spans, found, options),
    scheme,
    tokens,
    accuracy: tokens === 0 ? options.zeroDivision ?? 0 : equal / tokens,
    confusion: confusionMatrix(spans, found),
    tagConfusion,
  };
}
