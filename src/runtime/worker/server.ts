/**
 * The worker's side: recognisers that answer what the program asks (`protocol.ts`).
 *
 * @module
 */
import { isBytes, RuntimeError } from "../../errors.ts";
import type { Progress } from "../../ner/options.ts";
import type { Emissions, Recogniser } from "../../ner/recogniser.ts";
import type { LoadProgress } from "../source_options.ts";
import { type Call, failureOf, type Port, type Reply, type Request } from "./protocol.ts";

/** Loads what the client names, with its options. */
export type Load = (source: unknown, options: unknown) => Promise<Recogniser>;

/** Strings that come when they are asked for. */
interface Source extends AsyncIterable<string> {
  give(done: boolean, piece: string): void;
}

function sourceOf(want: () => void): Source {
  let deliver: ((result: IteratorResult<string, undefined>) => void) | undefined;
  const next = (): Promise<IteratorResult<string, undefined>> =>
    new Promise((resolve) => {
      deliver = resolve;
      want();
    });
  return {
    [Symbol.asyncIterator]: () => ({ next }),
    give: (done, value) => deliver?.(done ? { done, value: undefined } : { done: false, value }),
  };
}

/** Answers requests at `port`; returns what is to be called with each that arrives. */
export function serve(port: Port<Reply>, load: Load): (request: Request) => void {
  const recognisers = new Map<number, Recogniser>();
  const aborts = new Map<number, AbortController>();
  const streams = new Map<number, { source: Source; values: AsyncIterator<unknown> }>();

  /** Runs `work` for call `id`, and posts what comes of it. */
  const answer = async (id: number, work: () => Promise<unknown>): Promise<void> => {
    try {
      const value = await work();
      const rows = Array.isArray(value) ? value : [value];
      // Emissions and probabilities are of nobody else here.
      const transfer = rows.map((row) => (row as Emissions | undefined)?.data?.buffer)
        .filter((buffer) => buffer !== undefined) as ArrayBuffer[];
      port.post({ kind: "answer", id, value }, transfer);
    } catch (error) {
      port.post({ kind: "failed", id, error: failureOf(error) });
    }
  };
  const open = (ner: number): Recogniser => {
    const found = recognisers.get(ner);
    if (found !== undefined) return found;
    throw new RuntimeError(
      "runtime/internal",
      "a worker was asked for a recogniser that it has not.",
    );
  };
  const optionsOf = (id: number, progress: boolean) => {
    const controller = new AbortController();
    aborts.set(id, controller);
    return {
      signal: controller.signal,
      ...(progress && {
        onProgress: (now: Progress | LoadProgress) =>
          port.post({ kind: "progress", id, progress: now }),
      }),
    };
  };

  const called = async ({ id, ner, method, args, progress, options }: Call): Promise<unknown> => {
    const own = optionsOf(id, progress);
    /** Keeps a recogniser that was made, if it is still wanted. */
    const keep = (number: number, made: Recogniser): void => {
      if (own.signal.aborted) made.close();
      else recognisers.set(number, made);
    };
    // The methods' own checks say what is wrong with their arguments.
    const [first, second] = args as never[];
    try {
      switch (method) {
        case "load":
          return keep(
            ner,
            await load(first, { ...second as object, ...(isBytes(first) ? {} : own) }),
          );
        case "withAdapter":
          return keep(id, await open(ner).withAdapter(first, second));
        case "withLexicon":
          return keep(id, await open(ner).withLexicon(first));
        case "info":
          return open(ner).info();
        case "tokenize":
          return open(ner).tokenize(first);
        case "vocabulary": {
          const { spell: _, ...vocabulary } = open(ner).vocabulary();
          return vocabulary;
        }
        case "spell":
          return open(ner).vocabulary().spell(first);
        case "extractNBest":
          return await open(ner).extractNBest(first, second, { ...options, ...own });
        default:
          return await open(ner)[method](first, { ...options, ...own });
      }
    } finally {
      end(id);
    }
  };

  /** Forgets a call. */
  const end = (id: number): void => {
    aborts.delete(id);
    streams.delete(id);
  };

  return (request: Request): void => {
    const { id } = request;
    switch (request.kind) {
      case "call":
        return void answer(id, () => called(request));
      case "stream": {
        const source = sourceOf(() => port.post({ kind: "want", id }));
        const { signal } = optionsOf(id, false), { ner, method, options } = request;
        const values = open(ner)[method](source, { ...options, signal });
        return void streams.set(id, { source, values });
      }
      case "next": {
        const stream = streams.get(id);
        return void answer(id, async () => {
          const result = await stream?.values.next();
          if (result?.done) end(id);
          return result;
        });
      }
      case "piece":
        return streams.get(id)?.source.give(request.done, request.piece);
      case "abort":
        aborts.get(id)?.abort();
        return end(id);
      case "close":
        recognisers.get(id)?.close();
        recognisers.delete(id);
    }
  };
}
