/**
 * A trained vocabulary as the files that tokenizers are loaded from.
 *
 * @module
 */
import { tokenizerConfigOf } from "../../formats/hf/write_config.ts";
import type { Tokenizer } from "../../tokenizer/types.ts";

/** Positions that BERT has; of a tokenizer alone, nobody knows better. */
const POSITIONS = 512;

/**
 * `tokenizer.json`, the `tokenizer_config.json` that points to it, and `vocab.txt`, a piece a line, for programs
 * that take no other. What normalizes texts stands in `tokenizer.json` alone.
 */
export function writeVocabulary(tokenizer: Tokenizer): Map<string, Uint8Array> {
  const encoder = new TextEncoder();
  const json = (value: unknown): Uint8Array =>
    encoder.encode(JSON.stringify(value, undefined, 2) + "\n");
  const pieces = Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenizer.idToToken(id)!);
  return new Map([
    ["tokenizer.json", json(tokenizer.toJSON())],
    [
      "tokenizer_config.json",
      json(tokenizerConfigOf({ maxPositions: POSITIONS, typeVocabSize: 2 }, tokenizer)),
    ],
    ["vocab.txt", encoder.encode(pieces.map((piece) => piece + "\n").join(""))],
  ]);
}
