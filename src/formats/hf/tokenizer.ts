/**
 * The tokenizer among a Hugging Face model's files: `tokenizer.json`, or `vocab.txt` as `tokenizer_config.json`
 * says to use it.
 *
 * @module
 */
import { InputError } from "../../errors.ts";
import { tokenizerFromJson, tokenizerFromVocab } from "../../tokenizer/load.ts";
import type { Tokenizer, TokenizerOptions, VocabConfig } from "../../tokenizer/types.ts";
import { decodeUtf8, parseJsonObject } from "../json.ts";

/** A tokenizer's files by role; text files as bytes or as text. */
export interface TokenizerFiles {
  /** `tokenizer.json`; it wins over `vocab`. */
  readonly tokenizer?: Uint8Array | string;
  /** `vocab.txt`. */
  readonly vocab?: Uint8Array | string;
  /** `tokenizer_config.json`, which says how to use `vocab.txt`. */
  readonly tokenizerConfig?: Uint8Array | string;
}

/** A text file's text; throws FormatError `input/utf8`. */
export function textOf(file: Uint8Array | string, name: string): string {
  return typeof file === "string" ? file : decodeUtf8(file, "input/utf8", name);
}

/** The tokenizer of a folder's files; throws InputError `input/tokenizer` when there is none. */
export function readTokenizer(files: TokenizerFiles, options?: TokenizerOptions): Tokenizer {
  if (files.tokenizer !== undefined) {
    const name = "tokenizer.json";
    return tokenizerFromJson(
      parseJsonObject(textOf(files.tokenizer, name), "tokenizer/json", name),
      options,
    );
  }
  if (files.vocab === undefined) {
    throw new InputError(
      "input/tokenizer",
      "The export has neither tokenizer.json nor vocab.txt; one of them is needed.",
    );
  }
  const name = "tokenizer_config.json";
  const config = files.tokenizerConfig === undefined
    ? {}
    : parseJsonObject(textOf(files.tokenizerConfig, name), "tokenizer/json", name);
  return tokenizerFromVocab(textOf(files.vocab, "vocab.txt"), config as VocabConfig, options);
}
