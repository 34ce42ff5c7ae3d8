/**
 * All that a recogniser is made of, apart from kernels: weights, CRF and tokenizer.
 *
 * It is what every reader of a format returns (a package, an export folder) and what every writer
 * takes, so that the pipeline does not know where a model came from.
 *
 * @module
 */
import type { Lexicons } from "./lexicon.ts";
import type { TermLists } from "./terms.ts";
import type { CrfWeights, EncoderWeights } from "./weights.ts";
import type { Tokenizer } from "../tokenizer/types.ts";

/** A model in memory, before it is handed to a backend. */
export interface ModelBundle {
  /** The encoder and its head. */
  readonly weights: EncoderWeights;
  /** Absent for a model with a plain softmax head. */
  readonly crf: CrfWeights | undefined;
  /** Text to ids, with offsets. */
  readonly tokenizer: Tokenizer;
  /** What the encoder's features are found with; absent in a model without features. */
  readonly lexicons?: Lexicons | undefined;
  /** Terms that are looked for beside the model; absent where there are none. */
  readonly terms?: TermLists | undefined;
  /**
   * What path scores are divided by before they become probabilities, fitted on labelled texts (`edge-ner calibrate`);
   * absent: 1. What is found does not depend on it.
   */
  readonly temperature?: number | undefined;
  /** Whether entities are whole words, or words up to an ending (`ner/whole_words.ts`); absent: they begin and end anywhere. */
  readonly wholeWords?: boolean | undefined;
}
