/**
 * Entities of a document of any length that comes in pieces, in bounded memory.
 *
 * Which entities: those of the whole text, by this rule.
 *
 * - Tokens are those of the whole where the tokenizer looks at one word at a time (`tokenizer/separable.ts`: BERT's,
 *   byte-level BPE, Metaspace). Else, and where {@link MOST_UNITS} go by without a space between words, the text is cut
 *   at white space or, if there is none, anywhere between characters.
 * - Windows lie where they lie in the whole (`windows.ts`), so that a token's emissions are the same, bit for bit.
 * - A document of up to {@link SECTION} tokens goes through the CRF as a whole and gives what `extract` gives. A longer
 *   one goes through in sections of that many, each with {@link CONTEXT} tokens of its neighbours on either side; an
 *   entity is taken from the section that it begins in. What lies beyond the context has next to no weight: labels
 *   that far away decide nothing about an entity unless all tokens between are in doubt.
 *
 * @module
 */
import type { Pause } from "../backend/backend.ts";
import type { Engine } from "../backend/engine.ts";
import type { Crf } from "../crf/crf.ts";
import type { Tag } from "../crf/scheme.ts";
import type { Tokenizer } from "../tokenizer/types.ts";
import type { FeatureFinder } from "../lexicon/features.ts";
import type { Match } from "../lexicon/matcher.ts";
import { MatchStream } from "../lexicon/stream.ts";
import type { Boundary } from "./boundaries.ts";
import { type Entity, findingEntities } from "./entities.ts";
import type { DocumentOptions } from "./options.ts";
import { Offsets, wanted } from "./output.ts";
import { type Job, type Passes, type Piece, runWindows, windowSize } from "./passes.ts";
import { settling } from "./settling.ts";
import type { TermFinder } from "./terms.ts";
import { inTurns, type Queue } from "./turns.ts";
import { stepOf } from "./windows.ts";

/** Tokens that go through the CRF together. */
export const SECTION = 4096;

/** Tokens of its neighbours that a section is seen with. */
export const CONTEXT = 256;

/** Code units that are tokenized together, and the most that are kept in the hope of a place to cut. */
const PART_UNITS = 1 << 13;
const MOST_UNITS = 1 << 16;

/** What a document is read with. */
interface DocumentParts {
  readonly engine: Engine;
  readonly crf: Crf;
  readonly tags: readonly Tag[];
  readonly tokenizer: Tokenizer;
  /** Of a model with lexicons. */
  readonly finder: FeatureFinder | undefined;
  /** Of a caller's terms. */
  readonly terms: TermFinder | undefined;
  /** As of `Parts`. */
  readonly wholeWords: boolean;
  readonly passes: Passes;
  /** The CRF's. */
  readonly decoder: Queue;
  readonly pause: Pause;
  readonly boundary: Boundary;
}

/** What is known where a document is asked for. */
interface Read extends Omit<DocumentParts, "boundary" | "decoder" | "passes"> {
  readonly encoderQueue: Queue;
  readonly decoderQueue: Queue;
  /** Throws where the recogniser has been closed. */
  readonly check: () => void;
}

/** Entities of a document, whose `pieces` are checked, as `options` ask for them. */
export async function* readDocument(
  pieces: AsyncIterable<string>,
  { check, encoderQueue, decoderQueue, ...known }: Read,
  options: DocumentOptions,
): AsyncGenerator<Entity, void, undefined> {
  const { boundary = "model", offsets: unit = "utf16" } = options;
  const passes = { pause: known.pause, queue: encoderQueue, check, passed: () => {} };
  const document = new DocumentReader({ ...known, decoder: decoderQueue, boundary, passes });
  const offsets = new Offsets(unit), isWanted = wanted(options);
  async function* shown(entities: AsyncIterable<Entity>): AsyncGenerator<Entity> {
    for await (const entity of entities) if (isWanted(entity)) yield offsets.of(entity);
  }
  for await (const piece of pieces) {
    check();
    offsets.add(piece);
    yield* shown(document.add(piece));
    offsets.forget(document.place);
  }
  check();
  yield* shown(document.end());
}

/** Tokens that are still needed; places count from the beginning of the document. */
interface Tokens {
  /** Number, in the document, of the first. */
  first: number;
  ids: number[];
  starts: number[];
  ends: number[];
  /** Lexicon features of each. */
  features: Float32Array;
  /** Emissions of the first of them, those that are known. */
  emissions: Float32Array;
}

/** Reads one document: {@link add} its pieces, then {@link end}; each gives the entities that are certain by then. */
class DocumentReader {
  readonly #parts: DocumentParts;
  readonly #tokens: Tokens = {
    first: 0,
    ids: [],
    starts: [],
    ends: [],
    features: new Float32Array(0),
    emissions: new Float32Array(0),
  };
  /** Text that is needed: of the tokens, and what is not tokenized yet. */
  #text = "";
  #textStart = 0;
  /** Where tokenized text ends. */
  #read = 0;
  /** What lexicons and a caller's terms have looked at. */
  readonly #lexicons: MatchStream | undefined;
  readonly #terms: MatchStream | undefined;
  /** A caller's terms in the text that is needed; places count from the beginning of the document. */
  #matches: Match[] = [];
  /** First token of the next window, and of those whose emissions it keeps. */
  #window = 0;
  #keep = 0;
  /** First token whose entities have not been given, and its place. */
  #given = 0;
  #place = 0;

  /** A document of which nothing is known yet. */
  constructor(parts: DocumentParts) {
    this.#parts = parts;
    this.#lexicons = parts.finder && new MatchStream(parts.finder);
    this.#terms = parts.terms?.stream();
  }

  /** Where the first entity that is still to come may begin. */
  get place(): number {
    return this.#place;
  }

  /** Where a term that is still to come may begin. */
  get #looked(): number {
    return Math.min(this.#lexicons?.looked ?? this.#read, this.#terms?.looked ?? this.#read);
  }

  /** Takes the document's next piece. */
  async *add(piece: string): AsyncGenerator<Entity> {
    for (let at = 0; at < piece.length; at += PART_UNITS) {
      this.#text += piece.slice(at, at + PART_UNITS);
      this.#tokenize(false);
      yield* this.#advance(false);
      await this.#parts.pause();
    }
  }

  /** The document has ended. */
  async *end(): AsyncGenerator<Entity> {
    this.#tokenize(true);
    yield* this.#advance(true);
  }

  /** Tokenizes what has come, up to a place to cut. */
  #tokenize(ended: boolean): void {
    const { tokenizer } = this.#parts, tokens = this.#tokens;
    const rest = this.#text.slice(this.#read - this.#textStart);
    if (!ended && rest.length < PART_UNITS) return;
    const end = ended ? rest.length : this.#cut(rest);
    if (end === 0) {
      if (ended) this.#look(true);
      return;
    }
    const { ids, starts, ends } = tokenizer.encode(rest.slice(0, end));
    for (let i = 0; i < ids.length; i++) {
      tokens.ids.push(ids[i]);
      tokens.starts.push(starts[i] + this.#read);
      tokens.ends.push(ends[i] + this.#read);
    }
    this.#read += end;
    this.#look(ended);
  }

  /** What lexicons and terms say of the text, as far as what is still to come cannot change it. */
  #look(ended: boolean): void {
    const { finder } = this.#parts, tokens = this.#tokens;
    const matches = (stream: MatchStream): Match[] =>
      stream.look(
        this.#text.slice(stream.looked - this.#textStart, this.#read - this.#textStart),
        ended,
      );
    if (this.#terms) this.#matches.push(...matches(this.#terms));
    if (finder === undefined) return;
    const features = new Float32Array(tokens.ids.length * finder.count);
    features.set(tokens.features);
    finder.write(features, tokens, matches(this.#lexicons!));
    tokens.features = features;
  }

  /** Where to cut; 0: not yet. */
  #cut(rest: string): number {
    const cut = this.#parts.tokenizer.lastCut(rest, rest.length);
    if (cut > 0 || rest.length < MOST_UNITS) return cut;
    const blank = /\s+(?=\S+$)/.exec(rest.slice(-PART_UNITS));
    if (blank) return rest.length - PART_UNITS + blank.index;
    const last = rest.charCodeAt(rest.length - 1);
    return last >= 0xd800 && last < 0xdc00 ? rest.length - 1 : rest.length;
  }

  /** Runs the windows whose places are settled, and gives the entities of the sections that are. */
  async *#advance(ended: boolean): AsyncGenerator<Entity> {
    const tokens = this.#tokens;
    await this.#encode(ended);
    for (;;) {
      const known = this.#keep, left = known - this.#given;
      const last = ended && left <= SECTION + CONTEXT;
      if (last ? left === 0 : left < SECTION + CONTEXT) return;
      const to = last ? known : this.#given + SECTION;
      yield* await this.#decode(this.#given, to, Math.min(known, to + CONTEXT), last);
      this.#given = to;
      this.#place = last ? this.#read : tokens.starts[to - tokens.first];
      this.#forget();
    }
  }

  /** Tokens of which is settled what lexicons and terms say. */
  #settled(): number {
    const { starts } = this.#tokens, looked = this.#looked;
    if (looked === this.#read) return starts.length;
    const next = starts.findIndex((start) => start >= looked);
    return next < 0 ? starts.length : next;
  }

  /** Windows as `windowsOf` places them in the whole, as far as they do not depend on where it ends. */
  async #encode(ended: boolean): Promise<void> {
    const { engine, tokenizer, passes } = this.#parts, tokens = this.#tokens;
    const size = windowSize(engine), step = stepOf(size), labels = engine.config.labels.length;
    const { first } = tokens, end = first + this.#settled();
    const emissions = new Float32Array(tokens.ids.length * labels);
    emissions.set(tokens.emissions);
    const { features } = tokens,
      job: Job = { ids: Int32Array.from(tokens.ids), features, emissions },
      windows: Piece[] = [];
    const add = (start: number, keepEnd: number): void => {
      const window = { start, end: Math.min(start + size, end), keepStart: this.#keep, keepEnd };
      windows.push({
        job,
        window: {
          start: window.start - first,
          end: window.end - first,
          keepStart: window.keepStart - first,
          keepEnd: window.keepEnd - first,
        },
      });
      this.#keep = keepEnd;
    };
    // The next window's place settles where this one's part ends.
    while (this.#window + size < end && (ended || this.#window + step + size <= end)) {
      const next = Math.min(this.#window + step, end - size);
      add(this.#window, (this.#window + size + next) >> 1);
      this.#window = next;
    }
    if (ended && this.#keep < end) add(this.#window, end);
    if (windows.length === 0) return;
    await runWindows(engine, windows, tokenizer, passes);
    tokens.emissions = emissions.subarray(0, (this.#keep - first) * labels);
  }

  /** Entities that begin in tokens `from .. to`, seen with those up to `seen`. */
  async #decode(from: number, to: number, seen: number, last: boolean): Promise<Entity[]> {
    const { engine, crf, tags, decoder, pause, boundary, terms, wholeWords } = this.#parts;
    const tokens = this.#tokens;
    const { first, starts, ends, emissions } = tokens, labels = engine.config.labels.length;
    const begin = Math.max(first, from - CONTEXT) - first, base = this.#textStart;
    const placed = (all: readonly number[]): Int32Array =>
      Int32Array.from(all.slice(begin, seen - first), (place) => place - base);
    const places = { starts: placed(starts), ends: placed(ends) }, text = this.#text;
    const own = emissions.slice(begin * labels, (seen - first) * labels);
    const matches = this.#matches.map((match) => ({
      ...match,
      start: match.start - base,
      end: match.end - base,
    }));
    terms?.weigh(own, places, matches);
    const settle = settling(text, { wholeWords, terms }, matches);
    const found = await decoder.run(() =>
      inTurns(findingEntities(text, places, own, crf, tags, boundary, settle), pause)
    );
    const end = last ? Infinity : starts[to - first];
    return found.map((entity) => ({
      ...entity,
      start: entity.start + base,
      end: entity.end + base,
    }))
      .filter(({ start }) => start >= this.#place && start < end);
  }

  /** Lets go of what neither the next section nor the next window needs. */
  #forget(): void {
    const tokens = this.#tokens, labels = this.#parts.engine.config.labels.length;
    const count = Math.min(this.#given - CONTEXT, this.#window) - tokens.first;
    if (count <= 0) return;
    tokens.first += count;
    for (const list of [tokens.ids, tokens.starts, tokens.ends]) list.splice(0, count);
    tokens.emissions = tokens.emissions.slice(count * labels);
    tokens.features = tokens.features.slice(count * (this.#parts.finder?.count ?? 0));
    const place = tokens.starts[0] ?? this.#read;
    const start = Math.min(place, this.#looked);
    this.#text = this.#text.slice(start - this.#textStart);
    this.#textStart = start;
    this.#matches = this.#matches.filter((match) => match.start >= start);
  }
}
