/**
 * What a caller decides about where a model comes from, and how much of it is waited for.
 *
 * @module
 */
import { GRAPHS, type GraphType } from "../formats/folder.ts";
import { CALL_RULES, FUNCTION, oneOf, type Rule, type Rules } from "../ner/check_options.ts";
import { isDigest } from "./digest.ts";

/** How far a file has come. */
export interface LoadProgress {
  /** The file's name: its place in the model's folder, or the last part of its URL. */
  readonly file: string;
  /** Bytes that have come. */
  readonly loaded: number;
  /** Bytes that it has; undefined where the server does not say. */
  readonly total: number | undefined;
  /** Whether it comes out of the cache. */
  readonly cached: boolean;
}

/** What is asked for a URL: `globalThis.fetch`, or a function that answers as it does. */
export type Fetch = (url: URL, init: RequestInit) => Promise<Response>;

/** What {@link Ner.load} and others that open a {@link ModelSource} are told about it. */
export interface SourceOptions {
  /**
   * Which of a folder's graphs to take, by the names that transformers.js has for them: `fp32` is `model.onnx`, `fp16`
   * `model_fp16.onnx`, `q8` `model_quantized.onnx`, `q4` `model_q4.onnx`. Default: the float32 weights, which are
   * quantized here, or else the first of the others that there is.
   */
  dtype?: GraphType;
  /** Branch, tag or commit of a model of the Hugging Face hub (`hf:OWNER/NAME`). Default: `main`. */
  revision?: string;
  /** Fetches URLs, in the place of the runtime's own function. */
  fetch?: Fetch;
  /** Headers of each request, for instance `authorization`. */
  headers?: Readonly<Record<string, string>>;
  /** Ends loading, which rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Told of what comes, a piece at a time. What it throws ends loading. */
  onProgress?: (progress: LoadProgress) => void;
  /**
   * Keep what is downloaded: true for the runtime's usual place (a browser's or worker's Cache `edge-ner`; elsewhere the
   * folder `edge-ner` of the user's caches), a string for the name of another Cache, or the path of another folder. What is
   * there is not asked for again, so a `revision` or a URL whose content changes needs another name. Default: false.
   */
  cache?: boolean | string;
  /**
   * SHA-256 that a file must have, as Subresource Integrity writes it (`sha256-` and base64) or in hexadecimal digits; of
   * a folder's files each by its name, `{ "onnx/model.onnx": "sha256-..." }`.
   */
  integrity?: string | Readonly<Record<string, string>>;
  /**
   * Bytes that a model's file may have, unpacked. Default: 2 GiB where the server states a length, 512 MiB where it does
   * not. The small files beside a model may have 128 MiB.
   */
  maxBytes?: number;
  /** Milliseconds that one download may take. Default: 10 minutes. */
  timeout?: number;
  /** Milliseconds that may pass without a byte. Default: 30 seconds. */
  idleTimeout?: number;
}

const above = (what: string): Rule => [
  `${what} above 0`,
  (value) => typeof value === "number" && value > 0,
];

const isStrings = (value: unknown, holds: (text: string) => boolean = () => true): boolean =>
  typeof value === "object" && value !== null &&
  Object.values(value).every((text) => typeof text === "string" && holds(text));

/** Those of {@link SourceOptions}. */
export const SOURCE_RULES: Rules<SourceOptions> = {
  dtype: oneOf(...Object.keys(GRAPHS)),
  revision: [
    "a branch, a tag or a commit",
    (value) => typeof value === "string" && /^(?!.*\.\.)[\w./-]+$/.test(value),
  ],
  fetch: FUNCTION,
  headers: ["an object of strings", (value) => isStrings(value)],
  signal: CALL_RULES.signal,
  onProgress: FUNCTION,
  cache: [
    "true, false, or the name or path of a cache",
    (value) => typeof value === "boolean" || typeof value === "string" && value !== "",
  ],
  integrity: [
    "sha256- and base64, or 64 hexadecimal digits; or an object of them by the files' names",
    (value) => typeof value === "string" ? isDigest(value) : isStrings(value, isDigest),
  ],
  maxBytes: above("a number of bytes"),
  timeout: above("a number of milliseconds"),
  idleTimeout: above("a number of milliseconds"),
};
