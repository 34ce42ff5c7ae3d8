/**
 * What `edge-ner/core` has in the place of `segments.ts`: a refusal, for the tables of characters weigh more than the encoder.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import type * as segments from "./segments.ts";

/** Refused. */
export const wordBreaks: typeof segments.wordBreaks = () => {
  throw new RuntimeError(
    "runtime/unsupported",
    "edge-ner/core does not cut texts into words. The entry edge-ner does.",
  );
};
