/**
 * What a labeler is: a rule, a list, a model or a service that says where entities are, or says nothing.
 *
 * Weak supervision (Ratner et al., Snorkel; Lison et al., skweak) begins with several of these on the same texts. A labeler knows
 * some types only, and its silence about the others is no opinion: that is why it declares them. Silence about a
 * type that it knows is one, though a weak one; how weak is for `combine` to find out. A labeler that could not
 * answer at all (a service that was down) abstains from the text.
 *
 * @module
 */
import type { Span } from "../eval/spans.ts";

/** An entity that a labeler sees. */
export interface LabelSpan extends Span {
  /** How sure the labeler is, above 0 to 1; lists and expressions say what they were told to. */
  readonly confidence: number;
}

/** What a labeler says of one text: spans from left to right, none overlapping another; undefined: it abstains. */
export type Opinion = readonly LabelSpan[] | undefined;

/** Says where entities are. */
export interface Labeler {
  /** By which reports and weights call it. */
  readonly name: string;
  /** The types that it knows. */
  readonly types: readonly string[];
  /** An opinion on each text, in their order. */
  label(texts: readonly string[]): Promise<readonly Opinion[]>;
}

/**
 * Of spans that overlap keeps the surer ones, of equally sure ones the longer, then the earlier; from left to right.
 */
export function withoutOverlap(spans: readonly LabelSpan[]): LabelSpan[] {
  const best = spans.toSorted((a, b) =>
    b.confidence - a.confidence || (b.end - b.start) - (a.end - a.start) || a.start - b.start
  );
  const kept: LabelSpan[] = [];
  for (const span of best) {
    if (!kept.some(({ start, end }) => start < span.end && span.start < end)) kept.push(span);
  }
  return kept.sort((a, b) => a.start - b.start);
}
