/**
 * What a program and the worker that recognises for it say to each other, as messages that can be cloned.
 *
 * A call has a number. A call for one answer ends with `answer` or `failed`. A stream goes to and fro: the client asks
 * for the `next` value, the worker asks for a `piece` of the source when it needs one, so that neither is ever more
 * than one ahead. Recognisers have numbers, too: the one that was loaded is 0, and one that a call made has the call's.
 *
 * @module
 */
import {
  FormatError,
  InputError,
  ModelError,
  NerError,
  type NerErrorCode,
  RuntimeError,
  TokenizerError,
} from "../../errors.ts";
import type { EntityOptions, Progress, TermOptions } from "../../ner/options.ts";
import type { LoadProgress } from "../source_options.ts";

/** Methods that are called across; `spell` is that of a vocabulary. */
export type Method =
  | "load"
  | "extract"
  | "extractBatch"
  | "extractNBest"
  | "emissions"
  | "emissionsBatch"
  | "probabilities"
  | "probabilitiesBatch"
  | "tokenize"
  | "vocabulary"
  | "spell"
  | "info";

/** Methods that make a recogniser beside one. */
export type Making = "withAdapter" | "withLexicon";

/** Methods that give a stream. */
export type StreamMethod = "extractStream" | "extractDocument";

/** What crosses of a call's options. */
export type SentOptions = EntityOptions & TermOptions;

/** A call for one answer. */
export interface Call {
  readonly kind: "call";
  /** The call's number; where it makes a recogniser, that one's, too. */
  readonly id: number;
  /** The recogniser's number. */
  readonly ner: number;
  readonly method: Method | Making;
  readonly args: readonly unknown[];
  /** Whether the caller wants to be told of progress. */
  readonly progress: boolean;
  readonly options: SentOptions;
}

/** From the program to the worker. */
export type Request =
  | Call
  | {
    readonly kind: "stream";
    readonly id: number;
    readonly ner: number;
    readonly method: StreamMethod;
    readonly options: SentOptions;
  }
  | { readonly kind: "next"; readonly id: number }
  | { readonly kind: "piece"; readonly id: number; readonly done: boolean; readonly piece: string }
  | { readonly kind: "abort"; readonly id: number }
  /** Closes recogniser `id`. */
  | { readonly kind: "close"; readonly id: number };

/** From the worker to the program. */
export type Reply =
  | { readonly kind: "answer"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly error: Failure }
  | { readonly kind: "progress"; readonly id: number; readonly progress: Progress | LoadProgress }
  | { readonly kind: "want"; readonly id: number };

/** An error in transit: a clone of one would lose its class and its code. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly code?: NerErrorCode;
}

const CLASSES = { FormatError, ModelError, TokenizerError, InputError, RuntimeError };

/** What crosses of an error. */
export function failureOf(error: unknown): Failure {
  const { name, message, code } = (error ?? {}) as Partial<Failure>;
  const plain = { name: String(name ?? "Error"), message: String(message ?? error) };
  return error instanceof NerError ? { ...plain, code } : plain;
}

/** The error again, of its class. */
export function errorOf({ name, message, code }: Failure): Error {
  if (code !== undefined && Object.hasOwn(CLASSES, name)) {
    const Class = CLASSES[name as keyof typeof CLASSES] as new (
      code: NerErrorCode,
      message: string,
    ) => NerError;
    return new Class(code, message);
  }
  const error = new Error(message);
  error.name = name;
  return error;
}

/** One end of the connection. */
export interface Port<Out> {
  post(message: Out, transfer?: ArrayBuffer[]): void;
}
