/**
 * What models are made to run with besides packed weights and kernels: quantizing float32 weights, the reference
 * backend, adapters.
 *
 * The build of `edge-ner/core` exchanges this file for `engines_core.ts` (`tools/build/platform.ts`).
 *
 * @module
 */
import type { Backend } from "../backend/backend.ts";
import { ReferenceBackend } from "../backend/reference/reference.ts";
import type { EncoderWeights } from "../model/weights.ts";
import { quantizeEncoder } from "../quantize/encoder.ts";

export { adapt } from "./adapt.ts";

/** Weights whose matrices are int8, quantized where they are not. */
export function quantized(weights: EncoderWeights): EncoderWeights {
  return quantizeEncoder(weights).weights;
}

/** The backend in plain TypeScript. */
export function referenceBackend(weights: EncoderWeights, maxTokens: number): Backend {
  return new ReferenceBackend(weights, maxTokens);
}
