/**
 * From what several labelers said to one answer: what every way of combining has in common.
 *
 * A combiner gives, for each token, a distribution over labels, and the spans of the best legal path through
 * them. The CRF's kernels find that path, as in a recogniser.
 *
 * @module
 */
import type { Crf } from "../../crf/crf.ts";
import { continuation, spansOf, type Tag } from "../../crf/scheme.ts";
import type { LabelSpan } from "../labeler.ts";
import type { Observed } from "./observed.ts";

/** An answer on one text. */
export interface Combined {
  /** Spans from left to right; how sure each is, is their confidence. */
  readonly spans: readonly LabelSpan[];
  /** How probable each label is at each token, `[tokens, labels]`; rows add up to 1. */
  readonly posteriors: Float32Array;
}

/** Combines opinions. */
export interface Combiner {
  /** Label of each column of the posteriors. */
  readonly labels: readonly string[];
  /** One answer out of several opinions. */
  combine(observed: Observed): Combined;
}

/** The spans of the best legal path under `emissions`, each with its probability under the chain. */
export function bestSpans(
  { starts, ends }: Observed,
  emissions: Float32Array,
  crf: Crf,
  tags: readonly Tag[],
): LabelSpan[] {
  if (starts.length === 0) return [];
  const path = crf.decode(emissions).labels, spans = spansOf(path, tags);
  if (spans.length === 0) return [];
  const lattice = crf.lattice(emissions);
  return spans.map((span) => {
    const inside = continuation(path[span.last]!, tags);
    return {
      type: span.type,
      start: starts[span.first]!,
      end: ends[span.last]!,
      // What is left by rounding may be nothing, and a confidence is something.
      confidence: Math.max(
        crf.spanProbability(emissions, path, span, inside, lattice),
        Number.MIN_VALUE,
      ),
    };
  });
}
