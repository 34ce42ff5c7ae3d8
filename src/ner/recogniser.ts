/**
 * Text to entities: tokenizer, encoder, CRF and spans, in one object.
 *
 * It is made of parts that fit together (`assemble.ts`), opens nothing and knows no runtime; the class that
 * users meet adds the ways to make one.
 *
 * @module
 */
import type { Backend } from "../backend/backend.ts";
import type { Crf } from "../crf/crf.ts";
import { parseTags, type Tag } from "../crf/scheme.ts";
import { InputError } from "../errors.ts";
import type { Encoding, Tokenizer } from "../tokenizer/types.ts";
import { entitiesOf, type Entity } from "./entities.ts";
import { emissionsOf } from "./passes.ts";

/** A token of a text. */
export interface Token {
  /** Id in the model's vocabulary. */
  id: number;
  /** The vocabulary's piece, `##` and all. */
  piece: string;
  /** First UTF-16 code unit in the text. */
  start: number;
  /** One past the last UTF-16 code unit. */
  end: number;
}

/** What the encoder says of each token, before the CRF. */
export interface Emissions {
  /** Label of each column. */
  labels: readonly string[];
  /** Tokens of the text, special tokens left out. */
  tokens: Token[];
  /** Float32 `[tokens, labels]`, row-major. */
  data: Float32Array;
}

/** What a recogniser is and takes. */
export interface NerInfo {
  /** `wasm int8`, `wasm fp32` or `reference`. */
  backend: string;
  /** Which kernel module passed its probe here. */
  kernel: "relaxed" | "baseline";
  /** Label names by emission column. */
  labels: readonly string[];
  /** Entity types, in the labels' order. */
  types: readonly string[];
  /** Whether the model has a CRF; without one, steps between labels cost nothing. */
  crf: boolean;
  /** Threads that a pass through the encoder uses, the calling one included. */
  threads: number;
  /** Why there are fewer than were asked for, or than the default is where there are threads. */
  threadsReason?: string;
  /** Pieces of work that each thread has carried out so far, the calling thread first. */
  threadChunks: readonly number[];
  /** Bytes of memory for weights, tensors and scratch; fixed from loading on. */
  memoryBytes: number;
  /** Most tokens of one pass through the encoder. */
  maxTokens: number;
  /** Longest sequence of the encoder, its two special tokens included; longer texts go in windows. */
  maxPositions: number;
  /** Width of a token's vector. */
  hiddenSize: number;
  /** Transformer layers. */
  layers: number;
  /** Attention heads of each layer. */
  heads: number;
  /** Rows of the word embedding. */
  vocabSize: number;
}

/** What a recogniser is made of, and what it tells of it. */
export interface Parts {
  readonly backend: Backend;
  readonly crf: Crf;
  readonly tokenizer: Tokenizer;
  /** What does not change while it lives. */
  readonly info: Omit<NerInfo, "threads" | "threadsReason" | "threadChunks">;
  /** Why there is one thread, if that is known already. */
  readonly threadsReason: string | undefined;
}

/** A loaded recogniser. Calls may overlap; `close()` gives its memory back. */
export class Recogniser {
  readonly #parts: Parts;
  readonly #tags: readonly Tag[];
  #closed = false;

  /** Takes parts that fit together. */
  protected constructor(parts: Parts) {
    this.#parts = parts;
    this.#tags = parseTags(parts.info.labels);
  }

  /** Entities of one text, from left to right. An empty text has none. */
  async extract(text: string): Promise<Entity[]> {
    return (await this.extractBatch([text]))[0];
  }

  /** Entities of several texts, in their order; the same, bit for bit, as of each text alone. */
  async extractBatch(texts: readonly string[]): Promise<Entity[][]> {
    const runs = await this.#encode(texts, "extractBatch");
    return runs.map(({ text, encoding, emissions }) =>
      entitiesOf(text, encoding, emissions, this.#parts.crf, this.#tags)
    );
  }

  /** Tokens of a text with their places, special tokens left out. */
  tokenize(text: string): Token[] {
    this.#checkOpen();
    return this.#tokens(this.#parts.tokenizer.encode(text));
  }

  /** What the encoder says of each token of a text, before the CRF. */
  async emissions(text: string): Promise<Emissions> {
    return (await this.emissionsBatch([text]))[0];
  }

  /** Emissions of several texts, in their order; the same, bit for bit, as of each text alone. */
  async emissionsBatch(texts: readonly string[]): Promise<Emissions[]> {
    const { labels } = this.#parts.info;
    const runs = await this.#encode(texts, "emissionsBatch");
    return runs.map(({ encoding, emissions }) => ({
      labels,
      tokens: this.#tokens(encoding),
      data: emissions,
    }));
  }

  /** What runs, and how much memory it takes. */
  info(): NerInfo {
    const { backend, info, threadsReason } = this.#parts;
    const { threads, chunks, reason = threadsReason } = backend.threads;
    const why = reason === undefined ? {} : { threadsReason: reason };
    return { ...info, threads, ...why, threadChunks: chunks };
  }

  /** Gives memory back. Further calls throw {@link InputError} (`input/closed`); closing again is allowed. */
  close(): void {
    if (!this.#closed) this.#parts.backend.close();
    this.#closed = true;
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    throw new InputError(
      "input/closed",
      "this recogniser has been closed; load the model again to use it.",
    );
  }

  /** Texts with their tokens and these tokens' emissions. */
  async #encode(
    texts: readonly string[],
    method: string,
  ): Promise<{ text: string; encoding: Encoding; emissions: Float32Array }[]> {
    if (!Array.isArray(texts)) {
      throw new InputError("input/type", `${method} takes an array of strings.`);
    }
    this.#checkOpen();
    const { backend, tokenizer } = this.#parts;
    // Array.from sees the holes of a sparse array, which map() passes over; and the caller may go on with its own.
    const own = Array.from(texts) as string[];
    const encodings = own.map((text) => tokenizer.encode(text));
    const emissions = await emissionsOf(backend, encodings, tokenizer, () => this.#checkOpen());
    return own.map((text, i) => ({ text, encoding: encodings[i], emissions: emissions[i] }));
  }

  #tokens({ ids, starts, ends }: Encoding): Token[] {
    return Array.from(ids, (id, i) => ({
      id,
      piece: this.#parts.tokenizer.idToToken(id) ?? "",
      start: starts[i],
      end: ends[i],
    }));
  }
}
