/**
 * Loading a tokenizer, from tokenizer.json or from vocab.txt, with everything checked that can be.
 *
 * A tokenizer that is almost right is worse than none: the model's ids silently mean something else. So
 * whatever is not understood is refused by name, and no field is filled in by guess. Sizes are bounded
 * before arrays are made from them. Each section of the file has a reader of its own; here they are called.
 *
 * Weak points: a file that the reference would read otherwise than it is written (an added token whose id is
 * not the one it would give) is refused although one of the two readings must be right. `toJSON` writes
 * vocabulary, merges and scores anew from what was compiled: it is the file that was read, value for value,
 * but with the sections and the model's type that old files leave out, and the vocabulary's keys in the
 * order of the ids.
 *
 * @module
 */

import { FormatError, show } from "../errors.ts";
import { readAdded, specialToken } from "./added.ts";
import { refuseBrahmic } from "./brahmic.ts";
import { CompiledTokenizer } from "./compiled.ts";
import { readBpe, readUnigram, spellingOf } from "./components.ts";
import { type Fields, invalid, MAX_DEPTH, readObject, unsupported } from "./fields.ts";
import type { ReadModel } from "./model.ts";
import { compileNormalizer } from "./normalizers.ts";
import {
  type FillTrie,
  type PackedPieces,
  type Pieces,
  readLines,
  unpackPieces,
} from "./pieces.ts";
import { compilePreTokenizer } from "./pretokenizers.ts";
import { isSeparable } from "./separable.ts";
import { readSpecial } from "./special.ts";
import type { Tokenizer, TokenizerOptions, VocabConfig } from "./types.ts";
import { readWordPiece } from "./wordpiece.ts";

/**
 * Loads a Hugging Face tokenizer.json with a WordPiece, BPE or Unigram model.
 *
 * `truncation` and `padding` of the file are not applied by `encode` (of `padding`, the id is read).
 *
 * @param json the file's text, or what `JSON.parse` made of it
 * @param packed the `vocab` of a WordPiece or BPE model, if the file is without it
 * @param fill another way to fill its trie, if there is one at hand
 * @throws {FormatError} `tokenizer/json`: the text is not JSON
 * @throws {TokenizerError} `tokenizer/invalid`: the file contradicts itself or its form;
 *   `tokenizer/unsupported`: it asks for a component that is not built here;
 *   `tokenizer/strip-accents`: see {@link TokenizerOptions.allowStripAccents}
 */
export function tokenizerFromJson(
  json: string | unknown,
  options: TokenizerOptions = {},
  packed?: PackedPieces,
  fill?: FillTrie,
): Tokenizer {
  const root = readObject(typeof json === "string" ? parse(json) : json, "tokenizer.json");
  const model = readObject(root.model, "model");
  if (packed && model.vocab !== undefined) throw invalid("model.vocab", "is there twice");
  const read = readModel(model, packed && unpackPieces(packed, fill));
  const remedy =
    "set normalizer.strip_accents to false, or remove StripAccents from the normalizer";
  return compile(root, read, options, remedy);
}

/**
 * Loads a vocab.txt: one piece a line, its id the line's number from 0. Trailing white space is not part of
 * a piece, a blank line is the empty piece, of equal lines the last counts: as Hugging Face reads it.
 * `[UNK]`, `[CLS]` and `[SEP]` must be there; they, `[PAD]` and `[MASK]` become special tokens.
 *
 * @param vocab the file's text
 * @param config fields of tokenizer_config.json; absent ones have BERT's defaults
 * @throws {TokenizerError} as {@link tokenizerFromJson}
 */
export function tokenizerFromVocab(
  vocab: string,
  config: VocabConfig = {},
  options: TokenizerOptions = {},
): Tokenizer {
  if (typeof vocab !== "string") throw invalid("vocab.txt", `expected text, got ${show(vocab)}`);
  const lowercase = flag(config, "do_lower_case") ?? true;
  const pieces = readLines(vocab);
  const idOf = (token: string): number => {
    const id = pieces.trie.get(token);
    if (id < 0) throw invalid("vocab.txt", `has no line ${token}`);
    return id;
  };
  const prefix = "##";
  const root: Fields = {
    added_tokens: ["[UNK]", "[SEP]", "[CLS]", "[PAD]", "[MASK]"]
      .filter((token) => pieces.trie.get(token) >= 0)
      .map((token) => specialToken(idOf(token), token))
      .sort((a, b) => a.id - b.id),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: flag(config, "tokenize_chinese_chars") ?? true,
      strip_accents: flag(config, "strip_accents") ?? null,
      lowercase,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "BertProcessing",
      sep: ["[SEP]", idOf("[SEP]")],
      cls: ["[CLS]", idOf("[CLS]")],
    },
    decoder: { type: "WordPiece", prefix, cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: prefix,
      max_input_chars_per_word: 100,
    },
  };
  const read = readWordPiece(root.model as Fields, pieces);
  const remedy = "set strip_accents to false in tokenizer_config.json (or do_lower_case, if the " +
    "model is cased)";
  return compile(root, read, options, remedy);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FormatError(
      "tokenizer/json",
      `tokenizer.json is not JSON: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  }
}

function flag(config: VocabConfig, name: keyof VocabConfig): boolean | null | undefined {
  const value = readObject(config, "tokenizer_config.json")[name];
  if (value === undefined || typeof value === "boolean") return value;
  if (value === null && name === "strip_accents") return null;
  throw invalid(`tokenizer_config.json.${name}`, `expected true or false, got ${show(value)}`);
}

/** Reads a `model` by its name or, in old files, by what only one of them has; `pieces` where they are not in it. */
function readModel(model: Fields, pieces?: Pieces): ReadModel {
  const { merges, vocab } = model;
  const type = model.type !== undefined
    ? model.type
    : merges !== undefined
    ? "BPE"
    : Array.isArray(vocab)
    ? "Unigram"
    : "WordPiece";
  switch (type) {
    case "WordPiece":
      return readWordPiece(model, pieces);
    case "BPE":
      return readBpe(model, pieces);
    case "Unigram":
      return readUnigram(model);
  }
  throw unsupported("model.type", `model ${show(type)}`, "WordPiece, BPE, Unigram");
}

/** What the sections of a tokenizer.json are if it leaves them out, in the order it has them. */
const SECTIONS = {
  version: "1.0",
  truncation: null,
  padding: null,
  added_tokens: [],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
} as const;

function compile(
  file: Fields,
  { model, pieces, describe }: ReadModel,
  options: TokenizerOptions,
  remedy: string,
): Tokenizer {
  const { vocab: _vocab, merges: _merges, ...fields } = file.model as Fields;
  const root: Fields = { ...SECTIONS, ...file, model: { type: model.type, ...fields } };
  checkDepth(root);
  const normalizer = compileNormalizer(root.normalizer);
  const preTokenizer = compilePreTokenizer(root.pre_tokenizer);
  if (normalizer.stripsMarks && options.allowStripAccents !== true) {
    const { tokens } = pieces;
    refuseBrahmic(preTokenizer.byteLevel ? tokens.map(spellingOf) : tokens, remedy);
  }
  const added = readAdded(root.added_tokens, pieces);
  const known = (token: string): number | undefined => {
    const id = added.find((a) => a.content === token)?.id ?? pieces.trie.get(token);
    return id < 0 ? undefined : id;
  };
  const { trie, tokens } = pieces;
  const special = readSpecial(root, model, tokens.length, known);
  const toJSON = (): unknown => ({
    ...root,
    added_tokens: added,
    model: { ...root.model as Fields, ...describe() },
  });
  return new CompiledTokenizer({
    model,
    trie,
    tokens,
    added,
    normalizer,
    preTokenizer,
    special,
    decoder: root.decoder as Fields | null,
    continuing: (fields.continuing_subword_prefix as string | null | undefined) || undefined,
    separable: isSeparable(root, added),
    trims: model.type !== "WordPiece" || preTokenizer.writesSpaces,
    toJSON,
  });
}

/** Each Sequence of {@link MAX_DEPTH} nests twice, and what is in the innermost a little more. */
const MAX_KEPT_DEPTH = 3 * MAX_DEPTH;

/** What `toJSON` gives back must be possible to write: `JSON.stringify` has a stack. */
function checkDepth(value: unknown, depth = 0): void {
  if (typeof value !== "object" || value === null) return;
  if (depth > MAX_KEPT_DEPTH) {
    throw invalid("tokenizer.json", `nested more than ${MAX_KEPT_DEPTH} deep`);
  }
  for (const inner of Object.values(value)) checkDepth(inner, depth + 1);
}
