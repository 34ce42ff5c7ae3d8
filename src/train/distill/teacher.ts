/**
 * A teacher: a model whose emissions a student learns from.
 *
 * It runs on the training kernels, with nothing learnt and nothing dropped: what comes out is what the fp32 backend
 * computes, bit for bit, in every runtime. A packed teacher's integers are expanded first.
 *
 * @module
 */
import type { PackedBatch } from "../../backend/backend.ts";
import type { ModelBundle } from "../../model/bundle.ts";
import type { Lexicons } from "../../model/lexicon.ts";
import type { CrfWeights } from "../../model/weights.ts";
import type { Tokenizer } from "../../tokenizer/types.ts";
import { fingerprintOf, fingerprintOfLexicons } from "../loop/fingerprint.ts";
import { startModel } from "../loop/start.ts";
import type { MakeTrainer } from "../types.ts";

/** A model whose emissions can be asked for. */
export interface Teacher {
  /** Label names by emission column. */
  readonly labels: readonly string[];
  /** Absent for a model with a plain softmax head. */
  readonly crf: CrfWeights | undefined;
  /** Text to ids: must be the student's. */
  readonly tokenizer: Tokenizer;
  /** What the features are found with that its batches must have; undefined for a model without. */
  readonly lexicons: Lexicons | undefined;
  /** Longest sequence. */
  readonly maxPositions: number;
  /** Transformer layers. */
  readonly layers: number;
  /** Attention heads of a layer. */
  readonly heads: number;
  /** Width of their outputs. */
  readonly hiddenSize: number;
  /** Tells teachers apart. */
  readonly fingerprint: string;
  /** Emissions `[tokens, labels]`, the same bits in any batch. */
  emissions(batch: PackedBatch): Float32Array;
  /** Outputs of these layers, counted from 1, `[tokens, hiddenSize]` each. */
  hidden(batch: PackedBatch, layers: readonly number[]): Float32Array[];
  /** Attention weights of these layers, laid out as a trainer gives them; of one that was made for it. */
  attention(batch: PackedBatch, layers: readonly number[]): Float32Array[];
  /** Gives memory back. */
  close(): void;
}

/**
 * A teacher of a model; batches hold at most `tokens` tokens. With `attention` it has room to be asked for its own. Throws what
 * making a trainer throws.
 */
export async function teacherOf(
  make: MakeTrainer,
  { weights, crf, tokenizer, lexicons }: ModelBundle,
  tokens: number,
  { attention = false }: { readonly attention?: boolean } = {},
): Promise<Teacher> {
  const { labels, maxPositions, layers, heads, hiddenSize } = weights.config;
  const bundle = { weights, crf: undefined, tokenizer, lexicons };
  const model = startModel(bundle, { labels, crf: false, seed: 0, lexicons });
  const trainer = await make(model, {
    maxTokens: tokens,
    dropout: 0,
    attention,
    rateOf: () => 0,
  });
  return {
    labels,
    crf,
    tokenizer,
    lexicons,
    maxPositions,
    layers,
    heads,
    hiddenSize,
    fingerprint: fingerprintOf(model.weights) +
      (lexicons ? `, ${fingerprintOfLexicons(lexicons)}` : ""),
    emissions: (batch) => trainer.emissions(batch),
    hidden: (batch, own) => trainer.hidden(batch, own),
    attention: (batch, own) => trainer.attention(batch, own),
    close: () => trainer.close(),
  };
}
