/**
 * Text to entities: tokenizer, encoder, CRF and spans, in one object.
 *
 * It is made of parts that fit together (`assemble.ts`), opens nothing and knows no runtime; the class that
 * users meet adds the ways to make one.
 *
 * @module
 */
import type { Pause } from "../backend/backend.ts";
import { parseTags, type Tag, typesOf } from "../crf/scheme.ts";
import { InputError, show } from "../errors.ts";
import type { AdapterOptions } from "../formats/hf/adapter.ts";
import type { Match } from "../lexicon/matcher.ts";
import type { Encoding } from "../tokenizer/types.ts";
import { checkCall, checkOptions, TERM_RULES } from "./check_options.ts";
import { adapt } from "./engines.ts";
import { type Entity, findingEntities, findingReadings, type Reading } from "./entities.ts";
import {
  bySentences,
  compileTerms,
  findingTerms,
  joinTerms,
  readDocument,
  TermFinder,
} from "./extras.ts";
import type {
  CallOptions,
  DocumentOptions,
  ExtractOptions,
  NBestOptions,
  OutputOptions,
  StreamOptions,
  TermOptions,
} from "./options.ts";
import { checkTypes, Offsets, wanted } from "./output.ts";
import { infoOf, type NerInfo, type Parts } from "./parts.ts";
import { emissionsOf, type EncodedText } from "./passes.ts";
import { settling } from "./settling.ts";
import { checkText, stringsOf, type TextSource } from "./stream.ts";
import { eventLoop, inTurns } from "./turns.ts";

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

/** How probable each label is at each token. */
export interface Probabilities {
  /** Label of each column. */
  readonly labels: readonly string[];
  /** Tokens of the text, special tokens left out. */
  readonly tokens: readonly Token[];
  /** Float32 `[tokens, labels]`, row-major; a row sums to 1. */
  readonly data: Float32Array;
}

/** What the tokenizer says of pieces. */
export interface Vocabulary {
  /** Id of what the vocabulary cannot spell. */
  readonly unknown: number;
  /** What pieces that go on within a word begin with (`##`), where the model has such. */
  readonly continuing: string | undefined;
  /** The text that pieces in a row stand for, as the tokenizer's decoder puts them together; only for showing. */
  spell(pieces: readonly string[]): string;
}

/** Most readings of a text: who wants more wants the lattice. */
const MOST_READINGS = 100;

/** What finds names in texts: a model's lexicons and a caller's terms. */
type Known = Pick<Parts, "terms" | "finder">;

/** A text on its way. */
interface Run {
  readonly text: string;
  readonly encoding: Encoding;
  readonly emissions: Float32Array;
}

/**
 * A loaded recogniser. Calls may overlap: they take turns, and none blocks the thread for long (`turns.ts`).
 * `close()`, or the end of a `using` block, gives its memory back.
 */
export class Recogniser {
  readonly #parts: Parts;
  readonly #tags: readonly Tag[];
  readonly #types: readonly string[];
  #closed = false;

  /** Takes parts that fit together. */
  protected constructor(parts: Parts) {
    this.#parts = parts;
    this.#tags = parseTags(parts.engine.config.labels);
    this.#types = typesOf(this.#tags);
  }

  /**
   * Entities of one text, from left to right. An empty text has none.
   *
   * @throws {InputError} `input/type` for what is no string, `input/option` for an option that is none, `input/closed`
   * @throws the signal's reason when it is aborted
   */
  async extract(text: string, options: ExtractOptions = {}): Promise<Entity[]> {
    return (await this.#extract([text], options, "extract"))[0];
  }

  /**
   * Entities of several texts, in their order; the same, bit for bit, as of each text alone.
   *
   * @throws as {@link extract}
   */
  async extractBatch(
    texts: readonly string[],
    options: ExtractOptions = {},
  ): Promise<Entity[][]> {
    return await this.#extract(texts, options, "extractBatch");
  }

  /**
   * Entities of each text of a stream, in its order, as {@link extract} gives them. A text is asked for when the
   * entities of the one before have been taken.
   *
   * @throws as {@link extract}, and what the source throws
   */
  async *extractStream(
    texts: TextSource,
    options: StreamOptions = {},
  ): AsyncGenerator<Entity[], void, undefined> {
    const method = "extractStream";
    const known = this.#knownTo(checkCall(options, method), method);
    for await (const text of stringsOf(texts, method)) {
      yield (await this.#extract([text], options, method, known))[0];
    }
  }

  /**
   * Entities of one document of any length that comes in pieces, cut anywhere, in bounded memory: from left to right,
   * their places counted from its beginning. They are those of the whole text; `document.ts` states the rule.
   *
   * @throws as {@link extract}, and what the source throws
   */
  async *extractDocument(
    pieces: TextSource,
    options: DocumentOptions = {},
  ): AsyncGenerator<Entity, void, undefined> {
    const method = "extractDocument";
    const known = this.#knownTo(checkCall(options, method), method);
    this.#checkTypes(options, known.terms, method);
    const check = (): void => this.#checkOpen(method), pause = pauseOf(options);
    const read = { ...this.#parts, tags: this.#tags, ...known, pause, check };
    yield* readDocument(stringsOf(pieces, method), read, options);
  }

  /**
   * The most probable ways to read a text, the best first: what {@link extract} gives, nearly always, and what else there might
   * be. What lists settle by rules is so in each.
   *
   * They come of the `8 * count` best paths of labels (255 at most), exactly; fewer where these have no more. Paths whose entities
   * are the same are one reading, with the sum of their probabilities: those that differ only within words, of a model whose entities
   * are whole words, or only in entities that are not wanted. By that sum a reading may come before that of the very best path, which
   * is what `extract` gives. Takes as many times as long to decode as there are paths, and 3 bytes for each of them at each token and
   * label.
   *
   * @param count from 1 to 100
   * @throws as {@link extract}
   */
  async extractNBest(
    text: string,
    count: number,
    options: NBestOptions = {},
  ): Promise<Reading[]> {
    const method = "extractNBest";
    const known = this.#knownTo(checkCall(options, method), method), { terms } = known;
    if (!Number.isInteger(count) || count < 1 || count > MOST_READINGS) {
      throw new InputError(
        "input/option",
        `${method}: count is ${show(count)}; expected an integer from 1 to ${MOST_READINGS}.`,
      );
    }
    this.#checkTypes(options, terms, method);
    const [run] = await this.#encode([text], options, method, known);
    const pause = pauseOf(options), matches = await weigh(run, terms, pause);
    const { crf, decoderQueue, wholeWords } = this.#parts, { encoding, emissions } = run;
    const settle = settling(text, { wholeWords, terms }, matches);
    const { boundary = "model", offsets = "utf16" } = options, isWanted = wanted(options);
    const readings = await decoderQueue.run(() =>
      inTurns(
        findingReadings(
          count,
          text,
          encoding,
          emissions,
          crf,
          this.#tags,
          boundary,
          settle,
          isWanted,
        ),
        pause,
      )
    );
    return readings.map(({ entities, probability }) => {
      const places = new Offsets(offsets, text);
      return { entities: entities.map((entity) => places.of(entity)), probability };
    });
  }

  /** Tokens of a text with their places, special tokens left out. */
  tokenize(text: string): Token[] {
    this.#checkOpen("tokenize");
    checkText(text, "tokenize");
    return this.#tokens(this.#parts.tokenizer.encode(text));
  }

  /** What the encoder says of each token of a text, before evidence of terms and the CRF. Throws as {@link extract}. */
  async emissions(text: string, options: CallOptions = {}): Promise<Emissions> {
    return (await this.#emissions([text], options, "emissions"))[0];
  }

  /**
   * Emissions of several texts, in their order; the same, bit for bit, as of each text alone. Throws as
   * {@link extract}.
   */
  async emissionsBatch(texts: readonly string[], options: CallOptions = {}): Promise<Emissions[]> {
    return await this.#emissions(texts, options, "emissionsBatch");
  }

  /**
   * A recogniser for an adapter (LoRA) beside this one's weights, which both share: no matrix is there twice, and it has
   * labels, classifier and CRF of its own. There may be many; calls of any of them may overlap, and each is closed by
   * itself, in any order. A recogniser made so makes others beside the same weights.
   *
   * @param adapter the bytes of `adapter_model.safetensors`, as `edge-ner train --lora` or PEFT writes it
   * @param options what a file of PEFT's does not say: its `adapter_config.json`, and its labels where they are not this
   * model's
   * @throws {InputError} `input/bytes`, `input/option`, `input/closed`
   * @throws {FormatError} `safetensors/...`, `adapter/config` or `adapter/tensor` for a file that is no adapter
   * @throws {ModelError} `config/unsupported` for what is not computed here, `model/mismatch` for another model's adapter,
   * `model/weights` for numbers that are not finite
   * @throws {RuntimeError} `runtime/memory` if there is no room
   */
  async withAdapter(adapter: Uint8Array, options: AdapterOptions = {}): Promise<Recogniser> {
    this.#checkOpen("withAdapter");
    return new Recogniser(await adapt(this.#parts, adapter, options));
  }

  /**
   * A recogniser that knows a caller's terms beside this one's, and shares all else with it: for terms that many calls
   * have in common. Each is closed by itself, in any order.
   *
   * @throws {InputError} `input/option` for terms that cannot be, `input/closed`
   */
  withLexicon(options: TermOptions): Promise<Recogniser> {
    const method = "withLexicon";
    return Promise.resolve().then(() => {
      checkOptions(options, method, TERM_RULES);
      this.#checkOpen(method);
      const known = this.#knownTo(options, method), engine = this.#parts.engine.share();
      return new Recogniser({ ...this.#parts, engine, ...known });
    });
  }

  /**
   * How probable each label is at each token of several texts, a lexicon's evidence included: the CRF's marginals, which
   * know the whole text; without a CRF, the softmax of the emissions. Throws as {@link extract}.
   */
  async probabilitiesBatch(
    texts: readonly string[],
    options: CallOptions = {},
  ): Promise<Probabilities[]> {
    return await this.#probabilities(texts, options, "probabilitiesBatch");
  }

  /** {@link probabilitiesBatch} of one text. */
  async probabilities(text: string, options: CallOptions = {}): Promise<Probabilities> {
    return (await this.#probabilities([text], options, "probabilities"))[0];
  }

  /** What the tokenizer says of pieces. */
  vocabulary(): Vocabulary {
    const { tokenizer } = this.#parts;
    return {
      unknown: tokenizer.unk,
      continuing: tokenizer.continuing,
      spell: (pieces) => tokenizer.spell(pieces),
    };
  }

  /** What runs, and how much memory it takes. */
  info(): NerInfo {
    return infoOf(this.#parts, this.#tags);
  }

  /**
   * Gives memory back, unless recognisers that share it are open. Further calls throw {@link InputError}
   * (`input/closed`); closing again is allowed.
   */
  close(): void {
    if (!this.#closed) this.#parts.engine.close();
    this.#closed = true;
  }

  /** {@link close}, at the end of a block with `using ner = await Ner.load(...)`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #checkOpen(method: string): void {
    if (!this.#closed) return;
    throw new InputError(
      "input/closed",
      `${method}: this recogniser has been closed; load the model again to use it.`,
    );
  }

  async #emissions(
    texts: readonly string[],
    options: CallOptions,
    method: string,
  ): Promise<Emissions[]> {
    const { labels } = this.#parts.engine.config;
    checkCall(options, method);
    const runs = await this.#encode(texts, options, method);
    return runs.map(({ encoding, emissions }) => ({
      labels,
      tokens: this.#tokens(encoding),
      data: emissions,
    }));
  }

  async #probabilities(
    texts: readonly string[],
    options: CallOptions,
    method: string,
  ): Promise<Probabilities[]> {
    const { engine, crf, hasCrf, decoderQueue, terms } = this.#parts;
    const { labels } = engine.config;
    const runs = await this.#encode(texts, options, method);
    const pause = pauseOf(options), found: Probabilities[] = [];
    for (const run of runs) {
      const { encoding, emissions } = run;
      await weigh(run, terms, pause);
      const data = hasCrf
        ? await decoderQueue.run(() => inTurns(crf.marginals(emissions), pause))
        : softmax(emissions, labels.length, crf.temperature);
      found.push({ labels, tokens: this.#tokens(encoding), data });
      await pause();
    }
    return found;
  }

  async #extract(
    texts: readonly string[],
    options: ExtractOptions,
    method: string,
    known = this.#knownTo(checkCall(options, method), method),
  ): Promise<Entity[][]> {
    this.#checkTypes(options, known.terms, method);
    if (options.sentences && Array.isArray(texts)) {
      const own = Array.from(texts) as string[], whole = { ...options, sentences: false };
      return await bySentences(
        own,
        whole,
        (sentences, each) => this.#extract(sentences, each, method, known),
        pauseOf(options),
        method,
      );
    }
    const { terms } = known, runs = await this.#encode(texts, options, method, known);
    const { crf, wholeWords } = this.#parts, pause = pauseOf(options), found: Entity[][] = [];
    const { boundary = "model", offsets = "utf16" } = options, isWanted = wanted(options);
    for (const run of runs) {
      const { text, encoding, emissions } = run, matches = await weigh(run, terms, pause);
      const settle = settling(text, { wholeWords, terms }, matches);
      const entities = await this.#parts.decoderQueue.run(() =>
        inTurns(
          findingEntities(text, encoding, emissions, crf, this.#tags, boundary, settle),
          pause,
        )
      );
      const places = new Offsets(offsets, text);
      found.push(entities.filter(isWanted).map((entity) => places.of(entity)));
      await pause();
    }
    return found;
  }

  #checkTypes(options: OutputOptions, terms: TermFinder | undefined, method: string): void {
    checkTypes(options, terms ? [...this.#types, ...terms.types] : this.#types, method);
  }

  /** What finds the terms of a call, beside those that this recogniser has. */
  #knownTo(options: TermOptions, method: string): Known {
    const { terms, finder } = this.#parts;
    const more = compileTerms(options, this.#types, method, finder?.lexicons);
    if (more === undefined) return { terms, finder };
    const all = new TermFinder(joinTerms(terms?.terms, more)!, this.#tags);
    return { terms: all, finder: findingTerms(finder, more) };
  }

  /** Texts with their tokens and these tokens' emissions. */
  async #encode(
    texts: readonly string[],
    options: CallOptions,
    method: string,
    { finder }: Pick<Known, "finder"> = this.#parts,
  ): Promise<Run[]> {
    if (!Array.isArray(texts)) {
      throw new InputError(
        "input/type",
        `${method} takes an array of strings; got ${show(texts)}.`,
      );
    }
    this.#checkOpen(method);
    const { onProgress } = options;
    const { engine, tokenizer } = this.#parts, pause = pauseOf(options);
    // Array.from sees the holes of a sparse array, which map() passes over; and the caller may go on with its own.
    const own = Array.from(texts) as string[], encoded: EncodedText[] = [];
    const encodings: Encoding[] = [];
    for (const text of own) {
      await pause();
      checkText(text, method);
      const encoding = await inTurns(tokenizer.encoding(text), pause);
      encodings.push(encoding);
      encoded.push({ ids: encoding.ids, features: finder?.features(text, encoding) });
    }
    const total = encodings.reduce((sum, { ids }) => sum + ids.length, 0);
    let done = 0;
    const emissions = await emissionsOf(engine, encoded, tokenizer, {
      pause,
      queue: this.#parts.encoderQueue,
      check: () => this.#checkOpen(method),
      passed: (tokens) => onProgress?.({ done: done += tokens, total }),
    });
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

/** Finds terms in a text, and adds their evidence to its emissions. */
async function weigh(
  { text, encoding, emissions }: Run,
  terms: TermFinder | undefined,
  pause: Pause,
): Promise<readonly Match[]> {
  if (terms === undefined) return [];
  const matches = await inTurns(terms.matching(text), pause);
  terms.weigh(emissions, encoding, matches);
  return matches;
}

/** Each row's softmax at a temperature, in float64, rounded once. */
function softmax(rows: Float32Array, columns: number, temperature: number): Float32Array {
  const out = new Float32Array(rows.length);
  for (let at = 0; at < rows.length; at += columns) {
    const row = rows.subarray(at, at + columns);
    const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const powers = Array.from(row, (x) => Math.exp((x - most) / temperature));
    const sum = powers.reduce((a, b) => a + b);
    out.set(powers.map((power) => power / sum), at);
  }
  return out;
}

/** The event loop's pause, which also ends a call whose signal is aborted. */
function pauseOf({ signal }: CallOptions): Pause {
  return (): Promise<void> | undefined => {
    signal?.throwIfAborted();
    const turn = eventLoop.pause();
    return signal === undefined ? turn : turn?.then(() => signal.throwIfAborted());
  };
}
