/**
 * Which word pieces to keep of a vocabulary.
 *
 * A multilingual vocabulary is most of a small model, and most of it is never met. Pieces are kept because a
 * corpus uses them, because they are of a script, because they are one character, or because the tokenizer
 * itself needs them; the union is kept.
 *
 * What dropping a piece does: WordPiece takes the longest piece that fits, so a word is split otherwise than
 * before only if one of its pieces was dropped. It then falls into shorter pieces, in the end into
 * characters. Those are kept by default, and with them every piece that holds a character without a piece of
 * its own (a {@link PieceChoice.gaps gap}), as nothing else could spell it. In a vocabulary without gaps, and
 * that is how they are trained, the words that become [UNK] are then exactly those that were before: a word
 * is unknown only if it has a character that no piece has in its place.
 *
 * Weak: what a corpus does not use may matter elsewhere; {@link PieceChoice.missing} estimates how often.
 * And a vocabulary with gaps may know a word less or a word more, where pieces overlap.
 *
 * @module
 */
import { InputError } from "../errors.ts";
import type { Tokenizer } from "../tokenizer/types.ts";
import { scriptName, SCRIPTS, scriptTest } from "./scripts.ts";
import { requiredIds, tokenizerFields, type TokenizerFile } from "./tokenizer.ts";

/** How often each piece of a vocabulary occurs, by id. */
export type PieceCounts = Uint32Array;

/** Adds the pieces of these texts to `counts`, which has an element for each id of the tokenizer. */
export function countPieces(
  tokenizer: Tokenizer,
  texts: Iterable<string>,
  counts: PieceCounts = new Uint32Array(tokenizer.vocabSize),
): PieceCounts {
  for (const text of texts) for (const id of tokenizer.encode(text).ids) counts[id]!++;
  return counts;
}

/** Why pieces are kept. */
export interface KeepOptions {
  /** Keep the pieces that occur: what {@link countPieces} returned. */
  readonly counts?: PieceCounts;
  /** Keep the pieces of these scripts, for instance `Bengali`; also digits, punctuation and signs. */
  readonly scripts?: readonly string[];
  /** Keep all pieces of one character, and what holds characters without such a piece. Default true. */
  readonly singles?: boolean;
}

/** The pieces to keep, and how many came in by which rule (a piece may come in by several). */
export interface PieceChoice {
  /** Ids, ascending. */
  readonly kept: Int32Array;
  /** Pieces of the whole vocabulary, added tokens included. */
  readonly pieces: number;
  /** Kept because the tokenizer needs them: special and added tokens. */
  readonly required: number;
  /** Kept because they occur. */
  readonly counted: number;
  /** Kept because of their script. */
  readonly scripted: number;
  /** Kept because they are one character, or spell one that has no piece of its own. */
  readonly singles: number;
  /** Characters, at the beginning of words or inside, that pieces hold and that are no pieces themselves. */
  readonly gaps: readonly string[];
  /**
   * Share of tokens of further text like the corpus that will be of dropped pieces: the Good-Turing estimate
   * (Good, 1953), which is the share of the corpus's tokens whose piece occurred once and is kept for that
   * alone. Undefined without a corpus.
   */
  readonly missing: number | undefined;
}

/** A piece with its place in words and its spelling there. */
interface Spelling {
  readonly id: number;
  /** `##` for a piece that continues words, else empty. */
  readonly place: string;
  readonly body: string;
}

function spellings({ model }: TokenizerFile): Spelling[] {
  const prefix = model.continuing_subword_prefix;
  return Object.entries(model.vocab).map(([piece, id]) => {
    const inner = prefix !== "" && piece.length > prefix.length && piece.startsWith(prefix);
    return inner
      ? { id, place: prefix, body: piece.slice(prefix.length) }
      : { id, place: "", body: piece };
  });
}

/** Characters with their places: `["ক", "##ষ"]` for a piece `কষ`. */
function charactersOf({ place, body }: Spelling, prefix: string): string[] {
  return [...body].map((c, i) => (i === 0 ? place : prefix) + c);
}

/**
 * Whether any word can hold this spelling: `[unused7]` in a vocabulary stands for itself only where the
 * pre-tokenizer does not cut it up, and a capital letter only where nothing lower-cases.
 */
function isReachable(tokenizer: Tokenizer, body: string): boolean {
  const { words, starts, ends } = tokenizer.encode(body);
  return words.length > 0 && words[words.length - 1] === 0 && starts[0] === 0 &&
    ends[ends.length - 1] === body.length;
}

/**
 * Chooses the pieces to keep.
 *
 * @throws {InputError} `input/script` for a script that is not known; `input/counts` when `counts` is not of
 * this tokenizer; `input/option` when nothing was asked for
 */
export function choosePieces(tokenizer: Tokenizer, options: KeepOptions): PieceChoice {
  const { counts, scripts = [], singles = true } = options;
  if (counts === undefined && scripts.length === 0) {
    throw new InputError("input/option", "expected a corpus or a script to choose pieces by.");
  }
  if (counts !== undefined && counts.length !== tokenizer.vocabSize) {
    throw new InputError(
      "input/counts",
      `there are ${counts.length} counts for ${tokenizer.vocabSize} ids.`,
    );
  }
  const tests = scripts.map((script) => {
    const name = scriptName(script);
    if (name !== undefined) return scriptTest(name);
    throw new InputError(
      "input/script",
      `the script ${JSON.stringify(script)} is not known; known are ${SCRIPTS.join(", ")}.`,
    );
  });
  const fields = tokenizerFields(tokenizer);
  const prefix = fields.model.continuing_subword_prefix;
  const pieces = spellings(fields);
  const required = requiredIds(tokenizer, fields);

  const single = new Set<string>();
  for (const { place, body } of pieces) if ([...body].length === 1) single.add(place + body);
  const gaps = new Set<string>();
  const spelling = new Set<number>();
  for (const piece of pieces) {
    if ([...piece.body].length === 1) spelling.add(piece.id);
    else {
      const alone = charactersOf(piece, prefix).filter((c) => !single.has(c));
      if (alone.length === 0 || required.has(piece.id)) continue;
      if (!isReachable(tokenizer, piece.body)) continue;
      for (const c of alone) gaps.add(c);
      spelling.add(piece.id);
    }
  }

  const chosen = new Set(required);
  const tally = { counted: 0, scripted: 0, singles: 0 };
  let tokens = 0, once = 0;
  for (let id = 0; counts !== undefined && id < counts.length; id++) tokens += counts[id]!;
  for (const { id, body } of pieces) {
    const before = chosen.has(id);
    const scripted = tests.some((test) => test(body));
    const spells = singles && spelling.has(id);
    const count = counts?.[id] ?? 0;
    if (scripted) tally.scripted++;
    if (spells) tally.singles++;
    if (count > 0) tally.counted++;
    if (count === 1 && !before && !scripted && !spells) once++;
    if (scripted || spells || count > 0) chosen.add(id);
  }
  return {
    kept: Int32Array.from(chosen).sort(),
    pieces:
      new Set([...pieces.map(({ id }) => id), ...fields.added_tokens.map(({ id }) => id)]).size,
    required: required.size,
    ...tally,
    gaps: [...gaps].sort(),
    missing: counts === undefined ? undefined : tokens === 0 ? 0 : once / tokens,
  };
}
