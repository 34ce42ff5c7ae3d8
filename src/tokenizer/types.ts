/**
 * What a tokenizer is to the rest of the library.
 *
 * A tokenizer turns a text into ids and says, for each id, which part of the caller's string it came from.
 * All positions are UTF-16 code units of that string, as `String.prototype.slice` counts them: normalization
 * may compose, decompose, delete or insert characters in between, and none of it shows here.
 *
 * @module
 */

/** The tokens of one text, without special tokens: parallel arrays, one element a token. */
export interface Encoding {
  /** Vocabulary ids. */
  readonly ids: Int32Array;
  /** UTF-16 start in the caller's string. Never decreases. */
  readonly starts: Int32Array;
  /** UTF-16 end in the caller's string, exclusive. Never decreases, never less than the start. */
  readonly ends: Int32Array;
  /** Index of the word (pre-token) that the token belongs to: 0, 1, 2, ... in the order of the text. */
  readonly words: Int32Array;
}

/** A loaded tokenizer. It is immutable; `encode` may be called any number of times. */
export interface Tokenizer {
  /** Highest id + 1: the number of rows an embedding table must have. */
  readonly vocabSize: number;
  /** Id that opens a sequence, `[CLS]`. */
  readonly cls: number;
  /** Id that closes a sequence, `[SEP]`. */
  readonly sep: number;
  /** Id that fills a batch, `[PAD]`; 0 where the file names none (a padded position is masked anyway). */
  readonly pad: number;
  /** Id of what the vocabulary cannot spell, `[UNK]`. */
  readonly unk: number;
  /**
   * Tokenizes a text of any length, in time linear in it, without special tokens and without truncation.
   *
   * Any string is legal. A lone surrogate is read as U+FFFD, as a UTF-8 encoder would write it.
   *
   * @throws {InputError} `input/type` if `text` is not a string.
   * @throws {TokenizerError} `tokenizer/growth` if the file's normalizer makes far too much of it, or one of its
   *   regular expressions would need too much memory for it.
   */
  encode(text: string): Encoding;
  /** {@link encode} in pieces of a millisecond or less, where the text can be cut without changing a token. */
  encoding(text: string): Generator<void, Encoding>;
  /**
   * The last place before `end` at which a text can be cut so that its parts have the tokens of the whole; 0 where
   * there is none, or where this tokenizer looks beyond words.
   */
  lastCut(text: string, end: number): number;
  /** The piece of an id, as the vocabulary writes it (`##` and all). */
  idToToken(id: number): string | undefined;
  /** What pieces that go on within a word begin with (`##`), where the model has such. */
  readonly continuing: string | undefined;
  /** The text that pieces in a row stand for, as the file's decoder puts them together; only for showing. */
  spell(pieces: readonly string[]): string;
  /** The id of a piece, as the vocabulary writes it. */
  tokenToId(token: string): number | undefined;
  /** Content of a tokenizer.json that reproduces this tokenizer exactly: plain data for `JSON.stringify`. */
  toJSON(): unknown;
}

/** How a tokenizer is loaded. */
export interface TokenizerOptions {
  /**
   * Load a tokenizer that strips accents although its vocabulary spells words of a Brahmic script
   * (Bengali, Devanagari, Tamil, ...), whose vowel signs are "accents" to it. Default false: refused.
   * Only right for a model that was itself trained so.
   */
  allowStripAccents?: boolean;
}

/**
 * The fields of a `tokenizer_config.json` that matter to a `vocab.txt`. Others may be present and are not
 * read, so the parsed file can be passed whole. Defaults are those of BERT in Hugging Face.
 */
export interface VocabConfig {
  /** Lower-case the text. Default true. */
  do_lower_case?: boolean;
  /** Delete nonspacing marks. Default null: as `do_lower_case`. */
  strip_accents?: boolean | null;
  /** Make every CJK ideograph a word. Default true. */
  tokenize_chinese_chars?: boolean;
}
