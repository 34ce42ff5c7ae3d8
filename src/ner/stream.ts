/**
 * What a caller streams, whichever way, piece by piece.
 *
 * @module
 */
import { InputError, show } from "../errors.ts";

/** Strings one after the other. */
export type TextSource = AsyncIterable<string> | Iterable<string> | ReadableStream<string>;

/** What comes of a stream; not every engine lets one be iterated. */
export async function* readAll<T>(stream: ReadableStream<T>): AsyncGenerator<T> {
  const reader = stream.getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      ended = done;
      if (done) return;
      yield value;
    }
  } finally {
    if (!ended) await reader.cancel();
  }
}

/** The source's strings. Throws {@link InputError} `input/type`, naming the method, for anything else. */
export async function* stringsOf(source: TextSource, method: string): AsyncGenerator<string> {
  const fail = (value: unknown): never => {
    throw new InputError(
      "input/type",
      `${method} takes an iterable, an async iterable or a ReadableStream of strings; got ${
        show(value)
      }.`,
    );
  };
  if (typeof source !== "object" || source === null) fail(source);
  const iterable = Symbol.asyncIterator in source || Symbol.iterator in source
    ? source as AsyncIterable<string> | Iterable<string>
    : "getReader" in source
    ? readAll<string>(source)
    : fail(source);
  for await (const text of iterable) {
    if (typeof text !== "string") fail(text);
    yield text;
  }
}

/** Throws {@link InputError} `input/type`, naming the method, for what is no string. */
export function checkText(text: string, method: string): void {
  if (typeof text !== "string") {
    throw new InputError("input/type", `${method} takes strings; got ${show(text)}.`);
  }
}
