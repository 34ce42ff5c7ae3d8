/**
 * One file by HTTP, bounded in memory and in time whatever the server does.
 *
 * A server may state no length, or a wrong one; send without end, slowly, or a byte now and then; or pack gigabytes of
 * nothing into some kilobytes. So bytes are counted as they come out unpacked, against a limit; there is an end to each
 * wait for a byte, and one to the whole; and room is made for what has come, not for what was promised.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import type { ByteSource } from "../formats/package/stream.ts";
import { ioError, shortUrl } from "./source.ts";
import type { Fetch, SourceOptions } from "./source_options.ts";

/** What the files beside a model may have: the largest tokenizer.json of the hub has a tenth of it. */
export const MOST_BESIDE = 1 << 27;

/** What a model may have, if its server states it and if not. */
const MOST_STATED = 2 ** 31, MOST_UNSTATED = 2 ** 29;

const TIMEOUT_MS = 600_000, IDLE_TIMEOUT_MS = 30_000;

/** What a timer can count. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Room that is made before anything has come. */
const FIRST_ROOM = 1 << 16;

/** Waits no longer than allowed, and no longer than a signal says. */
class Patience {
  readonly #controller = new AbortController();
  readonly #location: string;
  readonly #signal: AbortSignal | undefined;
  readonly #idle: number;
  readonly #whole: number;
  readonly #end: number;

  constructor(
    location: string,
    { signal, timeout = TIMEOUT_MS, idleTimeout = IDLE_TIMEOUT_MS }: SourceOptions,
  ) {
    this.#location = location;
    this.#signal = signal;
    this.#idle = idleTimeout;
    this.#whole = timeout;
    this.#end = performance.now() + timeout;
  }

  /** Ends the request when waiting does. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /**
   * What `work` gives. Throws {@link RuntimeError} `runtime/timeout` if it takes too long, the signal's reason, and for
   * whatever `work` throws what {@link ioError} makes of it.
   */
  async within<T>(work: Promise<T>): Promise<T> {
    const left = this.#end - performance.now();
    let stop!: (reason: unknown) => void;
    const stopped = new Promise<never>((_, reject) =>
      stop = (reason): void => {
        reject(reason);
        this.#controller.abort(reason);
      }
    );
    const timer = setTimeout(() => stop(this.#late(left < this.#idle)), this.#wait(left));
    const aborted = (): void => stop(this.#signal!.reason);
    this.#signal?.addEventListener("abort", aborted, { once: true });
    try {
      const named = work.catch((cause) => {
        throw ioError("fetch", this.#location, cause);
      });
      return await Promise.race([named, stopped]);
    } finally {
      clearTimeout(timer);
      this.#signal?.removeEventListener("abort", aborted);
    }
  }

  #wait(left: number): number {
    return Math.max(0, Math.min(left, this.#idle, LONGEST_TIMER_MS));
  }

  #late(whole: boolean): RuntimeError {
    return new RuntimeError(
      "runtime/timeout",
      whole
        ? `${this.#location} did not come whole within ${this.#whole} ms; the option timeout allows more.`
        : `${this.#location} sent nothing for ${this.#idle} ms; the option idleTimeout allows more.`,
    );
  }
}

/**
 * Bytes that a body will have, if that can be known: a compressed answer states its compressed length, and
 * an answer from another origin does not say whether it was compressed.
 */
function statedSize({ headers, type }: Response): number | undefined {
  const length = headers.get("content-length") ?? "";
  if (!/^[0-9]+$/.test(length) || headers.has("content-encoding") || type === "cors") {
    return undefined;
  }
  return Number(length);
}

function tooLarge(location: string, most: number, what: string): RuntimeError {
  return new RuntimeError(
    "runtime/too-large",
    `${location} ${what}, and at most ${most} bytes are taken; for a model that is so large there is the option maxBytes.`,
  );
}

/** Lets a body go, however long that takes: an unread one keeps its connection open. */
function letGo(body: Pick<ReadableStream, "cancel"> | null): void {
  body?.cancel().catch(() => {});
}

/** A body's pieces, counted. */
async function* piecesOf(
  body: ReadableStream<Uint8Array>,
  location: string,
  patience: Patience,
  size: number | undefined,
  most: number,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  let loaded = 0, ended = false;
  try {
    for (;;) {
      const { done, value } = await patience.within(reader.read());
      ended = done;
      if (done) break;
      loaded += value.length;
      if (loaded > most) throw tooLarge(location, most, "has more bytes than may be");
      yield value;
    }
  } finally {
    if (!ended) letGo(reader);
  }
  if (size !== undefined && loaded !== size) {
    throw new RuntimeError(
      "runtime/fetch",
      `${location} ended after ${loaded} of the ${size} bytes that it stated.`,
    );
  }
}

/** How one file is asked for. */
export interface Wanted {
  /** Bytes that it may have; without it, what a model may have. */
  readonly most?: number;
  /** Whether it may be missing. */
  readonly optional?: boolean;
}

/**
 * Asks for a file. Its bytes come as they are asked for.
 *
 * @returns undefined if it is missing and may be
 * @throws {RuntimeError} `runtime/http-status` for an answer other than 2xx, `runtime/http-body` for an HTML page (what a
 * development server answers for a file that it does not have), `runtime/permission` where Deno lacks `--allow-net`,
 * `runtime/fetch` when no answer came or it broke off, `runtime/too-large`, `runtime/timeout`; the last three also while its
 * bytes are read
 * @throws the signal's reason
 */
export async function download(
  url: URL,
  { most, optional = false }: Wanted,
  options: SourceOptions,
): Promise<ByteSource | undefined> {
  const { headers, signal, maxBytes } = options, location = shortUrl(url);
  signal?.throwIfAborted();
  const patience = new Patience(location, options);
  const ask: Fetch = options.fetch ?? fetch;
  const init: RequestInit = {
    signal: patience.signal,
    ...(headers && { headers: { ...headers } }),
  };
  // A function of the caller's may throw before it promises anything.
  const response = await patience.within((async () => await ask(url, init))());
  const { status, statusText, body } = response;
  if (optional && (status === 404 || status === 410)) return letGo(body), undefined;
  if (!response.ok) {
    letGo(body);
    throw new RuntimeError(
      "runtime/http-status",
      `${location} answered ${status} ${statusText}`.trimEnd() +
        "; expected 200 and a model's file." +
        (status === 401 || status === 403
          ? " The Hugging Face hub answers so for a model that is private, gated or not there: " +
            'headers: { authorization: "Bearer hf_..." } says who asks.'
          : ""),
    );
  }
  if ((response.headers.get("content-type") ?? "").startsWith("text/html")) {
    letGo(body);
    if (optional) return undefined;
    throw new RuntimeError(
      "runtime/http-body",
      `${location} answered an HTML page; expected a model's file. Servers of single-page applications answer so for ` +
        "a file that is not there.",
    );
  }
  const size = statedSize(response);
  const limit = most ?? maxBytes ?? (size === undefined ? MOST_UNSTATED : MOST_STATED);
  if (size !== undefined && size > limit) {
    letGo(body);
    throw tooLarge(location, limit, `states ${size} bytes`);
  }
  if (body === null) return { size: 0, chunks: nothing() };
  return { size, chunks: piecesOf(body, location, patience, size, limit) };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** A source whose coming is told to who asked for it, and whose end may be the signal's. */
export function told(
  { size: total, chunks }: ByteSource,
  file: string,
  cached: boolean,
  { onProgress, signal }: SourceOptions,
): ByteSource {
  async function* telling(): AsyncGenerator<Uint8Array> {
    let loaded = 0;
    for await (const chunk of chunks) {
      signal?.throwIfAborted();
      onProgress?.({ file, loaded: loaded += chunk.length, total, cached });
      yield chunk;
    }
  }
  return { size: total, chunks: telling() };
}

/** All bytes of a source, in room that grows with what comes. */
export async function collect({ size, chunks }: ByteSource): Promise<Uint8Array> {
  let room = new Uint8Array(Math.min(size ?? FIRST_ROOM, 1 << 24)), length = 0;
  for await (const chunk of chunks) {
    if (length + chunk.length > room.length) {
      const more = Math.max(2 * room.length, length + chunk.length);
      const larger = new Uint8Array(
        size === undefined ? more : Math.max(Math.min(more, size), length + chunk.length),
      );
      larger.set(room.subarray(0, length));
      room = larger;
    }
    room.set(chunk, length);
    length += chunk.length;
  }
  return room.subarray(0, length);
}
