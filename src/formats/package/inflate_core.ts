/**
 * What `edge-ner/core` has in the place of `inflate.ts`: a refusal. Pieces of WordPiece are tensors of a package, and what is
 * left of their tokenizer is short; only packages of before that have it deflated.
 *
 * @module
 */
import { RuntimeError } from "../../errors.ts";
import type * as inflate from "./inflate.ts";

/** Refused. */
export const inflateText: typeof inflate.inflateText = () => {
  throw new RuntimeError(
    "runtime/unsupported",
    "edge-ner/core does not unpack deflated tokenizers. The entry edge-ner does; or pack the model again " +
      "(edge-ner convert), which leaves no vocabulary of WordPiece deflated.",
  );
};
