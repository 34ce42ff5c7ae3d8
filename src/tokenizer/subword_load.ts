/**
 * Loading a tokenizer.json whose model is BPE or Unigram, as `load.ts` does for WordPiece.
 *
 * The same rule: what is not understood is refused by name. Vocabulary, added tokens and post-processor are
 * read by functions of `load.ts`, which hands them in, so that neither module needs the other's inside.
 *
 * Weak point: `toJSON` writes merges and scores anew from what was compiled; it is the file that was read,
 * value for value, but with the model's type, which old files leave out, and the vocabulary's keys in the
 * order of the ids.
 *
 * @module
 */

import type { AddedToken } from "./added.ts";
import { Bpe, type SubwordModel } from "./bpe.ts";
import { refuseBrahmic } from "./brahmic.ts";
import {
  type Fields,
  invalid,
  isWellFormed,
  readArray,
  readBoolean,
  readInteger,
  readObject,
  readString,
  show,
  unsupported,
} from "./config.ts";
import { byteUnits, compileCuts } from "./cuts.ts";
import { SubwordTokenizer } from "./subword.ts";
import { compileSubwordNormalizer } from "./subword_normalizers.ts";
import { Trie } from "./trie.ts";
import type { Tokenizer, TokenizerOptions } from "./types.ts";
import { Unigram } from "./unigram.ts";

/** Pieces in the order they are set; `tokens` by id. */
interface Vocabulary {
  readonly trie: Trie;
  readonly tokens: (string | undefined)[];
  /** How many pieces the reference counts when it numbers added tokens. */
  readonly size: number;
}

type Known = (token: string) => number | undefined;

/** What `load.ts` reads for every model. */
export interface Readers {
  readonly maxId: number;
  vocabulary(model: Fields): Vocabulary;
  added(value: unknown, vocab: Vocabulary): AddedToken[];
  postProcessor(spec: unknown, vocabSize: number, known: Known): { cls: number; sep: number };
  /** Sees that a part of the file which `toJSON` gives back can be written. */
  depth(value: unknown, where: string): void;
}

/** Whether a `model` is BPE or Unigram, by its name or, in old files, by its fields. */
export function isSubword({ type, merges, vocab }: Fields): boolean {
  return type === "BPE" || type === "Unigram" ||
    (type === undefined && (merges !== undefined || Array.isArray(vocab)));
}

/** Builds the tokenizer. @throws {TokenizerError} as `tokenizerFromJson` */
export function subwordFromJson(
  root: Fields,
  model: Fields,
  options: TokenizerOptions,
  readers: Readers,
): Tokenizer {
  const normalizer = compileSubwordNormalizer(root.normalizer ?? null);
  const cuts = compileCuts(root.pre_tokenizer ?? null);
  const { type, vocab: _vocab, merges: _merges, ...rest } = model;
  const kept = { ...root, model: rest };
  readers.depth(kept, "tokenizer.json");
  const bpe = type === "BPE" || (type === undefined && model.merges !== undefined);
  const read = bpe ? readBpe(model, readers) : readUnigram(model, readers.maxId);
  const { vocab } = read;
  if (normalizer.stripsMarks && options.allowStripAccents !== true) {
    const spelt = cuts.byteLevel ? vocab.tokens.map(fromBytes) : vocab.tokens;
    refuseBrahmic(spelt, "", "remove StripAccents from the normalizer");
  }
  const describeModel = read.describe([...vocab.tokens]); // before the added ones
  const added = readers.added(root.added_tokens, vocab);
  const known: Known = (token) => {
    const id = added.find((a) => a.content === token)?.id ?? vocab.trie.get(token);
    return id < 0 ? undefined : id;
  };
  const padding = root.padding === null || root.padding === undefined
    ? undefined
    : readObject(root.padding, "padding");
  const pad = padding
    ? readInteger(padding.pad_id, "padding.pad_id", vocab.tokens.length - 1)
    : known("<pad>") ?? known("[PAD]") ?? 0;
  const { cls, sep } = readEnds(root.post_processor ?? null, vocab.tokens.length, known, readers);
  const unk = read.unk >= 0 ? read.unk : known("<unk>") ?? known("[UNK]") ?? -1;
  return new SubwordTokenizer(
    {
      model: read.model,
      trie: vocab.trie,
      tokens: vocab.tokens,
      added,
      normalizer,
      cuts,
      special: { cls, sep, pad, unk },
      describe: () => ({
        ...kept,
        model: { type: bpe ? "BPE" : "Unigram", ...rest, ...describeModel() },
      }),
    },
    (token) => invalid("added_tokens", `${show(token.content)} is deleted by the normalizer`),
  );
}

/** What was read of a `model`. */
interface Read {
  readonly vocab: Vocabulary;
  readonly model: SubwordModel;
  /** -1: the model has none. */
  readonly unk: number;
  /** Makes the fields of `model` that are large. */
  readonly describe: (tokens: readonly (string | undefined)[]) => () => Fields;
}

function readBpe(model: Fields, readers: Readers): Read {
  const where = "model";
  const vocab = readers.vocabulary(model);
  const { trie } = vocab;
  if (model.dropout !== undefined && model.dropout !== null && model.dropout !== 0) {
    throw unsupported(`${where}.dropout`, show(model.dropout), "null");
  }
  const prefix = optionalString(model, "continuing_subword_prefix");
  const suffix = optionalString(model, "end_of_word_suffix");
  const unkToken = optionalString(model, "unk_token");
  const unk = unkToken === "" ? -1 : trie.get(unkToken);
  if (unkToken !== "" && unk < 0) {
    throw invalid(`${where}.unk_token`, `${show(unkToken)} is not in the vocabulary`);
  }
  const merges = readArray(model.merges, `${where}.merges`);
  if (merges.length > readers.maxId) {
    throw invalid(`${where}.merges`, `has ${merges.length} merges; the limit is ${readers.maxId}`);
  }
  const left = new Int32Array(merges.length);
  const right = new Int32Array(merges.length);
  const made = new Int32Array(merges.length);
  let joined = false; // "a b", as files had it before 0.20
  merges.forEach((merge, rank) => {
    const wrong = (what: string): Error => invalid(`${where}.merges[${rank}]`, what);
    const pair: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    joined ||= typeof merge === "string";
    const [a, b]: readonly unknown[] = Array.isArray(pair) && pair.length === 2 ? pair : [];
    if (typeof a !== "string" || typeof b !== "string") {
      throw wrong(`expected two pieces, got ${show(merge)}`);
    }
    if (!b.startsWith(prefix)) throw wrong(`${show(b)} has not the prefix ${show(prefix)}`);
    const id = (piece: string): number => {
      const found = trie.get(piece);
      if (found < 0) throw wrong(`${show(piece)} is not in the vocabulary`);
      return found;
    };
    left[rank] = id(a);
    right[rank] = id(b);
    made[rank] = id(a + b.slice(prefix.length));
  });
  const byteFallback = optionalBoolean(model, "byte_fallback");
  const bpe = new Bpe({
    trie,
    left,
    right,
    made,
    unk,
    fuseUnk: optionalBoolean(model, "fuse_unk"),
    ignoreMerges: optionalBoolean(model, "ignore_merges"),
    prefix,
    suffix,
    bytes: byteFallback ? byteTokens(trie) : undefined,
  });
  const describe = (tokens: readonly (string | undefined)[]) => (): Fields => ({
    vocab: Object.fromEntries(
      tokens.flatMap((token, id) => token === undefined ? [] : [[token, id]]),
    ),
    merges: Array.from(left, (id, rank) => {
      const pair = [tokens[id], tokens[right[rank]]];
      return joined ? pair.join(" ") : pair;
    }),
  });
  return { vocab, model: bpe, unk, describe };
}

function readUnigram(model: Fields, maxId: number): Read {
  const where = "model.vocab";
  const vocab = readArray(model.vocab, where);
  if (vocab.length > maxId + 1) {
    throw invalid(where, `has ${vocab.length} pieces; the limit is ${maxId + 1}`);
  }
  const trie = new Trie(vocab.length);
  const scores = new Float64Array(vocab.length);
  // No name of a place is made but for an error: there may be a quarter of a million.
  const tokens = vocab.map((entry, id) => {
    const [piece, score]: readonly unknown[] = Array.isArray(entry) ? entry : [];
    if (typeof piece !== "string" || typeof score !== "number" || !Number.isFinite(score)) {
      throw invalid(`${where}[${id}]`, "expected a piece and its score");
    }
    if (!isWellFormed(piece)) {
      throw invalid(`${where}[${id}]`, `${show(piece)} has a lone surrogate`);
    }
    // Of equal pieces the last counts.
    if (piece !== "") trie.set(piece, id);
    scores[id] = score;
    return piece;
  });
  // It may be null for the reference, which then fails at the first character that it cannot spell.
  const unk = readInteger(model.unk_id, "model.unk_id", vocab.length - 1);
  const bytes = optionalBoolean(model, "byte_fallback") ? byteTokens(trie) : undefined;
  return {
    vocab: { trie, tokens: [...tokens], size: tokens.length },
    model: new Unigram(trie, scores, unk, bytes),
    unk,
    describe: (pieces) => () => ({ vocab: pieces.map((piece, id) => [piece, scores[id]]) }),
  };
}

/** Ids of `<0x00>` to `<0xFF>`, -1 where there is none. */
function byteTokens(trie: Trie): Int32Array {
  return Int32Array.from(
    { length: 256 },
    (_, byte) => trie.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
  );
}

/** A field of a model that may be missing or null, as the reference reads it; "" then. */
function optionalString(model: Fields, name: string): string {
  return model[name] === undefined || model[name] === null ? "" : readString(model, name, "model");
}

/** A field of a model that may be missing, as the reference reads it; false then. */
function optionalBoolean(model: Fields, name: string): boolean {
  return model[name] !== undefined && model[name] !== null && readBoolean(model, name, "model");
}

/** Ids that open and close a sequence. */
function readEnds(
  spec: unknown,
  vocabSize: number,
  known: Known,
  readers: Readers,
): { cls: number; sep: number } {
  const where = "post_processor";
  const fields = spec === null ? null : readObject(spec, where);
  if (fields?.type === "Sequence") {
    const parts = readArray(fields.processors, `${where}.processors`)
      .map((part, i) => readObject(part, `${where}.processors[${i}]`))
      .filter((part) => part.type !== "ByteLevel"); // it changes places only
    if (parts.length > 1 || parts[0]?.type === "Sequence") {
      throw unsupported(where, "a Sequence of several", "one, and ByteLevel beside it");
    }
    return readEnds(parts[0] ?? null, vocabSize, known, readers);
  }
  if (fields === null || fields.type === "ByteLevel") {
    const cls = known("<s>") ?? known("[CLS]"), sep = known("</s>") ?? known("[SEP]");
    if (cls !== undefined && sep !== undefined) return { cls, sep };
    throw invalid(where, "names no special tokens, and there are no <s> and </s>, [CLS] and [SEP]");
  }
  // RobertaProcessing has the fields of BertProcessing, and flags about places.
  const plain = fields.type === "RobertaProcessing"
    ? { ...fields, type: "BertProcessing" }
    : fields;
  return readers.postProcessor(plain, vocabSize, known);
}

/** What a byte-level piece spells; bytes that are part of a character become U+FFFD. */
function fromBytes(piece: string | undefined): string | undefined {
  if (piece === undefined) return undefined;
  const table = byteUnits();
  const bytes: number[] = [];
  for (let i = 0; i < piece.length; i++) {
    const byte = table.indexOf(piece.charCodeAt(i));
    if (byte < 0) return piece; // a special token
    bytes.push(byte);
  }
  return new TextDecoder().decode(Uint8Array.from(bytes));
}
