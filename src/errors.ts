/**
 * Every error this library throws on purpose.
 *
 * All of them extend {@link NerError} and carry a `code` of the form `room/what`, so that a program can
 * branch without parsing messages. A code stands for one rule, belongs to one class, and keeps its spelling and its
 * meaning across releases; new ones are added. Messages are for people: what was wrong, where, what was expected
 * and, where there is something to do, what to do.
 *
 * @module
 */

/** Codes of {@link FormatError}: a file that is not what it claims to be. */
export type FormatErrorCode =
  | "adapter/config"
  | "adapter/tensor"
  | "checkpoint/index"
  | "checkpoint/shard"
  | "checkpoint/state"
  | "checkpoint/tensor"
  | "config/field"
  | "config/json"
  | "crf/tensor"
  | "data/group"
  | "data/json"
  | "data/overlap"
  | "data/span"
  | "data/table"
  | "data/tag"
  | "head/tensor"
  | "input/utf8"
  | "label/terms"
  | "onnx/external"
  | "onnx/graph"
  | "onnx/protobuf"
  | "onnx/tensor"
  | "onnx/truncated"
  | "package/checksum"
  | "package/format"
  | "package/metadata"
  | "package/tensor"
  | "safetensors/header"
  | "safetensors/layout"
  | "safetensors/tensor"
  | "safetensors/truncated"
  | "tokenizer/json";

/** Codes of {@link ModelError}: a model that cannot run, or whose parts contradict each other. */
export type ModelErrorCode =
  | "config/unsupported"
  | "model/config"
  | "model/dtype"
  | "model/lexicon"
  | "model/mismatch"
  | "model/positions"
  | "model/scale"
  | "model/vocab"
  | "model/weights"
  | "onnx/activation"
  | "onnx/shape"
  | "onnx/size"
  | "onnx/unsupported";

/** Codes of {@link TokenizerError}: a tokenizer. */
export type TokenizerErrorCode =
  | "tokenizer/growth"
  | "tokenizer/invalid"
  | "tokenizer/strip-accents"
  | "tokenizer/unsupported";

/** Codes of {@link InputError}: a call's arguments. */
export type InputErrorCode =
  | "input/batch"
  | "input/bytes"
  | "input/closed"
  | "input/column"
  | "input/counts"
  | "input/data"
  | "input/diverged"
  | "input/emissions"
  | "input/format"
  | "input/index"
  | "input/labels"
  | "input/layers"
  | "input/option"
  | "input/pieces"
  | "input/script"
  | "input/split"
  | "input/tensor"
  | "input/tokenizer"
  | "input/type"
  | "train/diverged";

/** Codes of {@link RuntimeError}: what the runtime cannot do. */
export type RuntimeErrorCode =
  | "label/endpoint"
  | "runtime/cache"
  | "runtime/fetch"
  | "runtime/folder"
  | "runtime/gpu"
  | "runtime/gpu-lost"
  | "runtime/http-body"
  | "runtime/http-status"
  | "runtime/integrity"
  | "runtime/internal"
  | "runtime/kernels"
  | "runtime/memory"
  | "runtime/no-gpu"
  | "runtime/no-simd"
  | "runtime/no-wasm"
  | "runtime/not-found"
  | "runtime/permission"
  | "runtime/read"
  | "runtime/source"
  | "runtime/timeout"
  | "runtime/too-large"
  | "runtime/unsupported"
  | "runtime/wasm-blocked"
  | "runtime/worker";

/** All codes; docs/errors.md says what each means and what to do about it. */
export type NerErrorCode =
  | FormatErrorCode
  | ModelErrorCode
  | TokenizerErrorCode
  | InputErrorCode
  | RuntimeErrorCode;

/**
 * Base class of the library's errors. `code` is stable across releases; `message` is not. It has no type parameter, because
 * `instanceof` would leave that open, and `code` would be of any type.
 */
export class NerError extends Error {
  /** The class, as a string of its own: minifiers rename classes. */
  override readonly name: string = "NerError";
  /** Machine-readable reason, `room/what`, for instance `onnx/truncated`. */
  readonly code: NerErrorCode;

  /** Makes an error with a stable `code` and a message for people. */
  constructor(code: NerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A file is not what it claims to be: truncated, inconsistent, or of a kind that is not supported. */
export class FormatError extends NerError {
  /** `FormatError`. */
  override readonly name: string = "FormatError";
  /** One of this class. */
  declare readonly code: FormatErrorCode;

  /** Makes an error with one of this class's codes. */
  constructor(code: FormatErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

/** A model's parts contradict each other, or ask for something that the encoder does not do. */
export class ModelError extends NerError {
  /** `ModelError`. */
  override readonly name: string = "ModelError";
  /** One of this class. */
  declare readonly code: ModelErrorCode;

  /** Makes an error with one of this class's codes. */
  constructor(code: ModelErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

/** A tokenizer file is invalid, unsupported, or would destroy the script that it is meant for. */
export class TokenizerError extends NerError {
  /** `TokenizerError`. */
  override readonly name: string = "TokenizerError";
  /** One of this class. */
  declare readonly code: TokenizerErrorCode;

  /** Makes an error with one of this class's codes. */
  constructor(code: TokenizerErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

/** A call's argument is wrong: not a string, too long, closed instance, unknown option. */
export class InputError extends NerError {
  /** `InputError`. */
  override readonly name: string = "InputError";
  /** One of this class. */
  declare readonly code: InputErrorCode;

  /** Makes an error with one of this class's codes. */
  constructor(code: InputErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

/** The runtime cannot do what was asked: no WASM SIMD, a kernel module of another version, no memory. */
export class RuntimeError extends NerError {
  /** `RuntimeError`. */
  override readonly name: string = "RuntimeError";
  /** One of this class. */
  declare readonly code: RuntimeErrorCode;

  /** Makes an error with one of this class's codes. */
  constructor(code: RuntimeErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options);
  }
}

/**
 * Whether a value is a Uint8Array, of whatever realm: test runners and edge runtimes have several, each with a class of
 * its own, so `instanceof` does not tell. (The tag of an array of bytes is not looked up in the value, and cannot lie.)
 */
export function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) &&
    Object.prototype.toString.call(value) === "[object Uint8Array]";
}

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
