/**
 * Whether scores are probabilities: expected calibration error, and the temperature that makes them so.
 *
 * Of entities that a model is 80 % sure of, 80 % should be right. The expected calibration error (Naeini et al., AAAI 2015)
 * is how far that is from true: entities are sorted into bins of equal width by their scores, and the distances between a
 * bin's mean score and the share that is right are averaged, each bin counting for as much as it holds. A temperature
 * (Guo et al., ICML 2017) that divides all path scores is fitted by the logarithmic loss of the entities' scores, as one is
 * right or not, which the true probabilities make least (Kuleshov and Liang, NIPS 2015, have such events of structured
 * outputs). Found are the same entities at any temperature, so that it moves scores alone.
 *
 * Scores are summed here by the plainest forward-backward there is, in doubles, as `decode.ts` decodes: another than the
 * kernels', which the tests compare with it.
 *
 * Weak where: the error has a floor that is not 0 (bins of few entities are never quite right), and what lies in one bin is
 * told apart by nothing. One number cannot mend scores that are too high for one type and too low for another.
 *
 * @module
 */
import { continuation, mayEnd, mayFollow, parseTags, spansOf } from "../crf/scheme.ts";
import type { Tag, TokenSpan } from "../crf/scheme.ts";
import type { CrfWeights } from "../model/weights.ts";
import { decodePath } from "./decode.ts";
import { type Span, spanKey } from "./spans.ts";

/** Bins of the error, as in Guo et al. */
export const CALIBRATION_BINS = 15;

/** An entity's score, and whether it was right. */
export interface Judged {
  /** 0 to 1. */
  readonly score: number;
  /** Whether type, start and end are those of a known entity. */
  readonly right: boolean;
}

/** The entities of one bin. */
export interface CalibrationBin {
  /** How many there are. */
  readonly count: number;
  /** Their mean score. */
  readonly score: number;
  /** The share that is right. */
  readonly right: number;
}

/** How far scores are from probabilities. */
export interface Calibration {
  /** Entities that were looked at. */
  readonly entities: number;
  /** Expected calibration error, 0 to 1; 0 where there are no entities. */
  readonly error: number;
  /** {@link CALIBRATION_BINS} of equal width, from score 0 to 1. */
  readonly bins: readonly CalibrationBin[];
}

/** Judges each predicted entity strictly. Throws a `RangeError` for lists of different lengths. */
export function judgeEntities(
  gold: readonly (readonly Span[])[],
  predicted: readonly (readonly (Span & { readonly score: number })[])[],
): Judged[] {
  if (gold.length !== predicted.length) {
    throw new RangeError(`${gold.length} gold documents and ${predicted.length} predicted ones.`);
  }
  return predicted.flatMap((entities, i) => {
    const known = new Set(gold[i].map(spanKey));
    return entities.map((entity) => ({ score: entity.score, right: known.has(spanKey(entity)) }));
  });
}

/** The expected calibration error of judged entities. */
export function calibrationOf(judged: readonly Judged[]): Calibration {
  const sums = Array.from({ length: CALIBRATION_BINS }, () => ({ count: 0, score: 0, right: 0 }));
  for (const { score, right } of judged) {
    const bin = sums[Math.min(CALIBRATION_BINS - 1, Math.floor(score * CALIBRATION_BINS))];
    bin.count++;
    bin.score += score;
    bin.right += Number(right);
  }
  const error = sums.reduce((sum, { score, right }) => sum + Math.abs(score - right), 0);
  return {
    entities: judged.length,
    error: error / Math.max(1, judged.length),
    bins: sums.map(({ count, score, right }) => ({
      count,
      score: score / Math.max(1, count),
      right: right / Math.max(1, count),
    })),
  };
}

/** How the scores of a text's entities come about. */
export interface TemperedOptions {
  /** As for `decodeSpans`; default true. */
  readonly constrained?: boolean;
  /** What path scores are divided by; default 1. */
  readonly temperature?: number;
}

/** log(e^a + e^b + ...) */
function logSum(values: readonly number[]): number {
  const most = Math.max(...values);
  if (most === -Infinity) return most;
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
}

/** What a path's beginning, steps and end score, over a temperature. */
class PathScores {
  readonly start: readonly number[];
  readonly end: readonly number[];
  /** From one label to another. */
  readonly steps: readonly (readonly number[])[];

  constructor(
    tags: readonly Tag[],
    crf: CrfWeights | undefined,
    { constrained, temperature }: Required<TemperedOptions>,
  ) {
    const score = (allowed: boolean, value: number | undefined): number =>
      allowed || !constrained ? (value ?? 0) / temperature : -Infinity;
    this.start = tags.map((to, j) => score(mayFollow(undefined, to, tags), crf?.start[j]));
    this.end = tags.map((tag, j) => score(mayEnd(tag, tags), crf?.end[j]));
    this.steps = tags.map((from, i) =>
      tags.map((to, j) => score(mayFollow(from, to, tags), crf?.transitions[i * tags.length + j]))
    );
  }
}

/** A text whose best path is known; at any temperature it is the same. */
interface Decoded {
  readonly emissions: ArrayLike<number>;
  readonly path: readonly number[];
  readonly spans: readonly TokenSpan[];
}

/** The probability that a text has exactly each of its best path's spans. */
function probabilities(
  { emissions, path, spans }: Decoded,
  tags: readonly Tag[],
  paths: PathScores,
  temperature: number,
): number[] {
  const size = tags.length, tokens = path.length, all = tags.map((_, label) => label);
  const at = (t: number, label: number): number => emissions[t * size + label] / temperature;
  const alpha = [all.map((to) => paths.start[to] + at(0, to))], beta = [[...paths.end]];
  for (let t = 1; t < tokens; t++) {
    const before = alpha[t - 1], behind = beta[t - 1], next = tokens - t;
    alpha.push(
      all.map((to) => at(t, to) + logSum(all.map((from) => before[from] + paths.steps[from][to]))),
    );
    beta.push(
      all.map((from) => logSum(all.map((to) => paths.steps[from][to] + at(next, to) + behind[to]))),
    );
  }
  beta.reverse();
  const total = logSum(all.map((label) => alpha[tokens - 1][label] + paths.end[label]));
  return spans.map(({ first, last }) => {
    let score = alpha[first][path[first]] - total;
    for (let t = first + 1; t <= last; t++) {
      score += paths.steps[path[t - 1]][path[t]] + at(t, path[t]);
    }
    let probability = Math.exp(score + beta[last][path[last]]);
    const inside = continuation(path[last], tags);
    if (inside >= 0 && last + 1 < tokens) {
      const on = paths.steps[path[last]][inside] + at(last + 1, inside) + beta[last + 1][inside];
      probability -= Math.exp(score + on);
    }
    return Math.min(1, Math.max(0, probability));
  });
}

/** A span of tokens with the probability that the text has exactly it. */
export interface ScoredSpan extends TokenSpan {
  readonly score: number;
}

/**
 * Spans of the best label path for emissions `[tokens, labels]`, and how probable each is. Throws a `RangeError` if the
 * emissions are not whole rows.
 */
export function scoredSpans(
  emissions: ArrayLike<number>,
  labels: readonly string[],
  crf?: CrfWeights,
  { constrained = true, temperature = 1 }: TemperedOptions = {},
): ScoredSpan[] {
  const tags = parseTags(labels), path = decodePath(emissions, labels, crf, { constrained });
  const spans = spansOf(path, tags),
    paths = new PathScores(tags, crf, { constrained, temperature });
  const scores = probabilities({ emissions, path, spans }, tags, paths, temperature);
  return spans.map((span, i) => ({ ...span, score: scores[i] }));
}

/** A text to fit a temperature on. */
export interface CalibrationText {
  /** `[tokens, labels]`, row-major. */
  readonly emissions: ArrayLike<number>;
  /** Whether a span that the model finds is that of a known entity. */
  readonly isRight: (span: TokenSpan) => boolean;
}

/** Where a temperature is looked for, and by which factor it may be off. */
const LEAST = 1 / 16, MOST = 16, PRECISION = 1.001;

/** What a score of 0 or 1 is taken for, so that one that is wrong does not cost everything. */
const SURE = 1e-6;

/**
 * The temperature that makes the logarithmic loss of the found entities' scores least, from 1/16 to 16; 1 where nothing is
 * found.
 */
export function fitTemperature(
  texts: Iterable<CalibrationText>,
  labels: readonly string[],
  crf?: CrfWeights,
  { constrained = true }: { readonly constrained?: boolean } = {},
): number {
  const tags = parseTags(labels);
  const decoded = Array.from(texts, ({ emissions, isRight }) => {
    const path = decodePath(emissions, labels, crf, { constrained }), spans = spansOf(path, tags);
    return { emissions, path, spans, right: spans.map(isRight) };
  }).filter(({ spans }) => spans.length > 0);
  if (decoded.length === 0) return 1;
  const lossAt = (log: number): number => {
    const temperature = Math.exp(log);
    const paths = new PathScores(tags, crf, { constrained, temperature });
    return decoded.reduce(
      (sum, text) =>
        probabilities(text, tags, paths, temperature).reduce((own, score, i) => {
          const sure = text.right[i] ? score : 1 - score;
          return own - Math.log(Math.min(1 - SURE, Math.max(SURE, sure)));
        }, sum),
      0,
    );
  };
  // A grid first: the loss of spans need not have one minimum alone. Then golden sections around the best.
  const step = Math.log(2), grid: number[] = [];
  for (let log = Math.log(LEAST); log < Math.log(MOST) + step / 2; log += step) grid.push(log);
  const losses = grid.map(lossAt), best = grid[losses.indexOf(Math.min(...losses))];
  let low = Math.max(best - step, Math.log(LEAST)), high = Math.min(best + step, Math.log(MOST));
  const golden = (Math.sqrt(5) - 1) / 2;
  let [a, b] = [high - golden * (high - low), low + golden * (high - low)];
  let [lossA, lossB] = [lossAt(a), lossAt(b)];
  while (high - low > Math.log(PRECISION)) {
    if (lossA <= lossB) {
      [high, b, lossB] = [b, a, lossA];
      lossA = lossAt(a = high - golden * (high - low));
    } else {
      [low, a, lossA] = [a, b, lossB];
      lossB = lossAt(b = low + golden * (high - low));
    }
  }
  return Math.exp((low + high) / 2);
}
