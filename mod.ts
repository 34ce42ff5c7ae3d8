/**
 * Named-entity recognition at the edge.
 *
 * ```ts
 * import { Ner } from "edge-ner";
 *
 * const ner = await Ner.load("models/meder/meder-int8.safetensors");
 * for (const { type, text, start, end, score } of await ner.extract("জ্বরে প্যারাসিটামল খাওয়া যায়।")) {
 *   console.log(type, text, start, end, score);
 * }
 * ```
 *
 * {@link Ner.load} reads a packed model or an export folder where the runtime can read one;
 * {@link Ner.fromBytes} takes a packed model's bytes everywhere. All errors are {@link NerError}s with a
 * stable `code`.
 *
 * @module
 */
export {
  defaultKernels,
  loadBundle,
  type LoadOptions,
  type ModelFiles,
  Ner,
  openModel,
  sampleInputs,
  type WorkerOptions,
} from "./src/runtime/ner.ts";
export { type Samples } from "./src/ner/sample.ts";
export { type Moments } from "./src/quantize/moments.ts";
export type { RemoteNer, RemoteVocabulary } from "./src/runtime/worker/client.ts";
export type { GpuDeviceLike, GpuLike, GpuSource } from "./src/runtime/gpu/source.ts";
export type { ModelSource } from "./src/runtime/source.ts";
export type { Fetch, LoadProgress, SourceOptions } from "./src/runtime/source_options.ts";
export type { Entity, Reading } from "./src/ner/entities.ts";
export { BOUNDARIES, type Boundary } from "./src/ner/boundaries.ts";
export type {
  Accelerator,
  CallOptions,
  DocumentOptions,
  EntityOptions,
  ExtractOptions,
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
export type { TextSource } from "./src/ner/stream.ts";
export type { NerInfo } from "./src/ner/parts.ts";
export type { GpuPrecision } from "./src/backend/accelerate.ts";
export type { GpuReport, RaceTimes } from "./src/backend/engine.ts";
export type { Expected } from "./src/backend/race.ts";
export {
  type Aggregation,
  type Classifies,
  type GroupEntity,
  pipeline,
  type PipelineOptions,
  type Spelling,
  type TokenClassifier,
  type TokenEntity,
} from "./src/pipeline/token_classification.ts";
export type {
  Emissions,
  Probabilities,
  Recogniser,
  Token,
  Vocabulary,
} from "./src/ner/recogniser.ts";
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

// Models in memory: reading exports, quantizing, writing packages.
export type { ModelBundle } from "./src/model/bundle.ts";
export type { Activation } from "./src/model/activations.ts";
export {
  ADAPTED,
  type Adapted,
  type Adapter,
  type AdapterPart,
  mergeAdapter,
} from "./src/model/adapter.ts";
export type { HeadConfig, ModelConfig } from "./src/model/config.ts";
export type { LexiconList, Lexicons } from "./src/model/lexicon.ts";
export { withoutLexicons } from "./src/model/without_lexicons.ts";
export { addTerms } from "./src/ner/terms.ts";
export { shiftTypes } from "./src/ner/shift.ts";
export type { TermList, TermLists, TermRule } from "./src/model/terms.ts";
export type {
  CrfWeights,
  EncoderWeights,
  F32Matrix,
  FeatureWeights,
  I4Matrix,
  I8Matrix,
  LayerWeights,
  LinearWeights,
  Matrix,
  NormWeights,
} from "./src/model/weights.ts";
export type { Encoding, Tokenizer, TokenizerOptions, VocabConfig } from "./src/tokenizer/types.ts";
export { describeOnnx, type OnnxDescription } from "./src/formats/onnx/describe.ts";
export { bundleFromCheckpoint, type CheckpointFiles } from "./src/formats/hf/checkpoint.ts";
export {
  type AdapterOptions,
  namesLabels,
  readAdapter,
  writeAdapter,
} from "./src/formats/hf/adapter.ts";
export { writeCheckpoint } from "./src/formats/hf/write_checkpoint.ts";
export { bundleFromExport, type ExportFiles } from "./src/formats/read_export.ts";
export { readTokenizer, type TokenizerFiles } from "./src/formats/hf/tokenizer.ts";
export {
  bundleFromFolder,
  type Folder,
  type FolderContent,
  type GraphChoice,
  GRAPHS,
  type GraphType,
  readFolder,
} from "./src/formats/folder.ts";
export { readPackage } from "./src/formats/package/read.ts";
export { writePackage } from "./src/formats/package/write.ts";
export type { ByteSource } from "./src/formats/package/stream.ts";
export {
  type Dtype,
  DTYPES,
  readSafetensors,
  type SafeTensor,
  type SafeTensors,
} from "./src/formats/safetensors/read.ts";
export {
  dequantizeEncoder,
  quantizeEncoder,
  type QuantizeOptions,
  type QuantizeReport,
  type TensorReport,
} from "./src/quantize/encoder.ts";

export { LANE_DEPTH, type LaneBudget } from "./src/model/lanes.ts";

// Models made smaller: fewer layers, fewer word pieces.
export { chooseLayers } from "./src/shrink/layers.ts";
export { SCRIPTS } from "./src/shrink/scripts.ts";
export {
  choosePieces,
  countPieces,
  type KeepOptions,
  type PieceChoice,
  type PieceCounts,
} from "./src/shrink/vocabulary.ts";
export { trimVocabulary } from "./src/shrink/trim.ts";
export { type TokenChange, TokenMeter } from "./src/shrink/compare.ts";

// Models for other engines.
export { writeExport, type WriteExportOptions } from "./src/formats/write_export.ts";

// Labelled texts for other programs. train.ts reads them.
export { picture } from "./src/corpus/controls.ts";
export { BratWriter } from "./src/corpus/brat.ts";
export { bioOf, CONLL_COLUMNS, conllOf } from "./src/corpus/write_conll.ts";
export { ENTITY_HEADER, entityRows } from "./src/corpus/rows.ts";

// Judging a model: strict span scores, seqeval's scores of tag sequences, and agreement with another engine.
export { type Difference, difference, DifferenceMeter } from "./src/eval/parity.ts";
export { decodeSpans } from "./src/eval/decode.ts";
export {
  CALIBRATION_BINS,
  calibrationOf,
  fitTemperature,
  judgeEntities,
} from "./src/eval/calibration.ts";
export type {
  Calibration,
  CalibrationBin,
  CalibrationText,
  Judged,
} from "./src/eval/calibration.ts";
export { type GoldDocument, parseGold } from "./src/eval/gold.ts";
export { placeOf } from "./src/ner/places.ts";
export type { TokenSpan } from "./src/crf/scheme.ts";
export {
  type Confusion,
  confusionMatrix,
  scoreSpans,
  type Span,
  type SpanScores,
} from "./src/eval/spans.ts";
export { type OverlapScore, scoreOverlaps } from "./src/eval/overlaps.ts";
export type { Counts, Score, ScoreOptions, TypeScores } from "./src/eval/scores.ts";
export { TAG_SCHEMES, type TagOptions, type TagScheme } from "./src/eval/sequences.ts";
export { scoreTags, type TagConfusion, type TagScores } from "./src/eval/tags.ts";
