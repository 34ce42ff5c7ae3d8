/**
 * How a command ends: one line for people on stderr, and an exit code for scripts.
 *
 * 0 is success, 2 is something the caller can mend (an option, a path, a broken or unsupported file),
 * 1 is everything else. A stack trace helps only whoever changes this program, so it is printed only
 * if `EDGE_NER_DEBUG` is set.
 *
 * @module
 */
import process from "node:process";
import { NerError } from "../../mod.ts";

/** The caller asked for something that cannot be: a bad option, a contradiction, a missing input. */
export class UsageError extends Error {}

/** The reader of our output has gone away, as `head` does: the work is over, and nothing is wrong. */
export class OutputClosed extends Error {}

/** A command did its work and the answer is no, as in `verify`: exit code 1, already reported. */
export class CheckFailed extends Error {}

/** What to print and how to exit. */
export interface Ending {
  readonly message: string | undefined;
  readonly exitCode: number;
}

/** System errors that mean that a path given by the caller cannot be used, in words. */
const PATH_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EISDIR: "is a folder, not a file",
  ENOTDIR: "a part of the path is not a folder",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "too many symbolic links",
};

/** Folds a message into one line, so that a log has one line an error. */
export function oneLine(message: string): string {
  return message.replace(/\s*[\r\n]+\s*/g, " ").trim();
}

function property(error: unknown, name: string): unknown {
  return typeof error === "object" && error !== null
    ? (error as Record<string, unknown>)[name]
    : undefined;
}

/** The path that a system error is about; Deno has it only in the message: `open 'path'`. */
function pathOf(error: unknown, message: string): string {
  const path = property(error, "path");
  return typeof path === "string" ? path : message.match(/'([^']*)'/)?.[1] ?? "input";
}

/** Decides how a thrown value ends the program. */
export function endingOf(error: unknown): Ending {
  if (error instanceof OutputClosed) return { message: undefined, exitCode: 0 };
  if (error instanceof CheckFailed) return { message: error.message || undefined, exitCode: 1 };
  const message = oneLine(error instanceof Error ? error.message : String(error));
  if (error instanceof UsageError) return { message, exitCode: 2 };
  if (error instanceof NerError) return { message: `${message} (${error.code})`, exitCode: 2 };
  const code = String(property(error, "code"));
  if (Object.hasOwn(PATH_ERRORS, code)) {
    return { message: `${pathOf(error, message)}: ${PATH_ERRORS[code]}`, exitCode: 2 };
  }
  if (property(error, "name") === "NotCapable") {
    return { message: `Deno's sandbox refused: ${message}`, exitCode: 2 };
  }
  if (code === "ENOSPC") return { message: "no space left on the device", exitCode: 1 };
  return {
    message: `internal error: ${message} (EDGE_NER_DEBUG=1 shows where)`,
    exitCode: 1,
  };
}

/** Whether the caller wants stack traces. */
export function debugging(): boolean {
  const value = process.env.EDGE_NER_DEBUG;
  return value !== undefined && value !== "" && value !== "0";
}
