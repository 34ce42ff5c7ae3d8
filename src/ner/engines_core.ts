/**
 * What `edge-ner/core` has in the place of `engines.ts`: nothing but packed int8 weights, and float32 ones as they are.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import { isQuantized } from "../model/linears.ts";
import type * as engines from "./engines.ts";

function refuse(what: string): never {
  throw new RuntimeError(
    "runtime/unsupported",
    `edge-ner/core ${what}. The entry edge-ner does; or pack the model in int8 (edge-ner convert).`,
  );
}

/** Weights that are int8 already; others are refused. */
export const quantized: typeof engines.quantized = (weights) =>
  isQuantized(weights) ? weights : refuse("does not quantize float32 weights");

/** Refused. */
export const referenceBackend: typeof engines.referenceBackend = () =>
  refuse("does not have the reference backend");

/** Refused. */
export const adapt: typeof engines.adapt = () => refuse("does not take adapters");
