/**
 * What `edge-ner/core` has in the place of `placed_adapter.ts`: nothing, as none gets here (`src/ner/engines_core.ts`).
 *
 * @module
 */
import { RuntimeError } from "../../errors.ts";
import type * as placed from "./placed_adapter.ts";

/** Refused. */
export const placeAdapter: typeof placed.placeAdapter = () => {
  throw new RuntimeError("runtime/unsupported", "edge-ner/core does not take adapters.");
};
