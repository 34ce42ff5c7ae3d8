/**
 * What labelers said of a text, token by token, as labels in BIO.
 *
 * Tokens are words, single other characters, and whatever lies between where any labeler begins or ends: so no
 * opinion is rounded to a token, also of a stem within an inflected word. Who wants posteriors on the tokens of a
 * model hands these in; a token has then the label of the span that its first character lies in, as in training.
 *
 * @module
 */
import { InputError, show } from "../../errors.ts";
import { isWord } from "../folded.ts";
import type { Labeler, Opinion } from "../labeler.ts";

/** Where tokens lie, in UTF-16 code units. */
export interface Tokens {
  /** First code unit of each. */
  readonly starts: Int32Array;
  /** One past the last of each. */
  readonly ends: Int32Array;
}

/** The label of each token by one labeler, as a column of {@link labelsOf}, and how sure it is: 1 outside of its spans. */
export interface Column {
  /** Columns of {@link labelsOf}, `[tokens]`. */
  readonly labels: Int32Array;
  /** Above 0 to 1, `[tokens]`. */
  readonly confidence: Float32Array;
}

/** A text as all labelers saw it. */
export interface Observed extends Tokens {
  /** By labeler, in their order; undefined: it abstains. */
  readonly columns: readonly (Column | undefined)[];
}

/** Who labels, and what: what a combination needs to know of labelers. */
export type Voter = Pick<Labeler, "name" | "types">;

/** `O`, then `B-` and `I-` of each type that a labeler knows, types in the order of code units. */
export function labelsOf(voters: readonly Voter[]): string[] {
  const types = [...new Set(voters.flatMap((voter) => voter.types))].sort();
  return ["O", ...types.flatMap((type) => [`B-${type}`, `I-${type}`])];
}

/** Words and single other characters of a text, cut at the ends of all spans, white space left out. */
export function tokensOf(text: string, opinions: readonly Opinion[]): Tokens {
  const units = Uint16Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
  // The normalizer's tables want surrogates in pairs.
  for (let i = 0; i < units.length; i++) {
    if ((units[i]! & 0xf800) !== 0xd800) continue;
    if (units[i]! < 0xdc00 && (units[i + 1]! & 0xfc00) === 0xdc00) i++;
    else units[i] = 0xfffd;
  }
  const cuts = new Set(
    opinions.flatMap((spans) => spans?.flatMap(({ start, end }) => [start, end]) ?? []),
  );
  const starts: number[] = [], ends: number[] = [];
  for (let at = 0; at < units.length;) {
    const from = at, word = isWord(units, at);
    const wide = (units[at]! & 0xfc00) === 0xd800;
    at += wide ? 2 : 1;
    if (word) {
      while (at < units.length && !cuts.has(at) && isWord(units, at)) at++;
    } else if (text.slice(from, at).trim() === "") continue;
    starts.push(from);
    ends.push(at);
  }
  return { starts: Int32Array.from(starts), ends: Int32Array.from(ends) };
}

/**
 * Opinions on a text as labels at its tokens. Throws {@link InputError} `input/labels` for a span of a type that its
 * labeler did not declare.
 */
export function observe(
  voters: readonly Voter[],
  opinions: readonly Opinion[],
  { starts, ends }: Tokens,
): Observed {
  const labels = labelsOf(voters);
  const columns = voters.map((voter, j): Column | undefined => {
    const spans = opinions[j];
    if (spans === undefined) return undefined;
    const path = new Int32Array(starts.length);
    const confidence = new Float32Array(starts.length).fill(1);
    let token = 0;
    for (const span of spans) {
      if (!voter.types.includes(span.type)) {
        throw new InputError(
          "input/labels",
          `${voter.name} labels ${show(span.type)}, which is not among its types.`,
        );
      }
      const begin = labels.indexOf(`B-${span.type}`);
      while (token < starts.length && starts[token]! < span.start) token++;
      const first = token;
      for (; token < starts.length && starts[token]! < span.end; token++) {
        path[token] = token === first ? begin : begin + 1;
        confidence[token] = span.confidence;
      }
    }
    return { labels: path, confidence };
  });
  return { starts, ends, columns };
}
