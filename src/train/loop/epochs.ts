/**
 * The sequences of each epoch: those of the data, or of the data as {@link Augment} changes them.
 *
 * An epoch is a function of the seed and its number, so that a run that is gone on with finds the same texts; of what is
 * changed each way has random numbers of its own, so that one option does not shift what another does. Only one epoch
 * is kept. What all of them will be (how many steps, which pieces) is found out by going through them once before.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import type { FeatureFinder } from "../../lexicon/features.ts";
import type { Encoding, Tokenizer } from "../../tokenizer/types.ts";
import { exchangeEntities, type Pools, poolsOf } from "../data/exchange.ts";
import type { Labeller } from "../data/labels.ts";
import { Resplitter } from "../data/resplit.ts";
import type { LabelledText } from "../../corpus/text.ts";
import { IGNORED } from "../losses/targets.ts";
import { Random } from "../random.ts";
import { type OwnPartial, type PartialCorpus, partialOf } from "../data/partial.ts";
import type { Augment } from "./augment.ts";
import type { TrainingLexicons } from "./lexicons.ts";
import {
  type FindFeatures,
  join,
  partialSequencesOf,
  type Sequence,
  sequencesOf,
} from "./sequences.ts";

/** Share of the texts in which tokens are masked. */
const MASKED = 0.7;

/** Shares of an epoch that is as the data are. */
const NOTHING: Augment = { exchange: 0, resplit: 0, mask: 0, join: 0 };

/** Most texts that are joined to one. */
const JOINED = 5;

/** What epochs are made from. */
export interface EpochParts {
  readonly texts: readonly LabelledText[];
  readonly tokenizer: Tokenizer;
  readonly labeller: Labeller;
  /** Longest sequence, special tokens included. */
  readonly length: number;
  readonly seed: number;
  readonly augment: Augment | undefined;
  /** Further names by type, which entities may be exchanged for. */
  readonly names: Readonly<Record<string, readonly string[]>> | undefined;
  /** Corpora whose labels are known in part. */
  readonly also: readonly PartialCorpus[] | undefined;
  /** Texts without labels, from which teachers teach. */
  readonly unlabelled?: readonly LabelledText[] | undefined;
  /** Of a model that takes features. */
  readonly lexicons?: TrainingLexicons | undefined;
  /** Lexicons that only teachers have. */
  readonly others?: readonly FeatureFinder[] | undefined;
}

/** Whether epochs of such parts differ from the data as they are, and from each other: no sequence is then in two of them. */
export function changes(
  { augment, also = [], lexicons }: Pick<EpochParts, "augment" | "also" | "lexicons">,
): boolean {
  return augment !== undefined || also.length > 0 || lexicons !== undefined;
}

/** Sequences by epoch. */
export class Epochs {
  /** Those of the data as they are. */
  readonly plain: readonly Sequence[];
  readonly #parts: EpochParts;
  readonly #also: readonly OwnPartial[];
  readonly #pools: Pools;
  readonly #mask: number;
  readonly #resplitter: Resplitter | undefined;
  #last: { readonly epoch: number; readonly sequences: readonly Sequence[] } | undefined;

  /**
   * Throws {@link InputError}: `input/option` for tokens to be masked without a token for it, words to be cut that are not
   * WordPiece's, and names that nothing is exchanged for; `input/data` for names of a type that the data do not have;
   * what a labeller and {@link partialOf} throw.
   */
  constructor(parts: EpochParts) {
    const { texts, tokenizer, labeller, length, augment, names, also = [] } = parts;
    if (names && !augment?.exchange) {
      throw new InputError(
        "input/option",
        "names are what entities are exchanged for: say for what share of the texts (augment.exchange).",
      );
    }
    this.#parts = parts;
    this.#pools = augment?.exchange ? poolsOf(texts, names) : new Map();
    this.#mask = augment?.mask ? maskOf(tokenizer) : -1;
    this.#resplitter = augment?.resplit ? new Resplitter(tokenizer) : undefined;
    this.#also = also.map((corpus) => partialOf(corpus, labeller.tags));
    const encode = (text: string) => tokenizer.encode(text);
    const find = changes(parts) ? undefined : this.#finding(undefined);
    this.plain = [
      ...sequencesOf(texts, encode, tokenizer, labeller, length, find),
      ...unlabelledSequencesOf(parts, encode, find),
    ];
  }

  /** Finds features of texts: the model's own as `own` says, and those that only teachers have. */
  #finding(
    own: ((text: string, encoding: Encoding, index: number) => Float32Array) | undefined,
  ): FindFeatures | undefined {
    const { others = [] } = this.#parts;
    if (own === undefined && others.length === 0) return undefined;
    return (text, encoding, index) => ({
      ...(own && { features: own(text, encoding, index) }),
      ...(others.length > 0 && { others: others.map((one) => one.features(text, encoding)) }),
    });
  }

  /** The whole of the further corpora, as they are, to tell them from others. */
  further(): Sequence[] {
    const { tokenizer, labeller, length } = this.#parts;
    const encode = (text: string) => tokenizer.encode(text);
    return this.#also.flatMap((corpus) =>
      partialSequencesOf(corpus, encode, tokenizer, labeller, length)
    );
  }

  /** The sequences of an epoch, counted from 0. */
  sequences(epoch: number): readonly Sequence[] {
    if (!changes(this.#parts)) return this.plain;
    if (this.#last?.epoch !== epoch) this.#last = { epoch, sequences: this.#make(epoch) };
    return this.#last.sequences;
  }

  #make(epoch: number): Sequence[] {
    const { texts, tokenizer, labeller, length, seed } = this.#parts, resplitter = this.#resplitter;
    const { exchange, resplit, mask, join: share } = this.#parts.augment ?? NOTHING;
    const random = (what: keyof typeof NOTHING | "further" | "lexicon"): Random =>
      new Random(seed, what, epoch);
    const exchanging = random("exchange"), cutting = random("resplit"), masking = random("mask");
    const changed = exchange === 0
      ? texts
      : texts.map((text) =>
        exchanging.uniform() < exchange ? exchangeEntities(text, this.#pools, exchanging) : text
      );
    const encode = resplitter
      ? (text: string) => resplitter.encode(text, resplit, cutting)
      : (text: string) => tokenizer.encode(text);
    const masked = (sequences: Sequence[]): Sequence[] =>
      mask === 0 ? sequences : sequences.map((one) => this.#masked(one, mask, masking));
    const { lexicons } = this.#parts, matching = random("lexicon");
    const find = this.#finding(
      lexicons && ((text, encoding, i) => lexicons.training(text, encoding, i, matching)),
    );
    const other = this.#finding(
      lexicons && ((text, encoding) => lexicons.training(text, encoding, undefined, matching)),
    );
    const own = masked(sequencesOf(changed, encode, tokenizer, labeller, length, find));
    const choosing = random("further");
    const further = this.#also.flatMap((corpus) => {
      const chosen = choosing.permutation(corpus.texts.length).subarray(0, corpus.perEpoch);
      const sample = { ...corpus, texts: Array.from(chosen, (i) => corpus.texts[i]!) };
      return masked(partialSequencesOf(sample, encode, tokenizer, labeller, length, other));
    });
    const unlabelled = masked(unlabelledSequencesOf(this.#parts, encode, other));
    return [
      ...share === 0 ? own : joined(own, share, length, random("join")),
      ...further,
      ...unlabelled,
    ];
  }

  #masked(sequence: Sequence, share: number, random: Random): Sequence {
    if (random.uniform() >= MASKED) return sequence;
    const ids = sequence.ids.slice();
    for (let t = 1; t < ids.length - 1; t++) if (random.uniform() < share) ids[t] = this.#mask;
    return { ...sequence, ids };
  }
}

/** The sequences of texts without labels: no loss asks for any. */
function unlabelledSequencesOf(
  { unlabelled = [], tokenizer, labeller, length }: EpochParts,
  encode: Tokenizer["encode"],
  find?: FindFeatures,
): Sequence[] {
  const texts = unlabelled.map((text) => ({ ...text, entities: [] }));
  return sequencesOf(texts, encode, tokenizer, labeller, length, find)
    .map((sequence) => ({ ...sequence, labels: sequence.labels.map(() => IGNORED) }));
}

/** Sequences in random order, a share of them with others behind. */
function joined(
  sequences: readonly Sequence[],
  share: number,
  length: number,
  random: Random,
): Sequence[] {
  const order = random.permutation(sequences.length), result: Sequence[] = [];
  for (let at = 0; at < order.length;) {
    const group = [sequences[order[at++]!]!];
    if (random.uniform() < share) {
      let tokens = group[0]!.ids.length;
      for (let more = 1 + random.below(JOINED); more > 0 && at < order.length; more--) {
        const next = sequences[order[at]!]!;
        // Two special tokens of each but the first are left out.
        tokens += next.ids.length - 2;
        if (tokens > length) break;
        group.push(next);
        at++;
      }
    }
    result.push(join(group));
  }
  return result;
}

function maskOf(tokenizer: Tokenizer): number {
  for (const name of ["[MASK]", "<mask>"]) {
    const id = tokenizer.tokenToId(name);
    if (id !== undefined) return id;
  }
  throw new InputError(
    "input/option",
    "tokens cannot be masked: the vocabulary has neither [MASK] nor <mask>.",
  );
}
