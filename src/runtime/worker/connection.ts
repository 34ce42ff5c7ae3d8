/**
 * The program's end of a worker: calls that wait for their answers, streams whose pieces the worker asks for
 * (`protocol.ts`).
 *
 * One worker may hold several recognisers, made of each other and beside the same weights; it ends when the last of
 * them is closed.
 *
 * @module
 */
import { InputError, RuntimeError } from "../../errors.ts";
import type { CallOptions, Progress, StreamOptions } from "../../ner/options.ts";
import { stringsOf, type TextSource } from "../../ner/stream.ts";
import {
  errorOf,
  type Making,
  type Method,
  type Port,
  type Reply,
  type Request,
  type SentOptions,
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

/** Who calls: a recogniser's number, and the method by its name. */
interface Caller {
  readonly ner: number;
  readonly method: Method | Making | StreamMethod;
}

/** A call that waits for its answer. */
interface Waiting extends Caller {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
  readonly onProgress?: CallOptions["onProgress"];
  /** Hands over the next piece of a stream's source. */
  readonly want?: () => void;
}

/** The recogniser that a worker loads first. */
export const LOADED = 0;

/** A worker that nobody else speaks to. */
export class Connection {
  readonly #port: WorkerPort;
  readonly #waiting = new Map<number, Waiting>();
  /** Recognisers that have not been closed. */
  readonly #open = new Set([LOADED]);
  #calls = LOADED;
  /** Why there are no more answers. */
  #failed: Error | undefined;

  /** Takes a worker that has been started. */
  constructor(port: WorkerPort) {
    this.#port = port;
    port.listen((reply) => this.#receive(reply), (reason) => {
      // What was ended on purpose has not failed.
      if (this.#open.size === 0) return;
      const failed = this.#failed = new RuntimeError(
        "runtime/worker",
        `The worker ended: ${reason}`,
      );
      this.#end(() => failed);
    });
    port.keepAlive(false);
  }

  /** Calls a method and waits for its answer. */
  async call(
    ner: number,
    method: Method,
    args: readonly unknown[],
    { signal, onProgress, ...options }: CallOptions = {},
  ): Promise<unknown> {
    return await this.#call(++this.#calls, { ner, method }, args, { signal, onProgress }, options);
  }

  /** Calls a method that makes a recogniser, and returns its number. */
  async make(ner: number, method: Making, args: readonly unknown[]): Promise<number> {
    const made = ++this.#calls;
    await this.#call(made, { ner, method }, args, {}, {});
    this.#open.add(made);
    return made;
  }

  /** Values of a method that takes a stream and gives one. */
  async *stream<T>(
    ner: number,
    method: StreamMethod,
    source: TextSource,
    { signal, ...options }: StreamOptions,
  ): AsyncGenerator<T, void, undefined> {
    const caller = { ner, method };
    this.#check(caller);
    const strings = stringsOf(source, method), id = ++this.#calls;
    // Before the worker asks, so that a bad source is refused by its own name.
    let first: IteratorResult<string, void> | undefined = await strings.next();
    let failed: (error: unknown) => void;
    const want = (): void => {
      const give = ({ done = false, value }: IteratorResult<string, void>): void =>
        this.#port.post({ kind: "piece", id, done, piece: value ?? "" });
      if (first) {
        const given = first;
        first = undefined;
        give(given);
      } else strings.next().then(give, (error) => failed(error));
    };
    let ended = false;
    try {
      // The source may have taken its time, and the recogniser been closed meanwhile.
      this.#check(caller);
      this.#post({ kind: "stream", id, ner, method, options }, caller);
      for (;;) {
        const broken = new Promise<never>((_, reject) => failed = reject);
        const asked = this.#ask(id, { kind: "next", id }, caller, { signal }, want);
        const { done, value } = await Promise.race([asked, broken]) as IteratorResult<T, void>;
        ended = done === true;
        if (done) return;
        yield value;
      }
    } finally {
      if (!ended) this.#port.post({ kind: "abort", id });
      await strings.return(undefined);
    }
  }

  /** Closes a recogniser and ends what it is doing, and the worker with the last one. */
  close(ner: number): void {
    if (!this.#open.delete(ner)) return;
    if (this.#open.size === 0) return this.#end(({ method }) => closed(method));
    for (const [id, waiting] of this.#waiting) {
      if (waiting.ner !== ner) continue;
      this.#port.post({ kind: "abort", id });
      waiting.reject(closed(waiting.method));
    }
    this.#port.post({ kind: "close", id: ner });
  }

  /** Ends the worker; calls that wait are rejected with what `reason` says of each. */
  #end(reason: (caller: Caller) => Error): void {
    this.#open.clear();
    for (const waiting of this.#waiting.values()) waiting.reject(reason(waiting));
    this.#port.terminate();
  }

  /** Refuses calls of a recogniser that was closed, or whose worker has ended. */
  #check({ ner, method }: Caller): void {
    if (this.#failed) throw this.#failed;
    if (!this.#open.has(ner)) throw closed(method);
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

  /** Posts what a caller handed in, of which not everything can be cloned. */
  #post(request: Request, { method }: Caller): void {
    try {
      this.#port.post(request);
    } catch (cause) {
      throw new InputError(
        "input/type",
        `${method}: what it was given cannot be sent to a worker: ${
          cause instanceof Error ? cause.message : String(cause)
        }`,
        { cause },
      );
    }
  }

  async #call(
    id: number,
    caller: Caller,
    args: readonly unknown[],
    tell: CallOptions,
    options: SentOptions,
  ): Promise<unknown> {
    const { ner } = caller, method = caller.method as Method | Making;
    const progress = tell.onProgress !== undefined;
    const request = { kind: "call" as const, id, ner, method, args, progress, options };
    return await this.#ask(id, request, caller, tell);
  }

  /** Posts a request and waits for the answer to call `id`. */
  async #ask(
    id: number,
    request: Request,
    caller: Caller,
    { signal, onProgress }: CallOptions,
    want?: () => void,
  ): Promise<unknown> {
    signal?.throwIfAborted();
    this.#check(caller);
    let aborted: (() => void) | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(id, { ...caller, resolve, reject, onProgress, want });
        this.#port.keepAlive(true);
        aborted = (): void => {
          this.#port.post({ kind: "abort", id });
          reject(signal?.reason);
        };
        signal?.addEventListener("abort", aborted, { once: true });
        this.#post(request, caller);
      });
    } finally {
      if (aborted) signal?.removeEventListener("abort", aborted);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0 && this.#open.size > 0) this.#port.keepAlive(false);
    }
  }
}

function closed(method: string): InputError {
  return new InputError(
    "input/closed",
    `${method}: this recogniser has been closed; load the model again to use it.`,
  );
}
