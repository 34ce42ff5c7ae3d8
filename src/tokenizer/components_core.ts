/**
 * The components that `edge-ner/core` has in the place of `components.ts`: none. A tokenizer that asks for one is refused
 * with the name of the entry that has it.
 *
 * @module
 */
import { TokenizerError } from "../errors.ts";
import type * as components from "./components.ts";

function refuse(where: string, what: string): never {
  throw new TokenizerError(
    "tokenizer/unsupported",
    `${where}: ${what} is not part of edge-ner/core, which has WordPiece and BERT's normalizer and pre-tokenizers. ` +
      "The entry edge-ner has it.",
  );
}

/** Refused. */
export const readBpe: typeof components.readBpe = () => refuse("model", "BPE");

/** Refused. */
export const readUnigram: typeof components.readUnigram = () => refuse("model", "Unigram");

/** Refused. */
export const compileCharsmap: typeof components.compileCharsmap = (_, where) =>
  refuse(where, "a table of characters");

/** Refused. */
export const compileReplace: typeof components.compileReplace = (_, where) =>
  refuse(where, "Replace");

/** Refused. */
export const compileCompatible: typeof components.compileCompatible = (form, where) =>
  refuse(where, form);

/** Refused. */
export const compileStrip: typeof components.compileStrip = (_, where) => refuse(where, "Strip");

/** Refused. */
export const compilePrepend: typeof components.compilePrepend = (_, where) =>
  refuse(where, "Prepend");

/** Refused. */
export const compileCut: typeof components.compileCut = (type, _, where) =>
  refuse(where, `the pre-tokenizer ${type.slice(0, 40)}`);

/** A piece of bytes is met only behind a pre-tokenizer that is refused. */
export const spellingOf: typeof components.spellingOf = () => undefined;
