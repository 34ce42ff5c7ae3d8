/**
 * The labelers that a file declares, with their lists read and their models loaded.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import {
  dictionaryLabeler,
  ENDINGS,
  type Labeler,
  type LlmLabeler,
  llmLabeler,
  modelLabeler,
  readObo,
  readRxNorm,
  readSnomed,
  readTable,
  regexLabeler,
  TermIndex,
  type Terms,
} from "../../label.ts";
import { Ner } from "../../mod.ts";
import { answerCache } from "./corpus/answer_cache.ts";
import { UsageError } from "./errors.ts";
import type { LabelerConfig } from "./label_config.ts";
import { readLines } from "./lines.ts";
import { modelSource } from "./named.ts";
import { complain } from "./output.ts";
import { openText } from "./text_files.ts";

/** Labelers, and what must be closed after them. */
export interface Made {
  readonly labelers: readonly Labeler[];
  readonly models: readonly Ner[];
  /** Those that have spent something, for the report. */
  readonly llms: readonly LlmLabeler[];
}

/** Makes labelers; `resolve` is from the file's folder, `output` where answers are kept. */
export async function makeLabelers(
  configs: readonly LabelerConfig[],
  resolve: (path: string) => string,
  output: string,
): Promise<Made> {
  const labelers: Labeler[] = [], models: Ner[] = [], llms: LlmLabeler[] = [];
  for (const config of configs) {
    if (config.kind === "dictionary") labelers.push(await makeDictionary(config, resolve));
    else if (config.kind === "regex") labelers.push(regexLabeler(config.name, config.patterns));
    else if (config.kind === "model") {
      const ner = await Ner.load(modelSource(config.model, resolve));
      models.push(ner);
      labelers.push(modelLabeler(ner, config));
    } else {
      const { apiKeyVariable, ...options } = config;
      const apiKey = apiKeyVariable === undefined ? undefined : process.env[apiKeyVariable];
      if (apiKeyVariable !== undefined && !apiKey) {
        throw new UsageError(
          `${config.name}: the environment variable ${apiKeyVariable} is not set`,
        );
      }
      const llm = llmLabeler({ ...options, apiKey, cache: answerCache(join(output, "answers")) });
      llms.push(llm);
      labelers.push(llm);
    }
  }
  return { labelers, models, llms };
}

type DictionaryConfig = Extract<LabelerConfig, { kind: "dictionary" }>;

async function makeDictionary(
  config: DictionaryConfig,
  resolve: (path: string) => string,
): Promise<Labeler> {
  async function* terms(): Terms {
    for (const file of config.files) yield* termsOf(linesOf(resolve(file)), file, config);
  }
  const index = await TermIndex.from(terms(), config.minLength);
  if (index.ambiguous > 0) {
    complain(
      `warning: ${config.name}: ${index.ambiguous} terms are of several types; the first counts`,
    );
  }
  const { endings } = config;
  const known = typeof endings === "string" ? ENDINGS[endings] : endings;
  if (endings !== undefined && known === undefined) {
    throw new UsageError(
      `${config.name}: no endings are known of ${endings}, but of ${
        Object.keys(ENDINGS).join(", ")
      }; others can be listed`,
    );
  }
  return dictionaryLabeler(index, { ...config, endings: known });
}

function termsOf(lines: AsyncIterable<string>, file: string, config: DictionaryConfig): Terms {
  switch (config.format) {
    case "table":
      return readTable(lines, file, config);
    case "obo":
      return readObo(lines, file, config);
    case "rxnorm":
      return readRxNorm(lines, file, config);
    case "snomed":
      return readSnomed(lines, file, config);
  }
}

async function* linesOf(path: string): AsyncGenerator<string> {
  for await (const lines of readLines(openText(path), path, complain)) {
    for (const { text } of lines) yield text;
  }
}
