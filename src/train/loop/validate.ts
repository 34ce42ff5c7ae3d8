/**
 * Strict span scores of a model in training, at characters: what it would find, judged as `eval` judges it.
 *
 * Texts are tokenized once; windows and the way from labels to characters are the recogniser's.
 *
 * @module
 */
import type { PackedBatch } from "../../backend/backend.ts";
import { decodeSpans } from "../../eval/decode.ts";
import { scoreSpans, type Span, type SpanScores } from "../../eval/spans.ts";
import type { CrfWeights } from "../../model/weights.ts";
import { placeOf } from "../../ner/places.ts";
import { type Window, windowsOf } from "../../ner/windows.ts";
import type { Encoding, Tokenizer } from "../../tokenizer/types.ts";
import type { LabelledText } from "../../corpus/text.ts";
import { pack, windowFeatures } from "./sequences.ts";

/** A window of a text with its special tokens. */
interface Piece {
  readonly text: number;
  readonly window: Window;
  readonly ids: Int32Array;
  readonly features?: Float32Array;
}

/** Texts that a model is judged by. */
export class Validation {
  readonly #gold: readonly (readonly Span[])[];
  readonly #encodings: readonly Encoding[];
  readonly #runs: readonly (readonly Piece[])[];

  /** `size`: the longest sequence; `tokens`: the most that go through the encoder at once. */
  constructor(
    texts: readonly LabelledText[],
    tokenizer: Tokenizer,
    size: number,
    tokens: number,
    find?: (text: string, encoding: Encoding) => Float32Array,
  ) {
    const { cls, sep } = tokenizer;
    this.#gold = texts.map(({ entities }) => entities);
    this.#encodings = texts.map(({ text }) => tokenizer.encode(text));
    const runs: Piece[][] = [];
    let room = 0;
    this.#encodings.forEach((encoding, text) => {
      const { ids } = encoding, features = find?.(texts[text]!.text, encoding);
      const count = (features?.length ?? 0) / Math.max(1, ids.length);
      for (const window of windowsOf(ids.length, size - 2)) {
        const own = Int32Array.from([cls, ...ids.subarray(window.start, window.end), sep]);
        if (own.length > room) {
          runs.push([]);
          room = tokens;
        }
        runs.at(-1)!.push({
          text,
          window,
          ids: own,
          ...(features && { features: windowFeatures(features, count, window) }),
        });
        room -= own.length;
      }
    });
    this.#runs = runs;
  }

  /** Sequences whose ids the model will see. */
  get sequences(): readonly Pick<Piece, "ids">[] {
    return this.#runs.flat();
  }

  /** Scores of a model with these labels, given what computes emissions `[tokens, labels]`. */
  score(
    emissions: (batch: PackedBatch) => Float32Array,
    labels: readonly string[],
    crf: CrfWeights | undefined,
  ): SpanScores {
    const columns = labels.length;
    const rows = this.#encodings.map(({ ids }) => new Float32Array(ids.length * columns));
    for (const run of this.#runs) {
      const batch = pack(run), all = emissions(batch);
      run.forEach(({ text, window: { start, keepStart, keepEnd } }, i) => {
        const first = batch.offsets[i]! + 1 + keepStart - start;
        const kept = all.subarray(first * columns, (first + keepEnd - keepStart) * columns);
        rows[text]!.set(kept, keepStart * columns);
      });
    }
    const found = rows.map((own, i) => {
      const { starts, ends } = this.#encodings[i]!;
      return decodeSpans(own, labels, crf).flatMap((span): Span[] => {
        const place = placeOf(span, starts, ends);
        return place ? [{ type: span.type, ...place }] : [];
      });
    });
    return scoreSpans(this.#gold, found);
  }
}
