/**
 * A recogniser in a worker, as the program sees it: the same methods, each of which asks the worker (`protocol.ts`).
 *
 * What must cross a thread takes some 0.1 ms more, so this is for pages and servers whose own thread is busy with other
 * things; the recogniser itself never blocks for long either way.
 *
 * @module
 */
import { InputError, RuntimeError } from "../../errors.ts";
import { checkCall } from "../../ner/check_options.ts";
import type { Entity, Reading } from "../../ner/entities.ts";
import type {
  CallOptions,
  DocumentOptions,
  EntityOptions,
  ExtractOptions,
  NBestOptions,
  Progress,
  StreamOptions,
  TermOptions,
} from "../../ner/options.ts";
import type { NerInfo } from "../../ner/parts.ts";
import type { Emissions, Token } from "../../ner/recogniser.ts";
import { stringsOf, type TextSource } from "../../ner/stream.ts";
import type { SourceOptions } from "../source_options.ts";
import {
  errorOf,
  type Method,
  type Port,
  type Reply,
  type Request,
  type StreamMethod,
} from "./protocol.ts";

/** A worker that was started. */
export interface WorkerPort extends Port<Request> {
  /** Calls `receive` with each message, and `failed` once if the worker cannot run. */
  listen(receive: (reply: Reply) => void, failed: (reason: string) => void): void;
  /** Whether the program has to stay alive for it. */
  keepAlive(wanted: boolean): void;
  terminate(): void;
}

/** A call that waits for its answer. */
interface Waiting {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
  readonly onProgress?: CallOptions["onProgress"];
  /** Hands over the next piece of a stream's source. */
  readonly want?: () => void;
}

/** A recogniser in a worker of its own. Made by `Ner.inWorker`. */
export class RemoteNer {
  readonly #port: WorkerPort;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;
  /** Why there are no more answers. */
  #ended: Error | undefined;

  /** Takes a worker that has been started, and nobody else speaks to. */
  constructor(port: WorkerPort) {
    this.#port = port;
    port.listen((reply) => this.#receive(reply), (reason) => {
      this.#end(new RuntimeError("runtime/worker", `The worker ended: ${reason}`));
    });
    port.keepAlive(false);
  }

  /** Has the worker load a model; for `Ner.inWorker`. */
  async load(source: unknown, options: SourceOptions): Promise<void> {
    const { signal, onProgress, ...sent } = options;
    await this.#call("load", [source, sent], { signal, onProgress } as CallOptions);
  }

  /** See {@link Recogniser.extract}. */
  async extract(text: string, options: ExtractOptions = {}): Promise<Entity[]> {
    return await this.#call("extract", [text], options) as Entity[];
  }

  /** See {@link Recogniser.extractBatch}. */
  async extractBatch(
    texts: readonly string[],
    options: ExtractOptions = {},
  ): Promise<Entity[][]> {
    return await this.#call("extractBatch", [texts], options) as Entity[][];
  }

  /** See {@link Recogniser.extractNBest}. */
  async extractNBest(text: string, count: number, options: NBestOptions = {}): Promise<Reading[]> {
    return await this.#call("extractNBest", [text, count], options) as Reading[];
  }

  /** See {@link Recogniser.emissions}; the numbers are moved here, not copied. */
  async emissions(text: string, options: CallOptions = {}): Promise<Emissions> {
    return await this.#call("emissions", [text], options) as Emissions;
  }

  /** See {@link Recogniser.emissionsBatch}; the numbers are moved here, not copied. */
  async emissionsBatch(
    texts: readonly string[],
    options: CallOptions = {},
  ): Promise<Emissions[]> {
    return await this.#call("emissionsBatch", [texts], options) as Emissions[];
  }

  /** See {@link Recogniser.tokenize}; here it has to be waited for. */
  async tokenize(text: string): Promise<Token[]> {
    return await this.#call("tokenize", [text], {}) as Token[];
  }

  /** See {@link Recogniser.info}; here it has to be waited for. */
  async info(): Promise<NerInfo> {
    return await this.#call("info", [], {}) as NerInfo;
  }

  /** See {@link Recogniser.extractStream}. */
  extractStream(
    texts: TextSource,
    options: StreamOptions = {},
  ): AsyncGenerator<Entity[], void, undefined> {
    return this.#stream("extractStream", texts, options);
  }

  /** See {@link Recogniser.extractDocument}. */
  extractDocument(
    pieces: TextSource,
    options: DocumentOptions = {},
  ): AsyncGenerator<Entity, void, undefined> {
    return this.#stream("extractDocument", pieces, options);
  }

  /** Ends the worker and what it is doing. Further calls are rejected; closing again is allowed. */
  close(): void {
    this.#end(
      new InputError(
        "input/closed",
        "this recogniser has been closed; load the model again to use it.",
      ),
    );
  }

  /** {@link close}, at the end of a block with `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #end(reason: Error): void {
    if (this.#ended) return;
    this.#ended = reason;
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
    this.#port.terminate();
  }

  #receive(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    switch (reply.kind) {
      case "answer":
        return waiting.resolve(reply.value);
      case "failed":
        return waiting.reject(errorOf(reply.error));
      case "want":
        return waiting.want?.();
      case "progress":
        try {
          // What is told is told of what this call asked for.
          waiting.onProgress?.(reply.progress as Progress);
        } catch (error) {
          this.#port.post({ kind: "abort", id: reply.id });
          waiting.reject(error);
        }
    }
  }

  /** Posts a request and waits for the answer to call `id`. */
  async #ask(
    id: number,
    request: Request,
    { signal, onProgress }: CallOptions,
    want?: () => void,
  ): Promise<unknown> {
    signal?.throwIfAborted();
    if (this.#ended) throw this.#ended;
    let aborted: (() => void) | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject, onProgress, want });
        this.#port.keepAlive(true);
        aborted = (): void => {
          this.#port.post({ kind: "abort", id });
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", aborted, { once: true });
        this.#port.post(request);
      });
    } finally {
      if (aborted) signal?.removeEventListener("abort", aborted);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0 && !this.#ended) this.#port.keepAlive(false);
    }
  }

  async #call(method: Method, args: readonly unknown[], options: CallOptions): Promise<unknown> {
    const progress = checkCall(options, method).onProgress !== undefined, id = ++this.#calls;
    const request = { kind: "call" as const, id, method, args, progress, options: plain(options) };
    return await this.#ask(id, request, options);
  }

  async *#stream<T>(
    method: StreamMethod,
    source: TextSource,
    options: StreamOptions,
  ): AsyncGenerator<T, void, undefined> {
    checkCall(options, method);
    if (this.#ended) throw this.#ended;
    const strings = stringsOf(source, method), id = ++this.#calls;
    // Before the worker asks, so that a bad source is refused by its own name.
    let first: IteratorResult<string, void> | undefined = await strings.next();
    const port = this.#port;
    port.post({ kind: "stream", id, method, options: plain(options) });
    let failed: (error: unknown) => void;
    const want = (): void => {
      const give = ({ done = false, value }: IteratorResult<string, void>): void =>
        port.post({ kind: "piece", id, done, piece: value ?? "" });
      if (first) {
        const given = first;
        first = undefined;
        give(given);
      } else strings.next().then(give, (error) => failed(error));
    };
    let ended = false;
    try {
      for (;;) {
        const broken = new Promise<never>((_, reject) => failed = reject);
        const asked = this.#ask(id, { kind: "next", id }, options, want);
        const { done, value } = await Promise.race([asked, broken]) as IteratorResult<T, void>;
        ended = done === true;
        if (done) return;
        yield value;
      }
    } finally {
      if (!ended && !this.#ended) port.post({ kind: "abort", id });
      await strings.return(undefined);
    }
  }
}

/** What can be cloned of the options of a call. */
function plain(
  { signal: _, onProgress: __, ...options }: ExtractOptions,
): EntityOptions & TermOptions {
  return options;
}
