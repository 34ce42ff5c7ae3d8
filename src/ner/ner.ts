/**
 * Text to entities: tokenizer, encoder, CRF and spans, in one object.
 *
 * Texts are tokenized, cut into windows where they are longer than the model's positions, and packed one
 * after the other, without padding, into runs of bounded size. What a text gives does not depend on what
 * it was packed with. The core takes compiled kernels and bytes, and opens nothing by itself.
 *
 * @module
 */
import type { Backend } from "../backend/backend.ts";
import { ReferenceBackend } from "../backend/reference/reference.ts";
import { chooseKernels, type ChosenKernels } from "../backend/wasm/kernels.ts";
import { MAX_THREADS } from "../backend/wasm/program.ts";
import type { Threading } from "../backend/wasm/threads.ts";
import { WasmBackend, type WasmOptions } from "../backend/wasm/wasm.ts";
import { Crf } from "../crf/crf.ts";
import { continuation, parseTags, spansOf, type Tag } from "../crf/scheme.ts";
import { InputError, ModelError } from "../errors.ts";
import { readPackage } from "../formats/package/read.ts";
import {
  type ByteSource,
  collectModel,
  type MatrixPart,
  streamPackage,
} from "../formats/package/stream.ts";
import type { ModelBundle } from "../model/bundle.ts";
import type { EncoderWeights } from "../model/weights.ts";
import { encode } from "../model/encoder.ts";
import { quantizeEncoder } from "../quantize/encoder.ts";
import type { Encoding, Tokenizer } from "../tokenizer/types.ts";
import { placeOf } from "./places.ts";
import { type Window, windowsOf } from "./windows.ts";

/** An entity found in a text. */
export interface Entity {
  /** Entity type, a label without its prefix. */
  type: string;
  /** The entity as it stands in the text: `text.slice(start, end)`. */
  text: string;
  /** First UTF-16 code unit. */
  start: number;
  /** One past the last UTF-16 code unit. */
  end: number;
  /** Probability, under the model, that the text has exactly this span with this type: 0 to 1. */
  score: number;
}

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

/** How a model is run. */
export interface NerOptions {
  /**
   * `int8` (default): int8 weights and activations. `fp32`: float32 throughout, four times the memory.
   * `reference`: plain TypeScript, slow, the oracle of the tests.
   */
  backend?: "int8" | "fp32" | "reference";
  /**
   * Forbid label sequences that the tag scheme does not know (an `I-x` after `O`). Default true. A model in IOB1
   * that has a `B-x` for every type cannot be told from one in IOB2 and needs false; see `src/crf/scheme.ts`.
   */
  constrained?: boolean;
  /** Load a tokenizer that deletes vowel signs of Brahmic scripts. Default false: such a model is refused. */
  allowStripAccents?: boolean;
  /**
   * Most tokens that pass through the encoder at once; memory grows with it. Default: the model's positions,
   * from 512 to 2048. Texts and batches of any size are cut to fit.
   */
  maxTokens?: number;
  /**
   * Bytes of linear memory that the recogniser may take ({@link NerInfo.memoryBytes}). A model that needs more is
   * refused with a {@link RuntimeError} (`runtime/memory`) before any of it is allocated; a packed int8 model that
   * is loaded from a file, a URL or a stream, before its weights are read. Default: no limit but WebAssembly's own,
   * 2 GiB. Not for `reference`, which has no linear memory.
   */
  maxMemoryBytes?: number;
}

/** Where the kernels come from. */
export interface KernelOptions {
  /** Compiled kernel modules in order of preference; the first that passes its known-answer probe runs. */
  kernels: readonly WebAssembly.Module[];
  /**
   * Threads, for kernels that import shared memory; or why there are none, for {@link NerInfo.threadsReason}.
   * Default: the calling thread alone.
   */
  threading?: Threading | string;
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

/** What does not change while a recogniser lives. */
type FixedInfo = Omit<NerInfo, "threads" | "threadsReason" | "threadChunks">;

/** One text on its way through the encoder. */
interface Job {
  readonly encoding: Encoding;
  readonly emissions: Float32Array;
}

/** One window of one text, as it is packed. */
interface Piece {
  readonly job: Job;
  readonly window: Window;
}

const CLOSED = "this recogniser has been closed; load the model again to use it.";

/** A loaded recogniser. Calls may overlap; `close()` gives its memory back. */
export class Ner {
  readonly #backend: Backend;
  readonly #crf: Crf;
  readonly #tokenizer: Tokenizer;
  readonly #tags: readonly Tag[];
  readonly #info: FixedInfo;
  readonly #threadsReason: string | undefined;
  #closed = false;

  /** Use {@link Ner.fromBytes} or {@link Ner.fromBundle}. */
  protected constructor({ backend, crf, tokenizer, info, threadsReason }: Parts) {
    this.#backend = backend;
    this.#crf = crf;
    this.#tokenizer = tokenizer;
    this.#tags = parseTags(info.labels);
    this.#info = info;
    this.#threadsReason = threadsReason;
  }

  /**
   * Loads a packed model (a file that `edge-ner convert` wrote) from its bytes.
   *
   * @throws {FormatError} if the file is damaged or of another kind
   * @throws {TokenizerError} if its tokenizer is
   * @throws {RuntimeError} if no kernel module can run here, or memory is refused
   */
  static async fromBytes(bytes: Uint8Array, options: NerOptions & KernelOptions): Promise<Ner> {
    if (!(bytes instanceof Uint8Array)) {
      throw new InputError("input/type", "a packed model must be given as a Uint8Array.");
    }
    const { allowStripAccents } = options;
    return await this.fromBundle(readPackage(bytes, { allowStripAccents }), options);
  }

  /**
   * Loads a packed model as it arrives: beside the recogniser itself, little more than one matrix is in
   * memory at a time. (With another backend than `int8`, the whole model is.)
   *
   * @throws as {@link Ner.fromBytes}, and whatever `source.chunks` throws
   */
  static async fromStream(source: ByteSource, options: NerOptions & KernelOptions): Promise<Ner> {
    const { allowStripAccents } = options;
    const model = await streamPackage(source, { allowStripAccents });
    try {
      return new this(await prepare(model.bundle, options, model.parts));
    } finally {
      await model.close();
    }
  }

  /**
   * Loads a model that is in memory already, as the readers of formats return it.
   *
   * @throws {ModelError} if its parts do not fit together
   */
  static async fromBundle(bundle: ModelBundle, options: NerOptions & KernelOptions): Promise<Ner> {
    return new this(await prepare(bundle, options));
  }

  /** Entities of one text, from left to right. An empty text has none. */
  async extract(text: string): Promise<Entity[]> {
    return (await this.extractBatch([text]))[0];
  }

  /** Entities of several texts, in their order; the same, bit for bit, as of each text alone. */
  async extractBatch(texts: readonly string[]): Promise<Entity[][]> {
    const jobs = await this.#encodeAll(this.#encodings(texts, "extractBatch"));
    return jobs.map((job, i) => this.#entities(texts[i], job));
  }

  /** Tokens of a text with their places, special tokens left out. */
  tokenize(text: string): Token[] {
    return this.#tokens(this.#encoding(text));
  }

  /** What the encoder says of each token of a text, before the CRF. */
  async emissions(text: string): Promise<Emissions> {
    return (await this.emissionsBatch([text]))[0];
  }

  /** Emissions of several texts, in their order; the same, bit for bit, as of each text alone. */
  async emissionsBatch(texts: readonly string[]): Promise<Emissions[]> {
    const jobs = await this.#encodeAll(this.#encodings(texts, "emissionsBatch"));
    return jobs.map(({ encoding, emissions }) => ({
      labels: this.#info.labels,
      tokens: this.#tokens(encoding),
      data: emissions,
    }));
  }

  /** What runs, and how much memory it takes. */
  info(): NerInfo {
    const { threads, chunks, reason = this.#threadsReason } = this.#backend.threads;
    const why = reason === undefined ? {} : { threadsReason: reason };
    return { ...this.#info, threads, ...why, threadChunks: chunks };
  }

  /** Gives memory back. Further calls throw {@link InputError} (`input/closed`); closing again is allowed. */
  close(): void {
    if (!this.#closed) this.#backend.close();
    this.#closed = true;
  }

  #encodings(texts: readonly string[], method: string): Encoding[] {
    if (!Array.isArray(texts)) {
      throw new InputError("input/type", `${method} takes an array of strings.`);
    }
    // Array.from sees the holes of a sparse array, which map() passes over.
    return Array.from(texts, (text) => this.#encoding(text));
  }

  #encoding(text: string): Encoding {
    if (this.#closed) throw new InputError("input/closed", CLOSED);
    return this.#tokenizer.encode(text);
  }

  #tokens({ ids, starts, ends }: Encoding): Token[] {
    return Array.from(ids, (id, i) => ({
      id,
      piece: this.#tokenizer.idToToken(id) ?? "",
      start: starts[i],
      end: ends[i],
    }));
  }

  /** Runs the encoder over texts, as many windows at once as fit. */
  async #encodeAll(encodings: readonly Encoding[]): Promise<Job[]> {
    const labels = this.#tags.length, { maxTokens, config } = this.#backend;
    const size = Math.min(config.maxPositions, maxTokens) - 2;
    const jobs = encodings.map((encoding): Job => ({
      encoding,
      emissions: new Float32Array(encoding.ids.length * labels),
    }));
    let run: Piece[] = [], tokens = 0;
    for (const job of jobs) {
      for (const window of windowsOf(job.encoding.ids.length, size)) {
        const length = window.end - window.start + 2;
        if (tokens + length > maxTokens) {
          await this.#runPieces(run, tokens);
          run = [], tokens = 0;
        }
        run.push({ job, window });
        tokens += length;
      }
    }
    if (run.length > 0) await this.#runPieces(run, tokens);
    return jobs;
  }

  /** One pass of the encoder over windows, each between [CLS] and [SEP]. */
  async #runPieces(pieces: readonly Piece[], tokens: number): Promise<void> {
    if (this.#closed) throw new InputError("input/closed", CLOSED);
    const labels = this.#tags.length, { cls, sep } = this.#tokenizer;
    const ids = new Int32Array(tokens), offsets = new Int32Array(pieces.length + 1);
    let at = 0;
    pieces.forEach(({ job, window }, i) => {
      ids[at++] = cls;
      ids.set(job.encoding.ids.subarray(window.start, window.end), at);
      at += window.end - window.start;
      ids[at++] = sep;
      offsets[i + 1] = at;
    });
    const rows = await encode(this.#backend, { ids, offsets });
    pieces.forEach(({ job, window }, i) => {
      const { start, keepStart, keepEnd } = window, first = offsets[i] + 1 + keepStart - start;
      job.emissions.set(
        rows.subarray(first * labels, (first + keepEnd - keepStart) * labels),
        keepStart * labels,
      );
    });
  }

  #entities(text: string, { encoding, emissions }: Job): Entity[] {
    const path = this.#crf.decode(emissions).labels;
    const spans = spansOf(path, this.#tags);
    if (spans.length === 0) return [];
    const lattice = this.#crf.lattice(emissions);
    return spans.flatMap((span): Entity[] => {
      const place = placeOf(span, encoding.starts, encoding.ends);
      if (!place) return [];
      const { type } = span, { start, end } = place;
      const inside = continuation(path[span.last], this.#tags);
      const score = this.#crf.spanProbability(emissions, path, span, inside, lattice);
      return [{ type, text: text.slice(start, end), start, end, score }];
    });
  }
}

/** Whether every matrix is int8 (the word embedding perhaps int4), so that none has to be quantized first. */
function isQuantized({ wordEmbedding, classifier, layers }: EncoderWeights): boolean {
  const linears = layers.flatMap((l) => [l.qkv, l.attentionOutput, l.up, l.down]);
  return wordEmbedding.type !== "f32" &&
    [...linears, classifier].every(({ weight }) => weight.type === "i8");
}

/** Makes the backend, of a whole model or of one whose matrices are still to come. */
async function makeBackend(
  kind: NonNullable<NerOptions["backend"]>,
  chosen: ChosenKernels,
  bundle: ModelBundle,
  maxTokens: number,
  options: WasmOptions,
  parts: AsyncIterable<MatrixPart> | undefined,
): Promise<Backend> {
  if (parts && kind === "int8" && isQuantized(bundle.weights)) {
    const { backend, loader } = await WasmBackend.reserve(
      chosen,
      bundle.weights,
      true,
      maxTokens,
      options,
    );
    for await (const { matrix, first, rows } of parts) loader.accept(matrix, first, rows);
    loader.finish();
    return backend;
  }
  const { weights } = parts ? await collectModel({ bundle, parts }) : bundle;
  if (kind === "reference") return new ReferenceBackend(weights, maxTokens);
  return kind === "fp32"
    ? await WasmBackend.create(chosen, weights, false, maxTokens, options)
    : await WasmBackend.create(chosen, quantizeEncoder(weights).weights, true, maxTokens, options);
}

/** The threads that a backend can use of those that are offered, or why it has none. */
function threadsFor(
  kind: NonNullable<NerOptions["backend"]>,
  { shared }: ChosenKernels,
  threading: Threading | string | undefined,
): Threading | string | undefined {
  if (typeof threading !== "object") return threading;
  const { threads } = threading;
  if (!Number.isInteger(threads) || threads < 2 || threads > MAX_THREADS) {
    throw new InputError(
      "input/option",
      `threading.threads is ${threads}; expected an integer from 2 to ${MAX_THREADS}.`,
    );
  }
  if (kind === "reference") return "the reference backend has one thread";
  return shared ? threading : "the kernels that were given do not import shared memory";
}

/** What a recogniser is made of. */
interface Parts {
  readonly backend: Backend;
  readonly crf: Crf;
  readonly tokenizer: Tokenizer;
  readonly info: FixedInfo;
  /** Why there is one thread, if that is known already. */
  readonly threadsReason: string | undefined;
}

/** The parts of a recogniser, ready for its constructor. */
async function prepare(
  bundle: ModelBundle,
  options: NerOptions & KernelOptions,
  parts?: AsyncIterable<MatrixPart>,
): Promise<Parts> {
  const { tokenizer, crf } = bundle, { config } = bundle.weights;
  const kind = options.backend ?? "int8";
  const maxTokens = options.maxTokens ?? Math.min(2048, Math.max(512, config.maxPositions));
  if (!["int8", "fp32", "reference"].includes(kind)) {
    throw new InputError(
      "input/option",
      `backend is ${JSON.stringify(kind)}; expected "int8", "fp32" or "reference".`,
    );
  }
  if (!Number.isInteger(maxTokens) || maxTokens < 3 || maxTokens > 1 << 20) {
    throw new InputError(
      "input/option",
      `maxTokens is ${maxTokens}; expected an integer from 3 to ${1 << 20}.`,
    );
  }
  if (config.maxPositions < 3) {
    throw new ModelError(
      "model/config",
      `the model knows ${config.maxPositions} positions; a token and two special tokens need 3.`,
    );
  }
  if (tokenizer.vocabSize > config.vocabSize) {
    throw new ModelError(
      "model/vocab",
      `the tokenizer has ids up to ${tokenizer.vocabSize - 1}, but the word embedding has only ` +
        `${config.vocabSize} rows: tokenizer and weights are of different models.`,
    );
  }
  const { threading, maxMemoryBytes } = options;
  if (maxMemoryBytes !== undefined && !(maxMemoryBytes > 0)) {
    throw new InputError(
      "input/option",
      `maxMemoryBytes is ${maxMemoryBytes}; expected a number of bytes above 0.`,
    );
  }
  const chosen = await chooseKernels(options.kernels);
  const threads = threadsFor(kind, chosen, threading);
  const tags = parseTags(config.labels);
  const layer = await Crf.create(chosen, tags, crf, options.constrained ?? true);
  const limits = {
    threading: typeof threads === "object" ? threads : undefined,
    maxMemoryBytes: maxMemoryBytes && maxMemoryBytes - layer.memoryBytes,
  };
  const backend = await makeBackend(kind, chosen, bundle, maxTokens, limits, parts);
  const types = [...new Set(tags.filter((tag) => tag.role !== "outside").map((tag) => tag.type))];
  const info = {
    backend: backend.name,
    kernel: chosen.kind,
    labels: config.labels,
    types,
    crf: crf !== undefined,
    memoryBytes: backend.memoryBytes + layer.memoryBytes,
    maxTokens,
    maxPositions: config.maxPositions,
    hiddenSize: config.hiddenSize,
    layers: config.layers,
    heads: config.heads,
    vocabSize: config.vocabSize,
  };
  const threadsReason = typeof threads === "string" ? threads : undefined;
  return { backend, crf: layer, tokenizer, info, threadsReason };
}
