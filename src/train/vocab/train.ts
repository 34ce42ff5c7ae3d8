/**
 * A WordPiece vocabulary and its tokenizer, from texts.
 *
 * The same texts give the same bytes, in whatever order they come: words are sorted before anything is counted in
 * an order, and ties are broken by rule. The tokenizer.json is one that this library and Hugging Face read alike:
 * NFC, then BERT's normalizer, which leaves accents (in Brahmic scripts: vowels) alone unless told otherwise.
 *
 * @module
 */
import { InputError, show } from "../../errors.ts";
import type { Span } from "../../eval/spans.ts";
import { tokenizerFromJson } from "../../tokenizer/load.ts";
import type { Tokenizer } from "../../tokenizer/types.ts";
import { cutWords, ENDINGS, straddling } from "./endings.ts";
import { mergePieces, PREFIX, type TrainingWord } from "./merges.ts";
import { MAX_CHARS, WordCounts } from "./words.ts";

/** Special tokens, by id. */
export const SPECIAL: readonly string[] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/** What a vocabulary is to be like. */
export interface VocabularyOptions {
  /** Pieces in all, special tokens included. */
  readonly size: number;
  /** Occurrences of a pair of pieces that make it one. Default 2. */
  readonly minFrequency?: number;
  /** Most characters, the commonest; words with others are unknown. Default 1000. */
  readonly alphabet?: number;
  /** Lower-case the text. Default true. */
  readonly lowercase?: boolean;
  /** Delete nonspacing marks, which are vowels in Brahmic scripts. Default false. */
  readonly stripAccents?: boolean;
  /** Cut words before these endings, or before those of a script, for instance `Bengali`. Default: none. */
  readonly endings?: string | readonly string[] | undefined;
}

/** A text to learn from. */
export interface VocabularyText {
  /** As it stands; the tokenizer normalizes it. */
  readonly text: string;
  /** Its entities, where they are known: their ends are to fall between pieces. */
  readonly entities?: readonly Span[];
}

/** Share of a piece's occurrences across the ends of entities that makes it one to leave out. */
const STRADDLING = 0.1;
/** Pieces made beyond the size, in the place of those that are left out. */
const SPARE = 0.1;
/** Leaving pieces out makes others come up, which may lie across ends in their turn. */
const ROUNDS = 8;

/** Counts texts, then trains: so that a corpus can be read once, as a stream. */
export class VocabularyTrainer {
  readonly #options: VocabularyOptions;
  readonly #endings: readonly string[];
  readonly #words: WordCounts;
  readonly #marked: Required<VocabularyText>[] = [];

  /** Throws {@link InputError} `input/option` for an option that cannot be. */
  constructor(options: VocabularyOptions) {
    const { size, minFrequency = 2, alphabet = 1000 } = options;
    for (const [name, value] of Object.entries({ size, minFrequency, alphabet })) {
      if (Number.isSafeInteger(value) && value >= 1 && value <= 1 << 20) continue;
      throw new InputError(
        "input/option",
        `${name} is ${show(value)}; expected a whole number from 1 to ${1 << 20}.`,
      );
    }
    this.#options = options;
    this.#endings = endingsOf(options.endings);
    const { normalizer, pre_tokenizer } = this.#file([]);
    this.#words = new WordCounts(normalizer, pre_tokenizer);
  }

  /** Counts a text. `times` makes it count for several: a small corpus beside a large one. */
  add({ text, entities }: VocabularyText, times = 1): void {
    this.#words.add(text, entities, times);
    if (entities !== undefined) this.#marked.push({ text, entities });
  }

  /** Different words so far. */
  get words(): number {
    return this.#words.counts.size;
  }

  /**
   * The tokenizer. Fewer pieces than wanted, where the texts do not hold as many pairs that occur often enough.
   *
   * Throws {@link InputError} `input/data` when nothing was counted, `input/option` when special tokens and characters
   * alone are more than the size.
   */
  train(): Tokenizer {
    const { size, minFrequency = 2 } = this.#options;
    const { alphabet, words } = this.#alphabet(
      cutWords(this.#words, { endings: this.#endings, minFrequency }),
    );
    if (words.length === 0) throw new InputError("input/data", "the texts hold no words.");
    const marked = this.#marked;
    const wanted = marked.length === 0 ? size : Math.ceil(size * (1 + SPARE));
    let pieces = mergePieces(words, SPECIAL, alphabet, wanted, minFrequency);
    const single = pieces.findIndex((piece, i) => i >= SPECIAL.length && bodyOf(piece).length > 1);
    const fixed = single < 0 ? pieces.length : single;
    if (fixed > size) {
      throw new InputError(
        "input/option",
        `special tokens and ${alphabet.length} characters take ${fixed} pieces, more than ${size}; ` +
          "allow more pieces or fewer characters.",
      );
    }
    for (let round = 0; marked.length > 0 && round < ROUNDS; round++) {
      const out = straddling(this.#tokenizer(pieces.slice(0, size)), marked, STRADDLING);
      if (out.size === 0) break;
      pieces = pieces.filter((piece) => !out.has(piece));
    }
    return this.#tokenizer(pieces.slice(0, size));
  }

  /** The commonest characters by code point, and the words that have no others. */
  #alphabet(words: readonly TrainingWord[]): { alphabet: string[]; words: TrainingWord[] } {
    const counts = new Map<string, number>();
    for (const { parts, count } of words) {
      for (const c of parts.join("")) counts.set(c, (counts.get(c) ?? 0) + count);
    }
    const order = (a: string, b: string): number => a.codePointAt(0)! - b.codePointAt(0)!;
    const kept = [...counts].sort(([a, m], [b, n]) => n - m || order(a, b))
      .slice(0, this.#options.alphabet ?? 1000).map(([c]) => c);
    const known = new Set(kept);
    return {
      alphabet: kept.sort(order),
      words: words.filter(({ parts }) => [...parts.join("")].every((c) => known.has(c))),
    };
  }

  #tokenizer(pieces: readonly string[]): Tokenizer {
    return tokenizerFromJson(this.#file(pieces), { allowStripAccents: true });
  }

  /** The content of tokenizer.json. */
  #file(pieces: readonly string[]): Readonly<Record<string, unknown>> {
    const { lowercase = true, stripAccents = false } = this.#options;
    const special = (content: string): { id: string; ids: number[]; tokens: string[] } => ({
      id: content,
      ids: [SPECIAL.indexOf(content)],
      tokens: [content],
    });
    const token = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
    return {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: SPECIAL.map((content, id) => ({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      })),
      normalizer: {
        type: "Sequence",
        normalizers: [{ type: "NFC" }, {
          type: "BertNormalizer",
          clean_text: true,
          handle_chinese_chars: true,
          strip_accents: stripAccents,
          lowercase,
        }],
      },
      pre_tokenizer: { type: "BertPreTokenizer" },
      post_processor: {
        type: "TemplateProcessing",
        single: [token("[CLS]"), { Sequence: { id: "A", type_id: 0 } }, token("[SEP]")],
        pair: [
          token("[CLS]"),
          { Sequence: { id: "A", type_id: 0 } },
          token("[SEP]"),
          { Sequence: { id: "B", type_id: 1 } },
          { SpecialToken: { id: "[SEP]", type_id: 1 } },
        ],
        special_tokens: { "[CLS]": special("[CLS]"), "[SEP]": special("[SEP]") },
      },
      decoder: { type: "WordPiece", prefix: PREFIX, cleanup: true },
      model: {
        type: "WordPiece",
        unk_token: "[UNK]",
        continuing_subword_prefix: PREFIX,
        max_input_chars_per_word: MAX_CHARS,
        vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
      },
    };
  }
}

/** A piece's characters without its prefix. */
function bodyOf(piece: string): string[] {
  return [...piece.startsWith(PREFIX) && piece !== PREFIX ? piece.slice(PREFIX.length) : piece];
}

function endingsOf(endings: VocabularyOptions["endings"] = []): readonly string[] {
  if (typeof endings !== "string") return endings;
  const script = Object.keys(ENDINGS).find((name) => name.toLowerCase() === endings.toLowerCase());
  if (script !== undefined) return ENDINGS[script]!;
  throw new InputError(
    "input/option",
    `no endings are known of the script ${show(endings)}; known are those of ` +
      `${Object.keys(ENDINGS).join(", ")}. Others can be listed.`,
  );
}
