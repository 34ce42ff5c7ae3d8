/**
 * What `edge-ner/core` has in the place of `evidence.ts`: a package with lexicons or terms is refused with the name of the
 * entry that reads them.
 *
 * @module
 */
import { RuntimeError } from "../../errors.ts";
import type * as evidence from "./evidence.ts";

/** None; any are refused. */
export const takeEvidence: typeof evidence.takeEvidence = ({ metadata }, { features }) => {
  if (features !== undefined || metadata.has("lexicons") || metadata.has("terms")) {
    throw new RuntimeError(
      "runtime/unsupported",
      "edge-ner/core does not take models with lexicons or terms. The entry edge-ner does.",
    );
  }
  return {};
};
