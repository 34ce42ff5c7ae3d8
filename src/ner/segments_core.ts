/**
 * What `edge-ner/core` has in the place of `segments.ts`: refusals, for the tables of characters weigh more than the encoder.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import type * as segments from "./segments.ts";

function refuse(what: string): never {
  throw new RuntimeError(
    "runtime/unsupported",
    `edge-ner/core does not cut texts into ${what}. The entry edge-ner does.`,
  );
}

/** Refused. */
export const sentencesOf: typeof segments.sentencesOf = () => refuse("sentences");

/** Refused. */
export const wordBreaks: typeof segments.wordBreaks = () => refuse("words");
