/**
 * A tokenizer with fewer pieces: the tokenizer.json is rewritten and loaded again.
 *
 * Ids are numbered anew without holes, pieces of the vocabulary first and in their old order, then the added
 * tokens that are not in it, because that is how the reference library numbers them whatever the file says.
 * Everything in the file that is an id is renumbered: the vocabulary, the added tokens, the special tokens of
 * the post-processor and the padding's.
 *
 * @module
 */
import { InputError, TokenizerError } from "../errors.ts";
import { tokenizerFromJson } from "../tokenizer/load.ts";
import type { Tokenizer } from "../tokenizer/types.ts";

/** The fields of a tokenizer.json that hold ids, as `Tokenizer.toJSON` writes them. */
export interface TokenizerFile {
  readonly added_tokens: readonly { readonly id: number; readonly content: string }[];
  readonly post_processor: PostProcessor | null;
  readonly padding: { readonly pad_id: number } | null;
  readonly model: {
    readonly type: "WordPiece";
    readonly unk_token: string;
    readonly continuing_subword_prefix: string;
    readonly vocab: Readonly<Record<string, number>>;
  };
}

type PostProcessor =
  | {
    readonly type: "BertProcessing";
    readonly sep: [string, number];
    readonly cls: [string, number];
  }
  | {
    readonly type: "TemplateProcessing";
    readonly special_tokens: Readonly<Record<string, { readonly ids: readonly number[] }>>;
  };

/** Post-processors whose ids are known to {@link renumbered}. */
const POST_PROCESSORS: readonly unknown[] = ["BertProcessing", "TemplateProcessing", undefined];

/**
 * A tokenizer's file; it was checked when the tokenizer was loaded.
 *
 * @throws {TokenizerError} `tokenizer/unsupported` for another model than WordPiece: where pieces are merged or weighed
 * against each other, leaving one out changes how text without it is cut
 */
export function tokenizerFields(tokenizer: Tokenizer): TokenizerFile {
  const fields = tokenizer.toJSON() as TokenizerFile;
  const { model, post_processor: processor } = fields;
  if (model.type !== "WordPiece" || !POST_PROCESSORS.includes(processor?.type)) {
    throw new TokenizerError(
      "tokenizer/unsupported",
      `only WordPiece vocabularies are trimmed; this tokenizer has the model ${model.type} and the ` +
        `post-processor ${processor?.type ?? "null"}.`,
    );
  }
  return fields;
}

/** Ids that a tokenizer cannot be without: its special tokens, added tokens, and the unknown token. */
export function requiredIds(tokenizer: Tokenizer, fields: TokenizerFile): Set<number> {
  const ids = new Set(fields.added_tokens.map(({ id }) => id));
  for (const id of [tokenizer.cls, tokenizer.sep, tokenizer.unk]) ids.add(id);
  const { post_processor: processor } = fields;
  if (processor?.type === "TemplateProcessing") {
    for (const token of Object.values(processor.special_tokens)) {
      for (const id of token.ids) ids.add(id);
    }
  }
  // A vocabulary may be without a padding token; the id is then a number that nothing is looked up by.
  if (tokenizer.idToToken(tokenizer.pad) !== undefined) ids.add(tokenizer.pad);
  for (const id of ids) {
    if (tokenizer.idToToken(id) !== undefined) continue;
    throw new TokenizerError(
      "tokenizer/unsupported",
      `the tokenizer uses the id ${id}, which has no piece; its vocabulary cannot be trimmed.`,
    );
  }
  return ids;
}

/** A tokenizer with some of another's pieces. */
export interface TrimmedTokenizer {
  readonly tokenizer: Tokenizer;
  /** By new id, the old one. */
  readonly oldIds: Int32Array;
}

/**
 * The tokenizer with the pieces of these ids, and with what it cannot be without.
 *
 * @throws {InputError} `input/pieces` for an id that has no piece
 */
export function trimTokenizer(tokenizer: Tokenizer, kept: Iterable<number>): TrimmedTokenizer {
  const fields = tokenizerFields(tokenizer);
  const wanted = requiredIds(tokenizer, fields);
  for (const id of kept) {
    if (!Number.isInteger(id) || tokenizer.idToToken(id) === undefined) {
      throw new InputError("input/pieces", `the vocabulary has no piece with the id ${id}.`);
    }
    wanted.add(id);
  }
  const pieces = Object.entries(fields.model.vocab)
    .filter(([, id]) => wanted.has(id))
    .sort(([, a], [, b]) => a - b);
  const known = new Set(pieces.map(([, id]) => id));
  const oldIds = Int32Array.from([
    ...known,
    ...fields.added_tokens.map(({ id }) => id).filter((id) => !known.has(id)),
  ]);
  const newIds = new Map<number, number>();
  oldIds.forEach((old, id) => newIds.set(old, id));
  const renumber = (id: number): number => newIds.get(id)!;

  const trimmed = {
    ...fields,
    added_tokens: fields.added_tokens.map((token) => ({ ...token, id: renumber(token.id) })),
    post_processor: renumbered(fields.post_processor, renumber),
    padding: fields.padding && {
      ...fields.padding,
      pad_id: newIds.get(fields.padding.pad_id) ?? renumber(tokenizer.unk),
    },
    model: {
      ...fields.model,
      vocab: Object.fromEntries(pieces.map(([piece, id]) => [piece, renumber(id)])),
    },
  };
  // What this tokenizer was let in with, some of it may be let in with.
  return { tokenizer: tokenizerFromJson(trimmed, { allowStripAccents: true }), oldIds };
}

function renumbered(
  processor: PostProcessor | null,
  renumber: (id: number) => number,
): PostProcessor | null {
  if (processor === null) return null;
  if (processor.type === "BertProcessing") {
    const { sep, cls } = processor;
    return { ...processor, sep: [sep[0], renumber(sep[1])], cls: [cls[0], renumber(cls[1])] };
  }
  const tokens = Object.entries(processor.special_tokens)
    .map(([name, token]) => [name, { ...token, ids: token.ids.map(renumber) }]);
  return { ...processor, special_tokens: Object.fromEntries(tokens) };
}
