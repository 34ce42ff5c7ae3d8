/**
 * Loading a tokenizer, from tokenizer.json or from vocab.txt, with everything checked that can be.
 *
 * A tokenizer that is almost right is worse than none: the model's ids silently mean something else. So
 * whatever is not understood is refused by name, and no field is filled in by guess. Sizes are bounded
 * before arrays are made from them.
 *
 * Weak point: a file that the reference would read otherwise than it is written (an added token whose id is
 * not the one it would give) is refused although one of the two readings must be right.
 *
 * @module
 */

import { type AddedToken, readAddedToken, specialToken } from "./added.ts";
import { refuseBrahmic } from "./brahmic.ts";
import {
  type Fields,
  invalid,
  isWellFormed,
  MAX_DEPTH,
  readArray,
  readInteger,
  readObject,
  readString,
  show,
  unsupported,
} from "./config.ts";
import { compileNormalizer } from "./normalizers.ts";
import { compilePreTokenizer } from "./pretokenizers.ts";
import { isSubword, subwordFromJson } from "./subword_load.ts";
import { BertTokenizer } from "./tokenizer.ts";
import { Trie } from "./trie.ts";
import type { Tokenizer, TokenizerOptions, VocabConfig } from "./types.ts";
import { classes, SPACE } from "./unicode.ts";
import { WordPiece } from "./wordpiece.ts";

/** Ids are below this. The largest vocabularies in use have a million pieces; arrays are sized by it. */
const MAX_ID = (1 << 21) - 1;

/** Pieces in the order they are set; `tokens` by id. */
interface Vocabulary {
  readonly trie: Trie;
  readonly tokens: (string | undefined)[];
  /** Different pieces, as the reference counts them when it numbers added tokens. */
  readonly size: number;
}

/**
 * Loads a Hugging Face tokenizer.json with a WordPiece, BPE or Unigram model.
 *
 * `truncation` and `padding` of the file are not applied by `encode` (of `padding`, the id is read).
 *
 * @param json the file's text, or what `JSON.parse` made of it
 * @throws {TokenizerError} `tokenizer/invalid`: the file contradicts itself or its form;
 *   `tokenizer/unsupported`: it asks for a component that is not built here;
 *   `tokenizer/strip-accents`: see {@link TokenizerOptions.allowStripAccents}
 */
export function tokenizerFromJson(
  json: string | unknown,
  options: TokenizerOptions = {},
): Tokenizer {
  const root = readObject(typeof json === "string" ? parse(json) : json, "tokenizer.json");
  const model = readObject(root.model, "model");
  if (isSubword(model)) {
    return subwordFromJson(root, model, options, {
      maxId: MAX_ID,
      vocabulary: readVocab,
      added: readAdded,
      postProcessor: readPostProcessor,
      depth: checkDepth,
    });
  }
  if (model.type !== "WordPiece" && model.type !== undefined) {
    throw unsupported("model.type", `model ${show(model.type)}`, "WordPiece, BPE, Unigram");
  }
  const vocab = readVocab(model);
  const added = readAdded(root.added_tokens, vocab);
  return build(root, model, vocab, added, options, "set normalizer.strip_accents to false");
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
  const vocabulary = readLines(vocab);
  const added: AddedToken[] = [];
  for (const token of ["[UNK]", "[SEP]", "[CLS]", "[PAD]", "[MASK]"]) {
    const id = vocabulary.trie.get(token);
    if (id >= 0) added.push(specialToken(id, token));
  }
  added.sort((a, b) => a.id - b.id);
  const idOf = (token: string): number => {
    const id = vocabulary.trie.get(token);
    if (id < 0) throw invalid("vocab.txt", `has no line ${token}`);
    return id;
  };
  const prefix = "##";
  const root: Fields = {
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
  };
  const model = {
    unk_token: "[UNK]",
    continuing_subword_prefix: prefix,
    max_input_chars_per_word: 100,
  };
  const remedy = "set strip_accents to false in tokenizer_config.json (or do_lower_case, if the " +
    "model is cased)";
  return build(root, model, vocabulary, added, options, remedy);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid("tokenizer.json", `is not JSON: ${(error as Error).message}`);
  }
}

function flag(config: VocabConfig, name: keyof VocabConfig): boolean | null | undefined {
  const value = readObject(config, "tokenizer_config.json")[name];
  if (value === undefined || typeof value === "boolean") return value;
  if (value === null && name === "strip_accents") return null;
  throw invalid(`tokenizer_config.json.${name}`, `expected true or false, got ${show(value)}`);
}

function readVocab(model: Fields): Vocabulary {
  const vocab = readObject(model.vocab, "model.vocab");
  // Keys and lookups: `Object.values` or `entries` of an object of this size take four times as long.
  const pieces = Object.keys(vocab);
  const ids = new Int32Array(pieces.length);
  let size = 0;
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i], id = vocab[piece];
    if (typeof id !== "number" || !(id >= 0 && id <= MAX_ID && Number.isInteger(id))) {
      readInteger(id, `model.vocab[${show(piece)}]`, MAX_ID);
    }
    if (!isWellFormed(piece)) throw invalid("model.vocab", `${show(piece)} has a lone surrogate`);
    ids[i] = id as number;
    if (ids[i] >= size) size = ids[i] + 1;
  }
  const tokens = new Array<string | undefined>(size).fill(undefined);
  const trie = new Trie(pieces.length);
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i], id = ids[i];
    if (tokens[id] !== undefined) {
      throw invalid("model.vocab", `${show(tokens[id])} and ${show(piece)} both have id ${id}`);
    }
    tokens[id] = piece;
    trie.set(piece, id);
  }
  return { trie, tokens, size: pieces.length };
}

function readLines(text: string): Vocabulary {
  if (text === "") throw invalid("vocab.txt", "is empty");
  const lines = text.split("\n");
  if (lines[lines.length - 1] === "") lines.pop(); // the end of the last line, not a line
  if (lines.length > MAX_ID + 1) {
    throw invalid("vocab.txt", `has ${lines.length} lines; the limit is ${MAX_ID + 1}`);
  }
  if (!isWellFormed(text)) throw invalid("vocab.txt", "has a lone surrogate");
  const tokens = new Array<string | undefined>(lines.length).fill(undefined);
  const trie = new Trie(lines.length);
  const space = classes().bmp;
  let size = 0;
  for (let id = 0; id < lines.length; id++) {
    const line = lines[id];
    let end = line.length;
    while (end > 0 && space[line.charCodeAt(end - 1)] & SPACE) end--;
    const piece = end === line.length ? line : line.slice(0, end);
    const earlier = trie.set(piece, id);
    if (earlier >= 0) tokens[earlier] = undefined;
    else size++;
    tokens[id] = piece;
  }
  return { trie, tokens, size };
}

/** Reads `added_tokens`, gives them their places in `tokens`, and checks that the reference would agree. */
function readAdded(value: unknown, vocab: Vocabulary): AddedToken[] {
  const added: AddedToken[] = [];
  if (value === undefined || value === null) return added;
  const contents = new Set<string>();
  let next = vocab.size;
  readArray(value, "added_tokens").forEach((element, i) => {
    const where = `added_tokens[${i}]`;
    const token = readAddedToken(element, where, MAX_ID);
    if (contents.has(token.content)) throw invalid(where, `${show(token.content)} is there twice`);
    contents.add(token.content);
    // The reference does not take the file's id: a piece of the vocabulary keeps its own, others are
    // numbered on from the vocabulary's size. Where that differs from the file, one of them is wrong.
    const known = vocab.trie.get(token.content);
    const expected = known >= 0 ? known : next++;
    if (token.id !== expected) {
      throw invalid(`${where}.id`, `${show(token.content)} has ${token.id}, expected ${expected}`);
    }
    if (known < 0 && vocab.tokens[token.id] !== undefined) {
      const other = show(vocab.tokens[token.id]);
      throw invalid(`${where}.id`, `${show(token.content)} and ${other} both have ${token.id}`);
    }
    while (vocab.tokens.length < token.id) vocab.tokens.push(undefined);
    vocab.tokens[token.id] = token.content;
    added.push(token);
  });
  return added;
}

function build(
  root: Fields,
  model: Fields,
  vocab: Vocabulary,
  added: AddedToken[],
  options: TokenizerOptions,
  remedy: string,
): Tokenizer {
  const unkToken = readString(model, "unk_token", "model");
  const prefix = readString(model, "continuing_subword_prefix", "model");
  const maxChars = readInteger(
    model.max_input_chars_per_word,
    "model.max_input_chars_per_word",
    Number.MAX_SAFE_INTEGER,
  );
  const unk = vocab.trie.get(unkToken);
  if (unk < 0) throw invalid("model.unk_token", `${show(unkToken)} is not in the vocabulary`);
  for (const name of KEPT) checkDepth(root[name], name);
  const normalizer = compileNormalizer(root.normalizer ?? null);
  const preTokenizer = compilePreTokenizer(root.pre_tokenizer ?? null);
  if (normalizer.stripsMarks && options.allowStripAccents !== true) {
    refuseBrahmic(vocab.tokens, prefix, remedy);
  }
  const known = (token: string): number | undefined => {
    const id = added.find((a) => a.content === token)?.id ?? vocab.trie.get(token);
    return id < 0 ? undefined : id;
  };
  const special = readSpecial(root, vocab.tokens.length, known);
  const describe = (): unknown => ({
    version: "1.0",
    truncation: null,
    padding: root.padding ?? null, // for its pad_id
    added_tokens: added,
    normalizer: normalizer.spec,
    pre_tokenizer: preTokenizer.spec,
    post_processor: root.post_processor ?? null,
    decoder: root.decoder ?? null,
    model: {
      type: "WordPiece",
      unk_token: unkToken,
      continuing_subword_prefix: prefix,
      max_input_chars_per_word: maxChars,
      vocab: Object.fromEntries(
        vocab.tokens.flatMap((token, id) =>
          token !== undefined && vocab.trie.get(token) === id ? [[token, id]] : []
        ),
      ),
    },
  });
  return new BertTokenizer(
    {
      model: new WordPiece(vocab.trie, unk, prefix, maxChars),
      tokens: vocab.tokens,
      added,
      normalizer,
      preTokenizer,
      special,
      describe,
    },
    (token) => invalid("added_tokens", `${show(token.content)} is deleted by the normalizer`),
  );
}

/** Parts of the file that `toJSON` gives back as they are, fields that nobody reads included. */
const KEPT = ["normalizer", "pre_tokenizer", "post_processor", "decoder", "padding"];

/** Each Sequence of {@link MAX_DEPTH} nests twice, and what is in the innermost a little more. */
const MAX_KEPT_DEPTH = 3 * MAX_DEPTH;

/** What `toJSON` gives back must be possible to write: `JSON.stringify` has a stack. */
function checkDepth(value: unknown, where: string, depth = 0): void {
  if (typeof value !== "object" || value === null) return;
  if (depth > MAX_KEPT_DEPTH) throw invalid(where, `nested more than ${MAX_KEPT_DEPTH} deep`);
  for (const inner of Object.values(value)) checkDepth(inner, where, depth + 1);
}

/** Finds the ids of `[CLS]`, `[SEP]` and `[PAD]` in `post_processor` and `padding`. */
function readSpecial(
  root: Fields,
  vocabSize: number,
  known: (token: string) => number | undefined,
): { cls: number; sep: number; pad: number } {
  const { cls, sep } = readPostProcessor(root.post_processor ?? null, vocabSize, known);
  const padding = root.padding === null || root.padding === undefined
    ? undefined
    : readObject(root.padding, "padding");
  const pad = padding
    ? readInteger(padding.pad_id, "padding.pad_id", vocabSize - 1)
    : known("[PAD]") ?? 0;
  return { cls, sep, pad };
}

function readPostProcessor(
  spec: unknown,
  vocabSize: number,
  known: (token: string) => number | undefined,
): { cls: number; sep: number } {
  const where = "post_processor";
  if (spec === null) {
    const cls = known("[CLS]"), sep = known("[SEP]");
    if (cls !== undefined && sep !== undefined) return { cls, sep };
    throw invalid(where, "is null, and the vocabulary has no [CLS] and [SEP]");
  }
  const fields = readObject(spec, where);
  if (fields.type === "BertProcessing") {
    const id = (name: string): number => {
      const pair = readArray(fields[name], `${where}.${name}`);
      return readInteger(pair[1], `${where}.${name}[1]`, vocabSize - 1);
    };
    return { cls: id("cls"), sep: id("sep") };
  }
  if (fields.type !== "TemplateProcessing") {
    const what = `post-processor ${show(fields.type)}`;
    throw unsupported(where, what, "BertProcessing, TemplateProcessing, null");
  }
  const single = readArray(fields.single, `${where}.single`).map((part, i) =>
    readObject(part, `${where}.single[${i}]`)
  );
  const shape = single.map((part) => Object.keys(part)[0]).join(" ");
  if (shape !== "SpecialToken Sequence SpecialToken") {
    throw unsupported(`${where}.single`, show(shape), "SpecialToken Sequence SpecialToken");
  }
  const tokens = readObject(fields.special_tokens, `${where}.special_tokens`);
  const id = (i: number): number => {
    const name = readString(
      readObject(single[i].SpecialToken, `${where}.single[${i}].SpecialToken`),
      "id",
      `${where}.single[${i}].SpecialToken`,
    );
    const at = `${where}.special_tokens[${show(name)}]`;
    const token = readObject(Object.hasOwn(tokens, name) ? tokens[name] : undefined, at);
    const ids = readArray(token.ids, `${at}.ids`);
    if (ids.length !== 1) throw invalid(`${at}.ids`, `expected one id, got ${ids.length}`);
    return readInteger(ids[0], `${at}.ids[0]`, vocabSize - 1);
  };
  return { cls: id(0), sep: id(2) };
}
