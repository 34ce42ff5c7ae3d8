/**
 * A labeler that is a large language model, asked for quotes.
 *
 * Not for offsets: models cannot count characters. They name a type and quote the text, and the quotes are found here
 * (`align.ts`); what cannot be found is dropped and counted, as are types that nobody asked for. An answer is kept under the
 * hash of all that decided on it, so that a run that was stopped pays nothing twice, and one with another prompt
 * pays anew. From a text without an answer the labeler abstains, and counts why.
 *
 * Source of the method: Vedula et al., Distilling large language models for efficient clinical information extraction
 * (arXiv 2501.00031).
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import { type Labeler, type LabelSpan, withoutOverlap } from "../labeler.ts";
import { Aligner } from "./align.ts";
import { ask, bodyOf, type ChatOptions, type Failure } from "./chat.ts";
import { type Limits, Pace, type Sleep } from "./pace.ts";

/** Keeps answers between runs. Keys are hexadecimal digests. */
export interface AnswerCache {
  /** The answer under a key. */
  get(key: string): Promise<string | undefined>;
  /** Keeps an answer: all of it or nothing, also if the process dies. */
  set(key: string, answer: string): Promise<void>;
}

/** What to ask whom. */
export interface LlmOptions extends ChatOptions, Limits {
  /** By which reports call it. */
  readonly name: string;
  /** Entity types and what each means, for the prompt. */
  readonly types: Readonly<Record<string, string>>;
  /** Instructions instead of the default ones; types and schema are added. */
  readonly instructions?: string | undefined;
  /** Above 0 to 1; default 1. The model is not asked how sure it is: what it says of that means little. */
  readonly confidence?: number | undefined;
  /** Share of a quote's characters that may differ from the text's, 0 to 1; default 0.2. */
  readonly maxDistance?: number | undefined;
  /** Where answers are kept. Default: nowhere. */
  readonly cache?: AnswerCache | undefined;
}

/** What became of all questions so far. */
export interface LlmReport {
  /** Answers by the service. */
  asked: number;
  /** Answers from the cache. */
  cached: number;
  /** Tokens spent in this run. */
  tokens: number;
  /** Quotes that were found. */
  aligned: number;
  /** Quotes that the text does not have. */
  notFound: number;
  /** Entities of types that were not asked for. */
  unknownTypes: number;
  /** Texts that were abstained from, by reason. */
  failures: Partial<Record<Failure, number>>;
  /** The last reason in words. */
  lastFailure?: string;
}

/** A language model as a labeler. */
export interface LlmLabeler extends Labeler {
  /** What became of all questions so far. */
  report(): Readonly<LlmReport>;
}

const INSTRUCTIONS =
  "You annotate entities in text. List every mention of an entity of the types below, in the order in which they stand. Quote each " +
  "exactly as it is written, letter for letter, without adding, correcting or translating anything; quote a mention once for each " +
  "time that it occurs. Do not list what is not in the text.";

interface Mention {
  readonly type: string;
  readonly quote: string;
}

/** Makes a labeler. Throws {@link InputError} `input/option` for one without types. `wait` is for tests. */
export function llmLabeler(options: LlmOptions, wait?: Sleep): LlmLabeler {
  const types = Object.keys(options.types), pace = new Pace(options, wait);
  if (types.length === 0) {
    throw new InputError("input/option", `${options.name}: name at least one type to ask for.`);
  }
  const confidence = options.confidence ?? 1;
  const system = [
    options.instructions ?? INSTRUCTIONS,
    "Types:",
    ...types.map((type) => `- ${type}: ${options.types[type]}`),
    'Answer with JSON alone: {"entities": [{"type": "...", "quote": "..."}]}',
  ].join("\n");
  const schema = schemaOf(types);
  const report: LlmReport = {
    asked: 0,
    cached: 0,
    tokens: 0,
    aligned: 0,
    notFound: 0,
    unknownTypes: 0,
    failures: {},
  };

  async function answerOf(text: string): Promise<readonly Mention[] | undefined> {
    const body = bodyOf({ system, user: text, schema }, options);
    const key = await digest(`${options.url}\n${body}`);
    const kept = await options.cache?.get(key), mentions = kept && parseAnswer(kept);
    if (mentions) {
      report.cached++;
      return mentions;
    }
    const outcome = await ask(body, options, pace, parseAnswer, wait);
    report.tokens = pace.spent;
    if ("answer" in outcome) {
      report.asked++;
      await options.cache?.set(key, JSON.stringify({ entities: outcome.answer }));
      return outcome.answer;
    }
    report.failures[outcome.failure] = (report.failures[outcome.failure] ?? 0) + 1;
    report.lastFailure = outcome.message;
    return undefined;
  }

  function spansOf(text: string, mentions: readonly Mention[]): LabelSpan[] {
    const aligner = new Aligner(text, options.maxDistance), spans: LabelSpan[] = [];
    for (const { type, quote } of mentions) {
      if (!types.includes(type)) {
        report.unknownTypes++;
        continue;
      }
      const place = aligner.find(quote);
      if (place === undefined) report.notFound++;
      else {
        report.aligned++;
        spans.push({ type, ...place, confidence });
      }
    }
    return withoutOverlap(spans);
  }

  return {
    name: options.name,
    types,
    label: (texts) =>
      Promise.all(Array.from(texts, (text) =>
        pace.run(async () => {
          if (text.trim() === "") return [];
          const mentions = await answerOf(text);
          return mentions && spansOf(text, mentions);
        }))),
    report: () => report,
  };
}

function schemaOf(types: readonly string[]): object {
  return {
    type: "object",
    properties: {
      entities: {
        type: "array",
        items: {
          type: "object",
          properties: { type: { type: "string", enum: types }, quote: { type: "string" } },
          required: ["type", "quote"],
          additionalProperties: false,
        },
      },
    },
    required: ["entities"],
    additionalProperties: false,
  };
}

/** The mentions in an answer; undefined for what is not of the schema. A code fence around it is common and harmless. */
function parseAnswer(content: string): readonly Mention[] | undefined {
  const json = content.trim().replace(/^```(?:json)?\s*\n([\s\S]*?)\n?```$/, "$1");
  try {
    const { entities } = JSON.parse(json);
    const good = Array.isArray(entities) &&
      entities.every((entity) =>
        typeof entity?.type === "string" && typeof entity.quote === "string"
      );
    return good ? entities.map(({ type, quote }: Mention) => ({ type, quote })) : undefined;
  } catch {
    return undefined;
  }
}

/** SHA-256, hexadecimal. */
async function digest(text: string): Promise<string> {
  const bytes = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)),
  );
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
