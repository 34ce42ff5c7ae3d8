/**
 * Every error this library throws on purpose.
 *
 * All of them extend {@link NerError} and carry a `code` of the form `room/what`, so that a program can
 * branch without parsing messages. Messages are for people: what was wrong, where, what was expected and,
 * where there is something to do, what to do.
 *
 * @module
 */

/** Base class of the library's errors. `code` is stable across releases; `message` is not. */
export class NerError extends Error {
  /** Machine-readable reason, `room/what`, for instance `onnx/truncated`. */
  readonly code: string;

  /** Makes an error with a stable `code` and a message for people. */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }
}

/** A file is not what it claims to be: truncated, inconsistent, or of a kind that is not supported. */
export class FormatError extends NerError {}

/** A model's parts contradict each other, or ask for something that the encoder does not do. */
export class ModelError extends NerError {}

/** A tokenizer file is invalid, unsupported, or would destroy the script that it is meant for. */
export class TokenizerError extends NerError {}

/** A call's argument is wrong: not a string, too long, closed instance, unknown option. */
export class InputError extends NerError {}

/** The runtime cannot do what was asked: no WASM SIMD, a kernel module of another version, no memory. */
export class RuntimeError extends NerError {}

/**
 * A value from a file as a message shows it: short, and never an error of its own. `String` and
 * `JSON.stringify` can throw on what `JSON.parse` returns: for an object with a `toString` that is no function,
 * and for one that is nested deeper than the stack.
 */
export function show(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}...` : value);
  }
  if (Array.isArray(value)) {
    const flat = value.length <= 16 && value.every((item) => typeof item !== "object");
    return flat ? `[${value.map(show).join()}]` : `an array of ${value.length}`;
  }
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "function" ? "a function" : String(value);
}
