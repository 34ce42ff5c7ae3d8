/** The labeler that asks a language model, against a server that speaks the protocol and misbehaves. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type AnswerCache, llmLabeler, type LlmOptions } from "../../label.ts";
import type { NerError } from "../../src/errors.ts";
import { Aligner } from "../../src/label/llm/align.ts";

/** What the server does with one request: a JSON answer by the model, or whatever it likes. */
type Reply =
  | { readonly content: string; readonly finish?: string; readonly tokens?: number }
  | { readonly status: number; readonly headers?: Record<string, string> }
  | { readonly raw: string }
  | "hang"
  | "reset";

interface Asked {
  readonly text: string;
  readonly body: Record<string, unknown>;
  readonly authorization: string | undefined;
}

/** Runs `work` beside a server that answers the n-th request for a text by `replies(text, n)`. */
async function withServer(
  replies: (text: string, attempt: number) => Reply,
  work: (url: string, asked: Asked[]) => Promise<void>,
): Promise<void> {
  const asked: Asked[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let json = "";
    for await (const chunk of request.setEncoding("utf8")) json += chunk;
    const body = JSON.parse(json), text = body.messages[1].content;
    assert.is(request.url, "/v1/chat/completions");
    const reply = replies(text, asked.filter((each) => each.text === text).length);
    asked.push({ text, body, authorization: request.headers.authorization });
    if (reply === "hang") return;
    if (reply === "reset") return void request.socket.destroy();
    if ("status" in reply) return void response.writeHead(reply.status, reply.headers).end("no");
    if ("raw" in reply) return void response.end(reply.raw);
    response.end(JSON.stringify({
      choices: [{ message: { content: reply.content }, finish_reason: reply.finish ?? "stop" }],
      usage: { total_tokens: reply.tokens ?? 100 },
    }));
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, asked);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const entities = (...list: readonly (readonly [type: string, quote: string])[]): Reply => ({
  content: JSON.stringify({ entities: list.map(([type, quote]) => ({ type, quote })) }),
});

const optionsOf = (url: string, more: Partial<LlmOptions> = {}): LlmOptions => ({
  name: "llm",
  url,
  model: "m",
  types: { MED: "a medicine", DIS: "a disease" },
  retries: 2,
  timeout: 2000,
  ...more,
});

/** Notes how long a client would have waited, and does not. */
function noted(): { pauses: number[]; wait: (ms: number) => Promise<void> } {
  const pauses: number[] = [];
  return { pauses, wait: (ms) => (pauses.push(ms), Promise.resolve()) };
}

function memoryCache(): AnswerCache & { readonly kept: Map<string, string> } {
  const kept = new Map<string, string>();
  return {
    kept,
    get: (key) => Promise.resolve(kept.get(key)),
    set: (key, answer) => (kept.set(key, answer), Promise.resolve()),
  };
}

test("quotes are found exactly, folded, and with few edits; others are not", () => {
  const text = "Fever and fever; Naïve pa\u00adtients took Paracetamol 500 mg with ibuprofen.";
  const find = (...quotes: string[]): (string | undefined)[] => {
    const aligner = new Aligner(text);
    return quotes.map((quote) => {
      const place = aligner.find(quote);
      return place && text.slice(place.start, place.end);
    });
  };
  assert.equal(find("fever", "fever", "fever"), ["fever", "Fever", undefined]);
  assert.equal(find("PATIENTS", "paracetamol  500 MG"), ["pa\u00adtients", "Paracetamol 500 mg"]);
  assert.equal(find("paracetomol", "ibuprofin"), ["Paracetamol", "ibuprofen"]);
  assert.equal(
    find("aspirin", "", "   ", "paracetamol 500 mg twice a day"),
    Array(4).fill(undefined),
  );
  // Two places are equally near: whichever were meant, it is not said.
  assert.is(new Aligner("abcdx abcdy").find("abcdz"), undefined);
  // A word before a part of a word.
  assert.equal(new Aligner("unfit fit").find("fit"), { start: 6, end: 9 });
});

test("a good answer: what is quoted is found, what is made up is dropped and counted", async () => {
  const replies = (): Reply =>
    entities(["MED", "Paracetamol"], ["MED", "aspirin"], ["SYM", "fever"], ["DIS", "fever"]);
  await withServer(replies, async (url, asked) => {
    const labeler = llmLabeler(optionsOf(url, { apiKey: "secret", confidence: 0.8 }));
    const [spans, none] = await labeler.label(["paracetamol for fever", ""]);
    assert.equal(spans, [
      { type: "MED", start: 0, end: 11, confidence: 0.8 },
      { type: "DIS", start: 16, end: 21, confidence: 0.8 },
    ]);
    assert.equal(none, []);
    const { aligned, notFound, unknownTypes, tokens } = labeler.report();
    assert.equal([aligned, notFound, unknownTypes, tokens], [2, 1, 1, 100]);
    assert.is(asked.length, 1);
    assert.is(asked[0]!.authorization, "Bearer secret");
    const { model, temperature, response_format: format } = asked[0]!.body as Record<string, never>;
    assert.equal([model, temperature, format["type"]], ["m", 0, "json_schema"]);
  });
});

test("misbehaviour: asked again, then right; or abstained from, and counted by its reason", async () => {
  const bad: Readonly<Record<string, Reply>> = {
    malformed: { content: '{"entities": [{"type": "MED", "quote": ' },
    "of another schema": { content: '{"entities": [{"kind": "MED"}]}' },
    "no completion": { raw: '{"error": "x"}' },
    "not JSON": { raw: "<html>" },
    truncated: { content: '{"entities": []}', finish: "length" },
    "status 500": { status: 500 },
    "status 429": { status: 429, headers: { "retry-after": "7" } },
    "late": "hang",
    "reset": "reset",
  };
  const good = entities(["MED", "med"]);
  // Each goes wrong once, then well; "always ..." goes wrong for ever.
  const replies = (text: string, attempt: number): Reply => {
    const name = text.replace(/^(always )?med /, "");
    return text.startsWith("always") || attempt === 0 ? bad[name]! : good;
  };
  await withServer(replies, async (url, asked) => {
    const { pauses, wait } = noted();
    const labeler = llmLabeler(optionsOf(url, { timeout: 300 }), wait);
    const names = Object.keys(bad);
    const once = await labeler.label(names.map((name) => `med ${name}`));
    once.forEach((spans, i) => assert.equal(spans?.length, 1, names[i]));
    // A runtime may itself send again what was reset.
    const counted = (): number => asked.filter(({ text }) => !text.endsWith("reset")).length;
    assert.is(counted(), 2 * (names.length - 1));
    assert.equal(labeler.report().failures, {});
    assert.ok(pauses.includes(7000), "Retry-After is heeded");
    const never = await labeler.label(names.map((name) => `always med ${name}`));
    assert.equal(never, names.map(() => undefined));
    assert.equal(labeler.report().failures, { malformed: 4, truncated: 1, http: 2, network: 2 });
    assert.is(counted(), 5 * (names.length - 1));
  });
});

test("pauses double; a status that will not get better ends the run", async () => {
  await withServer(() => ({ status: 503 }), async (url) => {
    const { pauses, wait } = noted();
    await llmLabeler(optionsOf(url, { retries: 4 }), wait).label(["x"]);
    assert.is(pauses.length, 4);
    pauses.forEach((ms, i) => assert.ok(ms >= 250 * 2 ** i && ms <= 500 * 2 ** i, `${pauses}`));
  });
  await withServer(() => ({ status: 401 }), async (url, asked) => {
    try {
      await llmLabeler(optionsOf(url)).label(["x"]);
      assert.unreachable();
    } catch (error) {
      assert.is((error as NerError).code, "label/endpoint");
    }
    assert.is(asked.length, 1);
  });
});

test("a run that was stopped asks for no text twice; another prompt asks anew", async () => {
  const texts = Array.from({ length: 20 }, (_, i) => `med ${i}`), cache = memoryCache();
  await withServer(() => entities(["MED", "med"]), async (url, asked) => {
    await llmLabeler(optionsOf(url, { cache })).label(texts.slice(0, 12));
    const labeler = llmLabeler(optionsOf(url, { cache }));
    const spans = await labeler.label(texts);
    assert.ok(spans.every((each) => each?.length === 1));
    assert.is(asked.length, 20);
    assert.equal([labeler.report().cached, labeler.report().asked], [12, 8]);
    // What a damaged cache holds is no answer.
    for (const key of cache.kept.keys()) cache.kept.set(key, "{");
    await llmLabeler(optionsOf(url, { cache })).label(texts);
    assert.is(asked.length, 40);
    await llmLabeler(optionsOf(url, { cache, instructions: "other" })).label(texts);
    assert.is(asked.length, 60);
  });
});

test("limits: at once, a minute, tokens in all", async () => {
  let running = 0, most = 0;
  const texts = Array.from({ length: 12 }, (_, i) => `med ${i}`);
  await withServer(() => entities(), async (url, asked) => {
    const cache: AnswerCache = {
      async get() {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
        return undefined;
      },
      set: () => Promise.resolve(),
    };
    const limited = llmLabeler(optionsOf(url, { concurrency: 3, tokens: 500, cache }));
    const said = await limited.label(texts);
    assert.is(most, 3);
    // The fifth answer spends the budget; two more questions may have been under way.
    assert.ok(asked.length >= 5 && asked.length <= 7, `${asked.length}`);
    assert.is(said.filter((each) => each === undefined).length, 12 - asked.length);
    assert.is(limited.report().failures.budget, 12 - asked.length);
    const { pauses, wait } = noted();
    const stopped = new Error("enough");
    const paced = llmLabeler(optionsOf(url, { perMinute: 4 }), (ms) => {
      void wait(ms);
      return Promise.reject(stopped);
    });
    try {
      await paced.label(texts.slice(0, 5));
      assert.unreachable();
    } catch (error) {
      assert.is(error, stopped);
    }
    assert.is(pauses.length, 1);
    assert.ok(pauses[0]! > 50_000 && pauses[0]! <= 60_000, "until the first is a minute ago");
  });
});

test.run();
