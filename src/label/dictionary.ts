/**
 * A labeler by lists of terms: from left to right the longest term that begins at a word's beginning and ends at a
 * word's end, or before an ending that its language joins to words.
 *
 * Strict about words where the substring search that made some data sets is not: `ল` in every other word helps nobody.
 * What is compared is folded (`folded.ts`); what is found are places in the caller's text.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import { type Folded, Folder, isWord } from "./folded.ts";
import type { Labeler, LabelSpan } from "./labeler.ts";
import type { TermIndex } from "./term_index.ts";

/** How terms are found. */
export interface DictionaryOptions {
  /** By which reports call it. */
  readonly name: string;
  /** Above 0 to 1; default 1. */
  readonly confidence?: number | undefined;
  /** What may follow a term within its word, as `ENDINGS.Bengali`; default: nothing. */
  readonly endings?: readonly string[] | undefined;
  /** Of an inflected word, whether the `term` (default), which annotators of stems mark, or the whole `word` is the span. */
  readonly span?: "term" | "word" | undefined;
}

/** A stem of fewer code units takes no ending: it is more often chance than grammar. */
const MIN_STEM = 3;

/** Throws {@link InputError} `input/option` for a confidence that is none. */
export function checkConfidence(confidence: number): number {
  if (confidence > 0 && confidence <= 1) return confidence;
  throw new InputError(
    "input/option",
    `the confidence is ${confidence}; expected a number above 0, to 1.`,
  );
}

/** Makes a labeler of terms. */
export function dictionaryLabeler(index: TermIndex, options: DictionaryOptions): Labeler {
  const confidence = checkConfidence(options.confidence ?? 1), folder = new Folder();
  const endings = new Set((options.endings ?? []).map((ending) => folder.key(ending)));
  const wide = options.span === "word";
  return {
    name: options.name,
    types: index.types,
    label(texts) {
      return Promise.resolve(
        Array.from(
          texts,
          (text) => find(text, folder.fold(text), index, endings, wide, confidence),
        ),
      );
    },
  };
}

function find(
  text: string,
  folded: Folded,
  index: TermIndex,
  endings: ReadonlySet<string>,
  wide: boolean,
  confidence: number,
): LabelSpan[] {
  const { units, starts, ends, length } = folded, spans: LabelSpan[] = [];
  const joined = (at: number): boolean =>
    at > 0 && at < length && isWord(units, at - 1) && isWord(units, at);
  const endOfWord = (at: number): number => {
    while (joined(at)) at++;
    return at;
  };
  const isEnding = (at: number): boolean =>
    endings.size > 0 &&
    endings.has(String.fromCharCode(...units.subarray(at, Math.min(endOfWord(at), at + 32))));
  for (let from = 0; from < length;) {
    if (joined(from)) {
      from++;
      continue;
    }
    const match = index.longest(units, from, length, (end, acronym) => {
      if (joined(end) && (end - from < MIN_STEM || !isEnding(end))) return false;
      const written = text.slice(starts[from]!, ends[end - 1]!);
      return !acronym || written === written.toUpperCase();
    });
    if (match === undefined) {
      from++;
      continue;
    }
    const last = endOfWord(match.end), end = wide ? last : match.end;
    spans.push({ type: match.type, start: starts[from]!, end: ends[end - 1]!, confidence });
    from = last;
  }
  return spans;
}
