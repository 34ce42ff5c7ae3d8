/**
 * A client of a chat endpoint that speaks OpenAI's protocol (`POST .../chat/completions`), as vLLM, llama.cpp, Ollama and
 * most services do: one question, one answer by a JSON schema, asked again when that may help.
 *
 * Asked again, after a pause that doubles from half a second and is never shorter than the service's own `Retry-After`:
 * where the network fails, no answer comes in time, the status is 408, 409, 425, 429 or above 499, or the
 * answer is no JSON of the schema. Any other status means that the request itself is wrong, for this text and for all
 * others, and ends the run.
 *
 * @module
 */
import { RuntimeError } from "../../errors.ts";
import { type Pace, type Sleep, sleep } from "./pace.ts";

/** Where and how to ask. */
export interface ChatOptions {
  /** The endpoint's base, to which `/chat/completions` is added: `http://localhost:8000/v1`. */
  readonly url: string;
  /** The model's name there. */
  readonly model: string;
  /** Sent as a bearer token. */
  readonly apiKey?: string | undefined;
  /** Default 0. */
  readonly temperature?: number | undefined;
  /** Most tokens of an answer; default 2048. */
  readonly maxTokens?: number | undefined;
  /** Milliseconds until an answer is given up; default 60,000. */
  readonly timeout?: number | undefined;
  /** How often a question is asked again; default 5. */
  readonly retries?: number | undefined;
}

/** What was sent: together with the endpoint's model, all that decides on the answer. */
export interface Question {
  readonly system: string;
  readonly user: string;
  /** JSON schema of the answer. */
  readonly schema: object;
}

/** Why a question has no answer. */
export type Failure = "budget" | "http" | "malformed" | "network" | "truncated";

/** What came of a question. */
export type Outcome<T> =
  | { readonly answer: T; readonly tokens: number }
  | { readonly failure: Failure; readonly message: string };

/** First pause, and the longest, in milliseconds. */
const PAUSE = 500, LONGEST_PAUSE = 60_000;

const TEMPORARY = new Set([408, 409, 425, 429]);

/** The request's body; answers are cached by it. */
export function bodyOf(question: Question, options: ChatOptions): string {
  return JSON.stringify({
    model: options.model,
    temperature: options.temperature ?? 0,
    max_tokens: options.maxTokens ?? 2048,
    messages: [
      { role: "system", content: question.system },
      { role: "user", content: question.user },
    ],
    response_format: {
      type: "json_schema",
      json_schema: { name: "answer", strict: true, schema: question.schema },
    },
  });
}

/**
 * Asks until there is an answer that `parse` takes, or no more retries. Throws {@link RuntimeError} `label/endpoint` where the
 * service refuses the request itself.
 */
export async function ask<T>(
  body: string,
  options: ChatOptions,
  pace: Pace,
  parse: (content: string) => T | undefined,
  wait: Sleep = sleep,
): Promise<Outcome<T>> {
  const retries = options.retries ?? 5;
  for (let attempt = 0;; attempt++) {
    if (pace.exhausted) return { failure: "budget", message: `${pace.spent} tokens are spent` };
    await pace.turn();
    const { outcome, after } = await once(body, options, pace, parse);
    if ("answer" in outcome || attempt === retries) return outcome;
    const pause = Math.min(LONGEST_PAUSE, PAUSE * 2 ** attempt) * (0.5 + Math.random() / 2);
    await wait(Math.max(pause, after));
  }
}

async function once<T>(
  body: string,
  options: ChatOptions,
  pace: Pace,
  parse: (content: string) => T | undefined,
): Promise<{ outcome: Outcome<T>; after: number }> {
  const failed = (failure: Failure, message: string, after = 0): {
    outcome: Outcome<T>;
    after: number;
  } => ({ outcome: { failure, message }, after });
  let status: number, text: string, after: number;
  try {
    const response = await fetch(`${options.url.replace(/\/+$/, "")}/chat/completions`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(options.apiKey !== undefined && { authorization: `Bearer ${options.apiKey}` }),
      },
      body,
      signal: AbortSignal.timeout(options.timeout ?? 60_000),
    });
    status = response.status;
    after = retryAfter(response.headers.get("retry-after"));
    text = await response.text();
  } catch (error) {
    return failed("network", (error as Error).message);
  }
  if (TEMPORARY.has(status) || status >= 500) return failed("http", `status ${status}`, after);
  if (status !== 200) {
    throw new RuntimeError(
      "label/endpoint",
      `${options.url} answered with status ${status}: ${
        text.slice(0, 200)
      }; the request will not get better.`,
    );
  }
  const reply = replyOf(text);
  if (reply === undefined) return failed("malformed", "the reply is no chat completion");
  pace.spent += reply.tokens;
  if (reply.truncated) return failed("truncated", "the answer was cut off at its token limit");
  const answer = parse(reply.content);
  return answer === undefined
    ? failed("malformed", `the answer is not of the schema: ${reply.content.slice(0, 80)}`)
    : { outcome: { answer, tokens: reply.tokens }, after: 0 };
}

/** Milliseconds that `Retry-After` asks for, in seconds or as a date; 0 where it asks for none. */
function retryAfter(value: string | null): number {
  if (value === null) return 0;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return ms > 0 ? Math.min(ms, 10 * LONGEST_PAUSE) : 0;
}

interface Reply {
  readonly content: string;
  readonly truncated: boolean;
  readonly tokens: number;
}

function replyOf(text: string): Reply | undefined {
  try {
    const { choices, usage } = JSON.parse(text), content = choices[0].message.content;
    if (typeof content !== "string") return undefined;
    const tokens = Number(usage?.total_tokens);
    return {
      content,
      truncated: choices[0].finish_reason === "length",
      // A service that does not count: a token is some four bytes of English.
      tokens: Number.isFinite(tokens) ? tokens : Math.ceil(content.length / 4),
    };
  } catch {
    return undefined;
  }
}
