/**
 * A service over HTTP: a text is posted, its entities come back as JSON. Nothing but `Request` and `Response`, so that
 * one function serves Deno, Bun, Cloudflare Workers, hono, Next's edge routes and service workers; the files beside this
 * one are all that differs.
 *
 * What is no text of a sensible length is answered with 4xx and a sentence; a request that its client gives up stops
 * its work.
 *
 * @module
 */
import { type Entity, NerError } from "edge-ner";

/** What is used of a recogniser: a `Ner`, or one in a worker. */
export interface Recognises {
  extract(text: string, options: { signal: AbortSignal }): Promise<Entity[]>;
}

/** Bytes of a text that is still looked at: about a second's work. */
const MOST = 64 * 1024;

const answer = (value: unknown, status = 200): Response =>
  Response.json(value, { status, headers: { "cache-control": "no-store" } });

/**
 * Calls `load` for the first who asks, and keeps what comes for all others. What failed is not kept: a model that could not
 * be fetched is asked for again by the next request.
 */
export function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  return () =>
    loading ??= load().catch((error) => {
      loading = undefined;
      throw error;
    });
}

/** A handler; `recogniser` is asked at each request for what recognises. */
export function handlerOf(
  recogniser: () => Recognises | Promise<Recognises>,
): (request: Request) => Promise<Response> {
  return async (request) => {
    if (request.method !== "POST") return answer({ error: "POST a text" }, 405);
    const length = Number(request.headers.get("content-length") ?? 0);
    if (length > MOST) return answer({ error: `at most ${MOST} bytes of text` }, 413);
    const bytes = new Uint8Array(await request.arrayBuffer());
    if (bytes.length > MOST) return answer({ error: `at most ${MOST} bytes of text` }, 413);
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      return answer({ error: "the text is not UTF-8" }, 400);
    }
    try {
      const ner = await recogniser();
      return answer(await ner.extract(text, { signal: request.signal }));
    } catch (error) {
      if (error instanceof NerError) return answer({ error: error.message, code: error.code }, 500);
      throw error;
    }
  };
}
