/**
 * Bytes of a file or a pipe to documents, one a line, with bounded memory.
 *
 * Every line is a document, an empty one too, so that input and output can be put side by side with
 * `paste`. Lines end in LF or CRLF; the last may lack its end; a file's byte order mark is dropped.
 * Bytes that are not UTF-8 become U+FFFD and are reported: offsets then index the text as printed.
 *
 * Weak where: UTF-16 is recognised only by its byte order mark, and a lone CR ends no line.
 *
 * @module
 */
import { UsageError } from "./errors.ts";

/** A line longer than this is not a document but a mistake, and would be held in memory whole. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024;

/** One line of an input. */
export interface Line {
  readonly text: string;
  /** Counted from 1. */
  readonly number: number;
  /** Bytes that it takes in the input, with its end. */
  readonly bytes: number;
}

const LF = 10;
const CR = 13;
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/**
 * Yields the complete lines of each chunk as it comes, so that a slow pipe is answered line by line.
 * `name` is how messages call the input; `warn` gets a line for people.
 * Throws {@link UsageError} for a line over {@link MAX_LINE_BYTES} and for UTF-16.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  warn: (message: string) => void,
): AsyncGenerator<Line[]> {
  let number = 0;
  let invalid = 0;
  /** Pieces of the unfinished line. */
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;

  const finish = (bytes: Uint8Array): Line => {
    number++;
    const size = bytes.length + 1;
    if (number === 1) {
      if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
        throw new UsageError(`${name} is UTF-16; convert it to UTF-8 first (iconv -f utf-16)`);
      }
      if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) bytes = bytes.subarray(3);
    }
    if (bytes.at(-1) === CR) bytes = bytes.subarray(0, -1);
    try {
      return { text: strict.decode(bytes), number, bytes: size };
    } catch {
      if (invalid++ === 0) {
        warn(`warning: ${name}, line ${number}: not UTF-8; bad bytes become U+FFFD`);
      }
      return { text: lenient.decode(bytes), number, bytes: size };
    }
  };
  const tooLong = (): UsageError =>
    new UsageError(
      `${name}, line ${number + 1} is over ${
        MAX_LINE_BYTES >> 20
      } MiB; one document a line is expected`,
    );

  for await (const chunk of chunks) {
    const lines: Line[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      const tail = chunk.subarray(start, end);
      if (pendingBytes + tail.length > MAX_LINE_BYTES) throw tooLong();
      lines.push(finish(pendingBytes === 0 ? tail : concat([...pending, tail])));
      pending = [];
      pendingBytes = 0;
      start = end + 1;
    }
    if (start < chunk.length) {
      // A copy: a stream may reuse its buffer, and a short rest must not keep a long chunk alive.
      pending.push(chunk.slice(start));
      pendingBytes += chunk.length - start;
      if (pendingBytes > MAX_LINE_BYTES) throw tooLong();
    }
    if (lines.length > 0) yield lines;
  }
  if (pendingBytes > 0) yield [finish(concat(pending))];
  if (invalid > 1) warn(`warning: ${name}: ${invalid} lines were not UTF-8`);
}
