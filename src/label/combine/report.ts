/**
 * What each labeler is worth: how much it says, how often others look at the same place and say something else, how right the
 * combination believes it to be, and how right it is where somebody knows.
 *
 * Counted in tokens, except for the true scores, which are of strict spans. Kept up text by text, so that a corpus need not be in memory.
 *
 * @module
 */
import { scoreSpans, type Span, type SpanScores } from "../../eval/spans.ts";
import type { Opinion } from "../labeler.ts";
import type { Combined } from "./combiner.ts";
import { labelsOf, type Observed, type Voter } from "./observed.ts";

/** What is known of one labeler. */
export interface LabelerReport {
  /** The labeler's. */
  readonly name: string;
  /** Spans in all. */
  readonly spans: number;
  /** Texts that it abstained from. */
  readonly abstained: number;
  /** Share of all tokens that lie in its spans. */
  readonly coverage: number;
  /** Share of its tokens that another labeler has in a span, too. */
  readonly overlap: number;
  /** Share of its tokens that another labeler has in a span under another label (`B-` and `I-` differ). */
  readonly conflict: number;
  /** Expected share of its tokens whose label is true, by the combination's posteriors. */
  readonly estimatedPrecision: number;
  /** Expected share of the true tokens of the types that it knows which it labels right, by the posteriors. */
  readonly estimatedRecall: number;
  /** Strict scores on the texts with gold entities, of the types that it knows. */
  readonly scores: SpanScores | undefined;
}

/** What is known of all, and of their combination. */
export interface CombineReport {
  /** Texts in all. */
  readonly texts: number;
  /** Tokens in all. */
  readonly tokens: number;
  /** In their order. */
  readonly labelers: readonly LabelerReport[];
  /** Spans of the combination. */
  readonly spans: number;
  /** Its strict scores on the texts with gold entities, of the types that any labeler knows. */
  readonly scores: SpanScores | undefined;
}

interface Tally {
  spans: number;
  abstained: number;
  covered: number;
  overlapped: number;
  conflicting: number;
  /** Posterior of what it said, over its covered tokens. */
  believed: number;
  /** Posterior of all labels of its types, over all tokens that it looked at. */
  expected: number;
}

/** Gathers a report. */
export class CombineMeter {
  readonly #voters: readonly Voter[];
  readonly #tallies: readonly Tally[];
  readonly #known: readonly (readonly boolean[])[];
  readonly #gold: (readonly Span[])[] = [];
  /** On the texts with gold: what each labeler said, and last the combination. */
  readonly #said: (readonly Span[])[][];
  #texts = 0;
  #tokens = 0;
  #spans = 0;

  /** An empty report on these labelers. */
  constructor(voters: readonly Voter[]) {
    this.#voters = voters;
    const labels = labelsOf(voters);
    this.#known = voters.map(({ types }) => labels.map((label) => types.includes(label.slice(2))));
    this.#tallies = voters.map(() => ({
      spans: 0,
      abstained: 0,
      covered: 0,
      overlapped: 0,
      conflicting: 0,
      believed: 0,
      expected: 0,
    }));
    this.#said = [...voters, undefined].map(() => []);
  }

  /** Takes a text into account; `gold`, where it is known. */
  add(
    observed: Observed,
    opinions: readonly Opinion[],
    { spans, posteriors }: Combined,
    gold?: readonly Span[],
  ): void {
    this.#texts++;
    this.#tokens += observed.starts.length;
    this.#spans += spans.length;
    this.#tallies.forEach((tally, j) => this.#tally(tally, j, observed, opinions[j], posteriors));
    if (gold === undefined) return;
    this.#gold.push(gold);
    [...opinions, spans].forEach((said, j) => this.#said[j]!.push(said ?? []));
  }

  #tally(
    tally: Tally,
    j: number,
    { starts, columns }: Observed,
    opinion: Opinion,
    posteriors: Float32Array,
  ): void {
    const own = columns[j];
    if (own === undefined || opinion === undefined) {
      tally.abstained++;
      return;
    }
    tally.spans += opinion.length;
    const known = this.#known[j]!, n = known.length;
    for (let t = 0; t < starts.length; t++) {
      for (let y = 1; y < n; y++) if (known[y]) tally.expected += posteriors[t * n + y]!;
      const label = own.labels[t]!;
      if (label === 0) continue;
      tally.covered++;
      tally.believed += posteriors[t * n + label]!;
      const others = columns.filter((other, i) =>
        i !== j && other !== undefined && other.labels[t] !== 0
      );
      if (others.length > 0) tally.overlapped++;
      if (others.some((other) => other!.labels[t] !== label)) tally.conflicting++;
    }
  }

  /** What is known by now. */
  report(): CombineReport {
    const share = (part: number, whole: number): number => whole === 0 ? 0 : part / whole;
    const all = [...new Set(this.#voters.flatMap(({ types }) => types))];
    return {
      texts: this.#texts,
      tokens: this.#tokens,
      labelers: this.#tallies.map((tally, j) => ({
        name: this.#voters[j]!.name,
        spans: tally.spans,
        abstained: tally.abstained,
        coverage: share(tally.covered, this.#tokens),
        overlap: share(tally.overlapped, tally.covered),
        conflict: share(tally.conflicting, tally.covered),
        estimatedPrecision: share(tally.believed, tally.covered),
        estimatedRecall: share(tally.believed, tally.expected),
        scores: this.#score(j, this.#voters[j]!.types),
      })),
      spans: this.#spans,
      scores: this.#score(this.#voters.length, all),
    };
  }

  #score(j: number, types: readonly string[]): SpanScores | undefined {
    if (this.#gold.length === 0) return undefined;
    const of = (spans: readonly Span[]): Span[] => spans.filter(({ type }) => types.includes(type));
    return scoreSpans(this.#gold.map(of), this.#said[j]!);
  }
}
