/**
 * What a caller decides when a recogniser is made: how the model is run, and on which kernels.
 *
 * @module
 */
import type { GpuPrecision } from "../backend/accelerate.ts";
import type { Expected } from "../backend/race.ts";
import type { RuntimeError } from "../errors.ts";
import type { Boundary } from "./boundaries.ts";
import type { Threading } from "../kernels/threads.ts";

/** Terms of one type that a caller knows. */
export interface LexiconTerms {
  /** One of the model's types. */
  readonly type: string;
  /** The terms as they are written; case does not count. */
  readonly terms: readonly string[];
  /**
   * How much they count: at each of a term's tokens the odds of the type's labels are multiplied by e^weight. From -40 to
   * 40; below 0 it counts against the type. Default 2; but a model that was trained with lexicons of the type takes terms
   * without a weight as terms of these, which count as much as it has learnt to trust them.
   */
  readonly weight?: number;
}

/** What a caller knows of names, beside what a model has learnt. `docs/lexicons.md` tells what each does to scores. */
export interface TermOptions {
  /** Terms that are probably of a type; the model still decides. */
  lexicon?: readonly LexiconTerms[];
  /** Terms that are entities wherever they stand, of any type, known to the model or not; their score is 1. */
  always?: readonly Omit<LexiconTerms, "weight">[];
  /** What no entity is: one whose text is among these is left out. */
  never?: readonly string[];
}

/** How a model is run. */
export interface NerOptions extends TermOptions {
  /**
   * `int8` (default; also by the name `wasm`): WebAssembly, int8 weights and activations. `fp32`: WebAssembly, float32
   * throughout, four times the memory. `webgpu`: a GPU; where there is none the model is refused, and a call during which
   * it is lost is rejected. `auto`: a GPU where it is faster than `int8`, which is measured once at load; where there is
   * none, or it is lost, `int8`. `reference`: plain TypeScript, slow, the oracle of the tests.
   */
  backend?: "int8" | "wasm" | "fp32" | "webgpu" | "auto" | "reference";
  /**
   * What a GPU computes in: `f32` (default), `f16` (float16 weights and tensors, for adapters with `shader-f16`), or `int8`
   * (as in WebAssembly).
   */
  gpuPrecision?: GpuPrecision;
  /**
   * The calls that are to come, for `auto`: texts in a call, and tokens of all of them together. The race is run with a
   * batch of this size. Default: one text of 128 tokens.
   */
  expect?: Expected;
  /** For `auto`: what an earlier {@link NerInfo.gpu} said is the faster one here; then there is no race. */
  choice?: "wasm" | "webgpu";
  /**
   * For `auto`: told once when a GPU was lost and WebAssembly has taken its place, in the same call. Default: a warning on the
   * console.
   */
  onGpuLost?: (reason: RuntimeError) => void;
  /**
   * Forbid label sequences that the tag scheme does not know (an `I-x` after `O`). Default true. A model in IOB1
   * that has a `B-x` for every type cannot be told from one in IOB2 and needs false; see `src/crf/scheme.ts`.
   */
  constrained?: boolean;
  /** Load a tokenizer that deletes vowel signs of Brahmic scripts. Default false: such a model is refused. */
  allowStripAccents?: boolean;
  /**
   * Most tokens that pass through the encoder at once; memory grows with it. Default: the model's positions,
   * from 512 to 2048; on a GPU from 4096 to 8192, as many as are expected. Texts and batches of any size are cut to fit.
   */
  maxTokens?: number;
  /**
   * Bytes of linear memory, and of buffers on a GPU, that the recogniser may take ({@link NerInfo.memoryBytes}). A model that needs more is
   * refused with a {@link RuntimeError} (`runtime/memory`) before any of it is allocated; a packed int8 model that
   * is loaded from a file, a URL or a stream, before its weights are read. Default: no limit but WebAssembly's own,
   * 2 GiB. Not for `reference`, which has no linear memory.
   */
  maxMemoryBytes?: number;
}

/** What `edge-ner/webgpu` makes of a GPU. How it is asked is between it and a recogniser of the same release. */
export type Accelerator = (request: never) => Promise<unknown>;

/** Where the kernels come from, and what else there is to run on. */
export interface KernelOptions {
  /** Compiled kernel modules in order of preference; the first that passes its known-answer probe runs. */
  kernels: readonly WebAssembly.Module[];
  /**
   * Threads, for kernels that import shared memory; or why there are none, for {@link NerInfo.threadsReason}.
   * Default: the calling thread alone.
   */
  threading?: Threading | string;
  /** For the backends `webgpu` and `auto`: what `edge-ner/webgpu` makes of a GPU; or why there is none. */
  accelerator?: Accelerator | string;
}

/** How far a call has come. */
export interface Progress {
  /** Tokens of the texts that have been through the encoder. */
  readonly done: number;
  /** Tokens of all texts of the call. */
  readonly total: number;
}

/** What a caller decides for one call. */
export interface CallOptions {
  /** Ends the call: it rejects with the signal's reason, in some milliseconds. The recogniser works on. */
  signal?: AbortSignal;
  /** Told after each pass of the encoder, the last time when nothing is left. What it throws ends the call. */
  onProgress?: (progress: Progress) => void;
}

/** How places in a text are counted: in UTF-16 code units, as JavaScript does; in code points; in bytes of UTF-8. */
export type OffsetUnit = "utf16" | "codepoint" | "byte";

/** Which of the entities that were found a caller wants to see, and how. */
export interface OutputOptions {
  /** Leave out entities whose score is lower: from 0 to 1. Default 0. */
  minScore?: number;
  /** Leave out entities of other types. Default: all that the model knows. */
  types?: readonly string[];
  /**
   * What `start` and `end` count. Default `utf16`, in which `text.slice(start, end)` is the entity; `codepoint` is what
   * Python counts, `byte` what files do.
   */
  offsets?: OffsetUnit;
}

/** Which entities a caller wants of its texts. */
export interface EntityOptions extends OutputOptions {
  /**
   * Where entities begin and end. `model` (default): where the model says, so that in an inflected language `text` is
   * often the dictionary's form; but none begins within a grapheme cluster or ends before a virama. `grapheme`: at the
   * ends of grapheme clusters, for whatever is shown to people. `word`: at the ends of words. `src/ner/boundaries.ts`
   * tells what becomes of two entities that meet.
   */
  boundary?: Boundary;
  /**
   * Cut texts into sentences (at dandas and what other scripts end them with), each of which the model sees by itself.
   * For models that have learnt from single sentences. Default false: the model sees the whole text, or long windows.
   */
  sentences?: boolean;
}

/**
 * What a caller decides for a call that gives entities. Its terms come beside those that the recogniser was made with, and
 * are prepared anew in each call; for many calls there is `withLexicon`.
 */
export interface ExtractOptions extends CallOptions, EntityOptions, TermOptions {}

/** What a caller decides for several readings of a text. */
export type NBestOptions = Omit<ExtractOptions, "sentences">;

/** What a caller decides for a stream of texts. */
export type StreamOptions = Omit<ExtractOptions, "onProgress">;

/** What a caller decides for a document that comes in pieces. */
export type DocumentOptions = Omit<StreamOptions, "sentences">;
