/**
 * The parts of a recogniser, and what there is to tell of them.
 *
 * @module
 */
import type { Engine, GpuReport } from "../backend/engine.ts";
import type { Crf } from "../crf/crf.ts";
import { type Tag, typesOf } from "../crf/scheme.ts";
import type { FeatureFinder } from "../lexicon/features.ts";
import type { ChosenKernels } from "../kernels/module.ts";
import type { Tokenizer } from "../tokenizer/types.ts";
import type { TermFinder } from "./terms.ts";
import type { Queue } from "./turns.ts";

/** What a recogniser is and takes. */
export interface NerInfo {
  /** What runs: `wasm int8`, `wasm fp32`, `reference`, `webgpu f32`, `webgpu f16` or `webgpu int8`. */
  backend: string;
  /** For the backends `webgpu` and `auto`: which runs now, and why; the times of a race, where there was one. */
  gpu?: GpuReport;
  /** Which kernel module passed its probe here. */
  kernel: "relaxed" | "pairs" | "baseline";
  /** Label names by emission column. */
  labels: readonly string[];
  /** Entity types, in the labels' order. */
  types: readonly string[];
  /** Whether the model has a CRF; without one, steps between labels cost nothing. */
  crf: boolean;
  /** Whether the model's entities are whole words, or words up to an ending that is joined to them. */
  wholeWords: boolean;
  /** Threads that a pass through the encoder uses, the calling one included. */
  threads: number;
  /** Why there are fewer than were asked for, or than the default is where there are threads. */
  threadsReason?: string;
  /** Pieces of work that each thread has carried out so far, the calling thread first. */
  threadChunks: readonly number[];
  /**
   * Bytes of memory for weights, tensors and scratch, a GPU's and those that are shared with adapters included. More after
   * loading only once there is an adapter.
   */
  memoryBytes: number;
  /** For a recogniser that `withAdapter` made: bytes of weights that are the adapter's own. */
  adapterBytes?: number;
  /** Most tokens of one pass through the encoder. */
  maxTokens: number;
  /** Longest sequence of the encoder, its two special tokens included; longer texts go in windows. */
  maxPositions: number;
  /** Width of a token's vector. */
  hiddenSize: number;
  /** Transformer layers. */
  layers: number;
  /** Attention heads of each layer. */
  heads: number;
  /** Rows of the word embedding. */
  vocabSize: number;
}

/** What a recogniser is made of. */
export interface Parts {
  readonly engine: Engine;
  readonly crf: Crf;
  /** Whether the model brought the CRF's parameters. */
  readonly hasCrf: boolean;
  readonly tokenizer: Tokenizer;
  /** Of a model with lexicons. */
  readonly finder: FeatureFinder | undefined;
  /** Of a caller's terms, and those that the model was packed with. */
  readonly terms: TermFinder | undefined;
  /** As of `ModelBundle`. */
  readonly wholeWords: boolean;
  /** The encoder and the CRF each do one thing at a time, for all who share them. */
  readonly encoderQueue: Queue;
  readonly decoderQueue: Queue;
  readonly kernels: ChosenKernels;
  /** As {@link NerOptions} have them. */
  readonly constrained: boolean;
  readonly maxMemoryBytes: number;
  /** Why there is one thread, if that is known already. */
  readonly threadsReason: string | undefined;
}

/** What there is to tell of a recogniser. */
export function infoOf(
  { engine, crf, hasCrf, wholeWords, kernels, threadsReason }: Parts,
  tags: readonly Tag[],
): NerInfo {
  const { config, adapterBytes, gpu } = engine,
    { threads, chunks, reason = threadsReason } = engine.threads;
  return {
    backend: engine.name,
    ...(gpu && { gpu }),
    kernel: kernels.kind,
    labels: config.labels,
    types: typesOf(tags),
    crf: hasCrf,
    wholeWords,
    memoryBytes: engine.memoryBytes + crf.memoryBytes,
    ...(adapterBytes !== undefined && { adapterBytes }),
    maxTokens: engine.maxTokens,
    maxPositions: config.maxPositions,
    hiddenSize: config.hiddenSize,
    layers: config.layers,
    heads: config.heads,
    vocabSize: config.vocabSize,
    threads,
    ...(reason !== undefined && { threadsReason: reason }),
    threadChunks: chunks,
  };
}
