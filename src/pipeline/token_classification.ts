/**
 * `pipeline("token-classification", ner)`: the output that users of transformers and transformers.js know.
 *
 * The rules of aggregation are those of Python transformers' `TokenClassificationPipeline`, and so are the names of
 * fields and options: `none` gives a label for each token, `simple` joins neighbours of one type, `first`, `average` and
 * `max` first give all tokens of a word one label. (Words are told as there: by the length of a piece and of its place,
 * where the vocabulary marks pieces that go on; else by the spaces in the text.)
 *
 * Differences, all of them where offsets or probabilities are better: `start` and `end` are UTF-16 positions and never
 * include the white space that a tokenizer puts to a word; texts of any length go through in windows; for a model with a
 * CRF a token's scores are the CRF's marginals, not the softmax of what went into it.
 *
 * Weak: none of these strategies knows the CRF's best path, nor that a model's entities are whole words: one begins or ends where
 * its tokens do. `ner.extract` knows both, and its scores are of whole entities; this is for programs that expect these shapes.
 *
 * @module
 */
import { InputError, show } from "../errors.ts";
import {
  CALL_RULES,
  checkOptions,
  nearest,
  OFFSETS,
  oneOf,
  type Rule,
} from "../ner/check_options.ts";
import type { CallOptions, OffsetUnit } from "../ner/options.ts";
import { Offsets } from "../ner/output.ts";
import type { Probabilities, Vocabulary } from "../ner/recogniser.ts";

/** How tokens are joined. */
export type Aggregation = "none" | "simple" | "first" | "average" | "max";

/** Options of a pipeline, and of each call, where they win. */
export interface PipelineOptions extends CallOptions {
  /** Default `none`, as in transformers. */
  aggregation_strategy?: Aggregation;
  /** Labels, or types of groups, that are left out. Default `["O"]`. */
  ignore_labels?: readonly string[];
  /** What `start` and `end` count. Default `utf16`; Python's are `codepoint`. */
  offsets?: OffsetUnit;
}

/** A token's label. */
export interface TokenEntity {
  /** The label. */
  entity: string;
  /** Its probability. */
  score: number;
  /** The token's number in the sequence that the encoder sees, its first special token being 0. */
  index: number;
  /** The piece, or the text where the vocabulary has none for it. */
  word: string;
  /** First UTF-16 code unit. */
  start: number;
  /** One past the last UTF-16 code unit. */
  end: number;
}

/** Neighbouring tokens of one type. */
export interface GroupEntity {
  /** The type: the label without its prefix. */
  entity_group: string;
  /** Mean of the joined labels' probabilities. */
  score: number;
  /** The pieces as the tokenizer's decoder puts them together. */
  word: string;
  /** First UTF-16 code unit. */
  start: number;
  /** One past the last UTF-16 code unit. */
  end: number;
}

/** What {@link pipeline} makes. A list of texts gives a list of lists. */
export interface TokenClassifier {
  (
    text: string,
    options: PipelineOptions & { aggregation_strategy: Exclude<Aggregation, "none"> },
  ): Promise<GroupEntity[]>;
  (text: string, options?: PipelineOptions): Promise<(TokenEntity | GroupEntity)[]>;
  (texts: readonly string[], options?: PipelineOptions): Promise<(TokenEntity | GroupEntity)[][]>;
}

const STRATEGIES: readonly Aggregation[] = ["none", "simple", "first", "average", "max"];

const RULES: Readonly<Record<string, Rule>> = {
  ...CALL_RULES,
  aggregation_strategy: oneOf(...STRATEGIES),
  offsets: OFFSETS,
  ignore_labels: [
    "a list of labels",
    (value) => Array.isArray(value) && value.every((label) => typeof label === "string"),
  ],
};

/** What is used of a recogniser: a `Ner`, or one in a worker, of which everything has to be waited for. */
export interface Classifies {
  /** See `Recogniser.probabilitiesBatch`. */
  probabilitiesBatch(texts: readonly string[], options?: CallOptions): Promise<Probabilities[]>;
  /** See `Recogniser.vocabulary`. */
  vocabulary(): Spelling | Promise<Spelling>;
}

/** A vocabulary, here or in a worker. */
export interface Spelling extends Omit<Vocabulary, "spell"> {
  /** See `Vocabulary.spell`. */
  spell(pieces: readonly string[]): string | Promise<string>;
}

/** A token before it has a label. */
interface Piece {
  readonly word: string;
  readonly scores: Float32Array;
  readonly start: number;
  readonly end: number;
  readonly index: number;
  readonly isSubword: boolean;
}

/** A token or a word with its label. */
type Labelled = Omit<TokenEntity, "index"> & { readonly index?: number };

/** Column of the largest score; the first of equal ones. */
function best(scores: ArrayLike<number>): number {
  let at = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i] > scores[at]) at = i;
  return at;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function piecesOf(
  text: string,
  { tokens, labels, data }: Probabilities,
  { unknown, continuing }: Spelling,
): Piece[] {
  return tokens.map(({ id, piece, start, end }, i) => {
    const place = text.slice(start, end), n = labels.length;
    const goesOn = continuing === undefined
      ? start > 0 && !text.slice(start - 1, start + 1).includes(" ")
      // In characters, as Python counts.
      : [...piece].length !== [...place].length;
    return {
      word: id === unknown ? place : piece,
      scores: data.subarray(i * n, (i + 1) * n),
      start,
      end,
      index: i + 1,
      isSubword: id !== unknown && goesOn,
    };
  });
}

/** A word's label, by those of its tokens. */
async function labelled(
  pieces: readonly Piece[],
  labels: readonly string[],
  strategy: "first" | "average" | "max",
  { spell }: Spelling,
): Promise<Labelled> {
  const first = pieces[0];
  const scores: ArrayLike<number> = strategy === "first"
    ? first.scores
    : strategy === "max"
    ? pieces[best(pieces.map((piece) => piece.scores[best(piece.scores)]))].scores
    : labels.map((_, label) => mean(pieces.map((piece) => piece.scores[label])));
  const label = best(scores);
  return {
    entity: labels[label],
    score: scores[label],
    word: await spell(pieces.map(({ word }) => word)),
    start: first.start,
    end: pieces[pieces.length - 1].end,
  };
}

/** `B-x` and `I-x` taken apart; what has neither prefix goes on. */
function tagOf(label: string): { begins: boolean; type: string } {
  return { begins: label.startsWith("B-"), type: label.replace(/^[BI]-/, "") };
}

/** Runs of neighbours, cut where `cut` says so. */
function runsOf<T>(items: readonly T[], cut: (item: T, last: T) => boolean): T[][] {
  const runs: T[][] = [];
  items.forEach((item, i) => {
    if (i === 0 || cut(item, items[i - 1])) runs.push([item]);
    else runs[runs.length - 1].push(item);
  });
  return runs;
}

async function entitiesOf(
  pieces: readonly Piece[],
  labels: readonly string[],
  strategy: Aggregation,
  vocabulary: Spelling,
): Promise<(TokenEntity | GroupEntity)[]> {
  const single = ({ scores, index, word, start, end }: Piece): TokenEntity => {
    const label = best(scores);
    return { entity: labels[label], score: scores[label], index, word, start, end };
  };
  if (strategy === "none") return pieces.map(single);
  const words: Labelled[] = strategy === "simple" ? pieces.map(single) : await Promise.all(
    runsOf(pieces, ({ isSubword }) => !isSubword)
      .map((run) => labelled(run, labels, strategy, vocabulary)),
  );
  const groups = runsOf(words, ({ entity }, last) => {
    const { begins, type } = tagOf(entity);
    return begins || type !== tagOf(last.entity).type;
  });
  return await Promise.all(groups.map(async (group): Promise<GroupEntity> => ({
    entity_group: group[0].entity.replace(/^[^-]*-/, ""),
    score: mean(group.map(({ score }) => score)),
    word: await vocabulary.spell(group.map(({ word }) => word)),
    start: group[0].start,
    end: group[group.length - 1].end,
  })));
}

/**
 * A classifier of tokens with the shapes of transformers.
 *
 * ```ts ignore
 * const classify = pipeline("token-classification", await Ner.load(source));
 * await classify("some text", { aggregation_strategy: "simple" });
 * ```
 *
 * @param task `token-classification`, or `ner`, which is the same
 * @throws {InputError} `input/option` for another task, an unknown option or a value that it cannot have; calls throw
 * what {@link Recogniser.extract} throws
 */
export function pipeline(
  task: "token-classification" | "ner",
  ner: Classifies,
  options: PipelineOptions = {},
): TokenClassifier {
  const tasks = ["token-classification", "ner"];
  if (!tasks.includes(task)) {
    const meant = typeof task === "string" ? nearest(task, tasks) : undefined;
    throw new InputError(
      "input/option",
      `pipeline: there is no task ${show(task)}; ${
        meant === undefined ? `there are ${tasks.join(", ")}` : `${meant} was probably meant`
      }.`,
    );
  }
  checkOptions(options, "pipeline", RULES);
  const classify = async (
    input: string | readonly string[],
    own: PipelineOptions = {},
  ): Promise<unknown> => {
    checkOptions(own, "pipeline", RULES);
    const {
      aggregation_strategy: strategy = "none",
      ignore_labels: ignored = ["O"],
      offsets = "utf16",
      ...call
    } = { ...options, ...own };
    const texts = Array.isArray(input) ? input : [input], vocabulary = await ner.vocabulary();
    const all = await ner.probabilitiesBatch(texts, call);
    const found = await Promise.all(all.map(async (probabilities, i) => {
      const places = new Offsets(offsets, texts[i]);
      const entities = await entitiesOf(
        piecesOf(texts[i], probabilities, vocabulary),
        probabilities.labels,
        strategy,
        vocabulary,
      );
      return entities.filter((entity) =>
        !ignored.includes("entity" in entity ? entity.entity : entity.entity_group)
      ).map((entity) => places.of(entity));
    }));
    return Array.isArray(input) ? found : found[0];
  };
  return classify as TokenClassifier;
}
