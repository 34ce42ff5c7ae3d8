/**
 * Recognising with packed models, and nothing else: no file, no network, no ONNX, no compiling. For bundles that must
 * be small, and runtimes that no platform of `edge-ner` is made for. As the package has it, tokenizers are WordPiece with
 * BERT's normalizer and pre-tokenizers; others, and what few need (quantizing, the reference backend, adapters, a caller's
 * terms, documents in pieces, sentences and words), are refused with the name of the entry that has them.
 *
 * ```ts ignore
 * import { Ner } from "edge-ner/core";
 * import baseline from "edge-ner/baseline.wasm"; // as the bundler or runtime has it: a WebAssembly.Module
 *
 * const ner = await Ner.fromBytes(model, { kernels: [baseline] });
 * const entities = await ner.extract("text");
 * ```
 *
 * @module
 */
export { Ner } from "./src/ner/packed.ts";
export type { Entity, Reading } from "./src/ner/entities.ts";
export type {
  Accelerator,
  CallOptions,
  KernelOptions,
  LexiconTerms,
  NBestOptions,
  NerOptions,
  OffsetUnit,
  OutputOptions,
  Progress,
  StreamOptions,
  TermOptions,
} from "./src/ner/options.ts";
export type {
  Emissions,
  Probabilities,
  Recogniser,
  Token,
  Vocabulary,
} from "./src/ner/recogniser.ts";
export type { NerInfo } from "./src/ner/parts.ts";
export type { GpuPrecision } from "./src/backend/accelerate.ts";
export type { GpuReport, RaceTimes } from "./src/backend/engine.ts";
export type { Expected } from "./src/backend/race.ts";
export type { AdapterOptions } from "./src/formats/hf/adapter.ts";
export type { TextSource } from "./src/ner/stream.ts";
export type { ByteSource } from "./src/formats/package/stream.ts";
export type { Thread, Threading, ThreadTask } from "./src/kernels/threads.ts";
export {
  FormatError,
  InputError,
  ModelError,
  NerError,
  RuntimeError,
  TokenizerError,
} from "./src/errors.ts";
export type {
  FormatErrorCode,
  InputErrorCode,
  ModelErrorCode,
  NerErrorCode,
  RuntimeErrorCode,
  TokenizerErrorCode,
} from "./src/errors.ts";
