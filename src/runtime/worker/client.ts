/**
 * A recogniser in a worker, as the program sees it: the same methods, each of which asks the worker.
 *
 * What must cross a thread takes some 0.1 ms more, so this is for pages and servers whose own thread is busy with other
 * things; the recogniser itself never blocks for long either way.
 *
 * @module
 */
import type { AdapterOptions } from "../../formats/hf/adapter.ts";
import { checkCall } from "../../ner/check_options.ts";
import type { Entity, Reading } from "../../ner/entities.ts";
import type {
  CallOptions,
  DocumentOptions,
  ExtractOptions,
  NBestOptions,
  StreamOptions,
  TermOptions,
} from "../../ner/options.ts";
import type { NerInfo } from "../../ner/parts.ts";
import type { Emissions, Probabilities, Token, Vocabulary } from "../../ner/recogniser.ts";
import type { TextSource } from "../../ner/stream.ts";
import type { SourceOptions } from "../source_options.ts";
import { Connection, LOADED, type WorkerPort } from "./connection.ts";
import type { Method } from "./protocol.ts";

/** What the tokenizer says of pieces, from a worker. */
export interface RemoteVocabulary extends Omit<Vocabulary, "spell"> {
  /** See {@link Vocabulary.spell}; here it has to be waited for. */
  spell(pieces: readonly string[]): Promise<string>;
}

/** A recogniser in a worker of its own. Made by `Ner.inWorker`. */
export class RemoteNer {
  readonly #connection: Connection;
  /** Its number in the worker. */
  readonly #ner: number;

  private constructor(connection: Connection, ner: number) {
    this.#connection = connection;
    this.#ner = ner;
  }

  /** Has a worker that was started load a model; for `Ner.inWorker`. */
  static async load(
    port: WorkerPort,
    source: unknown,
    { signal, onProgress, ...sent }: SourceOptions,
  ): Promise<RemoteNer> {
    const connection = new Connection(port);
    try {
      await connection.call(LOADED, "load", [source, sent], { signal, onProgress } as CallOptions);
    } catch (error) {
      connection.close(LOADED);
      throw error;
    }
    return new RemoteNer(connection, LOADED);
  }

  /** See {@link Recogniser.extract}. */
  async extract(text: string, options: ExtractOptions = {}): Promise<Entity[]> {
    return await this.#call("extract", [text], options) as Entity[];
  }

  /** See {@link Recogniser.extractBatch}. */
  async extractBatch(
    texts: readonly string[],
    options: ExtractOptions = {},
  ): Promise<Entity[][]> {
    return await this.#call("extractBatch", [texts], options) as Entity[][];
  }

  /** See {@link Recogniser.extractStream}. */
  async *extractStream(
    texts: TextSource,
    options: StreamOptions = {},
  ): AsyncGenerator<Entity[], void, undefined> {
    const method = "extractStream";
    checkCall(options, method);
    yield* this.#connection.stream<Entity[]>(this.#ner, method, texts, options);
  }

  /** See {@link Recogniser.extractDocument}. */
  async *extractDocument(
    pieces: TextSource,
    options: DocumentOptions = {},
  ): AsyncGenerator<Entity, void, undefined> {
    const method = "extractDocument";
    checkCall(options, method);
    yield* this.#connection.stream<Entity>(this.#ner, method, pieces, options);
  }

  /** See {@link Recogniser.extractNBest}. */
  async extractNBest(text: string, count: number, options: NBestOptions = {}): Promise<Reading[]> {
    return await this.#call("extractNBest", [text, count], options) as Reading[];
  }

  /** See {@link Recogniser.tokenize}; here it has to be waited for. */
  async tokenize(text: string): Promise<Token[]> {
    return await this.#call("tokenize", [text]) as Token[];
  }

  /** See {@link Recogniser.emissions}; the numbers are moved here, not copied. */
  async emissions(text: string, options: CallOptions = {}): Promise<Emissions> {
    return await this.#call("emissions", [text], options) as Emissions;
  }

  /** See {@link Recogniser.emissionsBatch}; the numbers are moved here, not copied. */
  async emissionsBatch(
    texts: readonly string[],
    options: CallOptions = {},
  ): Promise<Emissions[]> {
    return await this.#call("emissionsBatch", [texts], options) as Emissions[];
  }

  /** See {@link Recogniser.probabilities}; the numbers are moved here, not copied. */
  async probabilities(text: string, options: CallOptions = {}): Promise<Probabilities> {
    return await this.#call("probabilities", [text], options) as Probabilities;
  }

  /** See {@link Recogniser.probabilitiesBatch}; the numbers are moved here, not copied. */
  async probabilitiesBatch(
    texts: readonly string[],
    options: CallOptions = {},
  ): Promise<Probabilities[]> {
    return await this.#call("probabilitiesBatch", [texts], options) as Probabilities[];
  }

  /** See {@link Recogniser.withAdapter}; the other is in the same worker, which ends when both are closed. */
  async withAdapter(adapter: Uint8Array, options: AdapterOptions = {}): Promise<RemoteNer> {
    const args = [adapter, options];
    return new RemoteNer(
      this.#connection,
      await this.#connection.make(this.#ner, "withAdapter", args),
    );
  }

  /** See {@link Recogniser.withLexicon}; the other is in the same worker, which ends when both are closed. */
  async withLexicon(options: TermOptions): Promise<RemoteNer> {
    return new RemoteNer(
      this.#connection,
      await this.#connection.make(this.#ner, "withLexicon", [options]),
    );
  }

  /** See {@link Recogniser.vocabulary}; here it has to be waited for. */
  async vocabulary(): Promise<RemoteVocabulary> {
    const own = await this.#call("vocabulary", []) as Omit<Vocabulary, "spell">;
    return { ...own, spell: async (pieces) => await this.#call("spell", [pieces]) as string };
  }

  /** See {@link Recogniser.info}; here it has to be waited for. */
  async info(): Promise<NerInfo> {
    return await this.#call("info", []) as NerInfo;
  }

  /** Ends what it is doing, and the worker, unless recognisers that share it are open. Further calls are rejected; closing
   * again is allowed. */
  close(): void {
    this.#connection.close(this.#ner);
  }

  /** {@link close}, at the end of a block with `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  async #call(
    method: Method,
    args: readonly unknown[],
    options: CallOptions = {},
  ): Promise<unknown> {
    return await this.#connection.call(this.#ner, method, args, checkCall(options, method));
  }
}
