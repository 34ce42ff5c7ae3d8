/**
 * Writing to stdout and stderr: waits for a slow reader instead of buffering without bound, and ends
 * quietly when the reader has gone (`edge-ner extract | head`).
 *
 * @module
 */
import process from "node:process";
import { OutputClosed } from "./errors.ts";

/** Set by the first failed write; every later one throws it. */
let failure: Error | undefined;
/** Wakes the writer that waits for `drain`: after an error, `drain` never comes. */
let wake: (() => void) | undefined;
let listening = false;

function fail(error: Error & { code?: string }): void {
  // Where others say EPIPE, Windows says EOF, and a stream that was ended earlier says so.
  const gone = ["EPIPE", "EOF", "ECONNRESET", "ERR_STREAM_DESTROYED"].includes(error.code ?? "");
  failure ??= gone ? new OutputClosed() : error;
  wake?.();
}

/** Hands text to stdout and waits until it takes more, or until all of it has left the process. */
async function write(text: string, until: "more" | "all"): Promise<void> {
  if (!listening) {
    listening = true;
    process.stdout.on("error", fail);
    process.stdout.on("drain", () => wake?.());
  }
  if (failure) throw failure;
  await new Promise<void>((resolve) => {
    wake = resolve;
    try {
      const more = process.stdout.write(text, () => until === "all" && resolve());
      if (more && until === "more") resolve();
    } catch (error) {
      // Deno writes to a file synchronously, and throws what others emit.
      fail(error as Error);
    }
  });
  wake = undefined;
  if (failure) throw failure;
}

/** Writes to stdout; resolves when it may be written to again. Throws {@link OutputClosed}. */
export async function print(text: string): Promise<void> {
  if (text !== "") await write(text, "more");
}

/** Resolves when all that was printed has left the process. Throws what `print` would. */
export function flush(): Promise<void> {
  return write("", "all");
}

/** One line on stderr, prefixed with the program's name. */
export function complain(message: string): void {
  process.stderr.write(`edge-ner: ${message}\n`);
}

/** Whether stdout gets colours: the option wins, then NO_COLOR, FORCE_COLOR, then a terminal. */
export function colorWanted(option: boolean | undefined): boolean {
  if (option !== undefined) return option;
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "") return FORCE_COLOR !== "0";
  return process.stdout.isTTY === true && TERM !== "dumb";
}
