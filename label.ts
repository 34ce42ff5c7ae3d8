/**
 * Labels without annotators: lists, ontologies, expressions, models and language models label texts, each with its own errors,
 * and a vote or a hidden Markov model makes one answer of them.
 *
 * ```ts
 * import { CombineMeter, dictionaryLabeler, fitHmm, observe, readObo, TermIndex, tokensOf } from "edge-ner/label";
 *
 * const diseases = await TermIndex.from(readObo(lines, "doid.obo", { type: "Disease" }));
 * const labelers = [dictionaryLabeler(diseases, { name: "doid" }), ...others];
 * const said = await Promise.all(labelers.map((labeler) => labeler.label(texts)));
 * const observed = texts.map((text, i) => {
 *   const opinions = said.map((each) => each[i]);
 *   return observe(labelers, opinions, tokensOf(text, opinions));
 * });
 * const model = await fitHmm(observed, labelers);
 * const { spans, posteriors } = model.combine(observed[0]);
 * ```
 *
 * Nothing here is reachable from `edge-ner`: who only recognises entities loads none of it. Files are handed in as lines,
 * a recogniser as an object.
 *
 * @module
 */

// Labelers.
export type { Labeler, LabelSpan, Opinion } from "./src/label/labeler.ts";
export { dictionaryLabeler, type DictionaryOptions } from "./src/label/dictionary.ts";
export { type Accept, MAX_ACRONYM, type Term, TermIndex } from "./src/label/term_index.ts";
export type { Lines, Terms } from "./src/label/terms/lines.ts";
export { readTable, type TableOptions } from "./src/label/terms/table.ts";
export { type OboOptions, readObo, type SynonymScope } from "./src/label/terms/obo.ts";
export { readRxNorm, type RxNormOptions } from "./src/label/terms/rxnorm.ts";
export { readSnomed, type SnomedOptions } from "./src/label/terms/snomed.ts";
export { ENDINGS } from "./src/tokenizer/endings.ts";
export { type Pattern, regexLabeler } from "./src/label/regex.ts";
export { modelLabeler, type ModelLabelerOptions } from "./src/label/model.ts";
export {
  type AnswerCache,
  type LlmLabeler,
  llmLabeler,
  type LlmOptions,
  type LlmReport,
} from "./src/label/llm/llm.ts";
export type { ChatOptions, Failure } from "./src/label/llm/chat.ts";
export type { Limits, Sleep } from "./src/label/llm/pace.ts";
export type { Entity } from "./src/ner/entities.ts";
export type { NerInfo } from "./src/ner/parts.ts";
export type { Emissions, Recogniser, Token } from "./src/ner/recogniser.ts";

// Combining them.
export {
  type Column,
  labelsOf,
  observe,
  type Observed,
  type Tokens,
  tokensOf,
  type Voter,
} from "./src/label/combine/observed.ts";
export type { Combined, Combiner } from "./src/label/combine/combiner.ts";
export type { Weights } from "./src/label/combine/vote.ts";
export type { Hmm, HmmOptions, HmmParameters } from "./src/label/combine/hmm.ts";
export {
  CombineMeter,
  type CombineReport,
  type LabelerReport,
} from "./src/label/combine/report.ts";
export { fitHmm, hmmCombiner, type Kernels, voteCombiner } from "./src/runtime/combiner.ts";
export type { Span, SpanScores } from "./src/eval/spans.ts";
export type { Counts, Score, TypeScores } from "./src/eval/scores.ts";
