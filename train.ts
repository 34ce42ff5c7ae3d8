/**
 * Training, beside the recogniser: data, vocabularies, models.
 *
 * Nothing here is reachable from `edge-ner`: who only recognises entities loads none of it. Files are handed in as
 * text or bytes and come back as bytes by name; nothing is opened.
 *
 * @module
 */

// Texts with their entities.
export { type GoldDocument, parseGold } from "./src/eval/gold.ts";
export type { Tag } from "./src/crf/scheme.ts";
export type { Counts, Score, TypeScores } from "./src/eval/scores.ts";
export type { Span, SpanScores } from "./src/eval/spans.ts";
export { batchesOf, type BatchOptions } from "./src/train/data/batches.ts";
export type { ColumnOptions } from "./src/corpus/columns.ts";
export {
  Labeller,
  labelsOf,
  type OutOfReach,
  type Reach,
  reachOf,
} from "./src/train/data/labels.ts";
export { declaresColumns, readTagPairs, type TagPairs } from "./src/corpus/conll.ts";
export { DATA_FORMATS, dataFormatOf, type ReadOptions, readTexts } from "./src/corpus/read.ts";
export { type Split, type SplitOptions, splitTexts } from "./src/train/data/split.ts";
export { PARTIAL_WEIGHT, type PartialCorpus } from "./src/train/data/partial.ts";
export { readTerms } from "./src/corpus/terms.ts";
export type { LabelledText, LabelledTexts } from "./src/corpus/text.ts";

// A model in training: parameters, steps, losses.
export { type CreateOptions, createTrainer } from "./src/runtime/trainer.ts";
export type {
  AdamWOptions,
  AttentionInput,
  AttentionLoss,
  Emissions,
  Example,
  Head,
  HiddenInput,
  HiddenLoss,
  Loss,
  LossInput,
  LossKernels,
  MakeTrainer,
  MaskedHead,
  NamedTensor,
  Parameter,
  ParameterKind,
  ReplacedHead,
  StepReport,
  TrainableModel,
  Trainer,
  TrainerOptions,
} from "./src/train/types.ts";
export { crfLoss, type CrfOptions, partialCrfLoss } from "./src/train/losses/crf.ts";
export { crossEntropyLoss, maskedLoss } from "./src/train/losses/cross_entropy.ts";
export { distillationLoss } from "./src/train/losses/distillation.ts";
export { replacedLoss } from "./src/train/losses/replaced.ts";
export { sumLoss } from "./src/train/losses/sum.ts";
export { IGNORED } from "./src/train/losses/targets.ts";
export type { PackedBatch, ThreadState } from "./src/backend/backend.ts";
export type { LexiconList, Lexicons } from "./src/model/lexicon.ts";
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
export type { Activation } from "./src/model/activations.ts";
export type { Adapted, Adapter, AdapterPart } from "./src/model/adapter.ts";
export type { ModelConfig } from "./src/model/config.ts";

// Fine-tuning.
export type { ModelBundle } from "./src/model/bundle.ts";
export type { Best } from "./src/train/loop/state.ts";
export {
  type EpochRecord,
  type FineTuneInput,
  FineTuning,
  type StepRecord,
  type Teaching,
  type TrainRecord,
} from "./src/train/loop/fine_tune.ts";
export type { FineTuneOptions, Settings } from "./src/train/loop/options.ts";
export type { Augment, AugmentOptions } from "./src/train/loop/augment.ts";
export type { LexiconOptions } from "./src/train/loop/lexicons.ts";
export type { LowRankOptions } from "./src/train/loop/low_rank.ts";
export { freshModel, type FreshSizes } from "./src/train/loop/start.ts";

// Distillation.
export { meanCrf } from "./src/train/distill/lessons.ts";
export {
  type DistillOptions,
  type DistillSettings,
  LESSONS,
  type TaughtLayers,
} from "./src/train/distill/options.ts";
export { type Teacher, teacherOf } from "./src/train/distill/teacher.ts";
export { pathLoss, type PathOptions, type TeacherScores } from "./src/train/losses/paths.ts";

// Pretraining.
export { type Corpus, CorpusHash, MemoryCorpus } from "./src/train/pretrain/corpus.ts";
export { idOf, insideWord, mark } from "./src/train/pretrain/marked.ts";
export {
  OBJECTIVES,
  type PretrainOptions,
  type PretrainSettings,
} from "./src/train/pretrain/options.ts";
export { HeldOut } from "./src/train/pretrain/overlap.ts";
export { Packer, type PackingOptions } from "./src/train/pretrain/packing.ts";
export {
  type HeldOutRecord,
  Pretraining,
  type PretrainInput,
  type PretrainRecord,
  type PretrainStep,
} from "./src/train/pretrain/pretrain.ts";

// Reports.
export { MODEL_NAMES, PAPER, type PaperFigures } from "./src/train/report/paper.ts";
export {
  byName,
  type Latency,
  type ModelRecord,
  readRecords,
  ROLES,
  type Spread,
  spreadOf,
} from "./src/train/report/records.ts";
export { type FigureName, FIGURES, reportText } from "./src/train/report/report.ts";
export { latencyOf, ofRole, typesOf } from "./src/train/report/tables.ts";

// Vocabularies.
export type { Encoding, Tokenizer } from "./src/tokenizer/types.ts";
export { ENDINGS } from "./src/train/vocab/endings.ts";
export { writeVocabulary } from "./src/train/vocab/files.ts";
export {
  type VocabularyOptions,
  type VocabularyText,
  VocabularyTrainer,
} from "./src/train/vocab/train.ts";
