/**
 * The worker's side: one recogniser, which answers what the program asks (`protocol.ts`).
 *
 * @module
 */
import { isBytes, RuntimeError } from "../../errors.ts";
import type { Progress } from "../../ner/options.ts";
import type { Emissions, Recogniser } from "../../ner/recogniser.ts";
import type { LoadProgress } from "../source_options.ts";
import { failureOf, type Port, type Reply, type Request } from "./protocol.ts";

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
  let ner: Recogniser | undefined;
  const aborts = new Map<number, AbortController>();
  const streams = new Map<number, { source: Source; values: AsyncIterator<unknown> }>();

  /** Runs `work` for call `id`, and posts what comes of it. */
  const answer = async (id: number, work: () => Promise<unknown>): Promise<void> => {
    try {
      const value = await work();
      const rows = Array.isArray(value) ? value : [value];
      // Emissions are of nobody else here.
      const transfer = rows.map((row) => (row as Emissions | undefined)?.data?.buffer)
        .filter((buffer) => buffer !== undefined) as ArrayBuffer[];
      port.post({ kind: "answer", id, value }, transfer);
    } catch (error) {
      port.post({ kind: "failed", id, error: failureOf(error) });
    }
  };
  const loaded = (): Recogniser => {
    if (ner !== undefined) return ner;
    throw new RuntimeError("runtime/internal", "a worker was asked before its model was loaded.");
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

  return (request: Request): void => {
    const { id } = request;
    switch (request.kind) {
      case "call": {
        const { method, args, progress } = request;
        return void answer(id, async () => {
          if (method === "load") {
            const sent = args[1] as object;
            ner = await load(args[0], {
              ...sent,
              ...(isBytes(args[0]) ? {} : optionsOf(id, progress)),
            });
            aborts.delete(id);
            return ner.info();
          }
          if (method === "info") return loaded().info();
          if (method === "tokenize") return loaded().tokenize(args[0] as string);
          const options = { ...request.options, ...optionsOf(id, progress) };
          try {
            // The method's own check says what is wrong with its argument.
            const ner = loaded(), [first, ...more] = args;
            return method === "extractNBest"
              ? await ner[method](first as string, more[0] as number, options)
              : await ner[method](first as never, options);
          } finally {
            aborts.delete(id);
          }
        });
      }
      case "stream": {
        const source = sourceOf(() => port.post({ kind: "want", id }));
        const { signal } = optionsOf(id, false);
        const options = { ...request.options, signal };
        const values = loaded()[request.method](source, options)[Symbol.asyncIterator]();
        return void streams.set(id, { source, values });
      }
      case "next": {
        const stream = streams.get(id);
        return void answer(id, async () => {
          const result = await stream?.values.next();
          if (result?.done) streams.delete(id);
          return result;
        });
      }
      case "piece":
        return streams.get(id)?.source.give(request.done, request.piece);
      case "abort": {
        aborts.get(id)?.abort();
        aborts.delete(id);
        streams.delete(id);
      }
    }
  };
}
