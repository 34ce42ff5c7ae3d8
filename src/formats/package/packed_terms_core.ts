/**
 * What `edge-ner/core` has in the place of `packed_terms.ts`: a package with terms is refused with the name of the entry that
 * reads them. Lexicons, which its encoder was trained with, are no terms, and are read.
 *
 * @module
 */
import { RuntimeError } from "../../errors.ts";
import type * as packed from "./packed_terms.ts";

/** None; any are refused. */
export const takeTerms: typeof packed.takeTerms = ({ metadata }) => {
  if (!metadata.has("terms")) return undefined;
  throw new RuntimeError(
    "runtime/unsupported",
    "edge-ner/core does not take models with terms. The entry edge-ner does.",
  );
};
