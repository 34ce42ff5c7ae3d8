/**
 * Our own engine as the benchmark opens it, and who is compared with whom.
 *
 * @module
 */
import { platform } from "../src/runtime/platform.ts";
import { defaultKernels, type ModelBundle, Ner } from "../mod.ts";
import { chooseKernels } from "../src/kernels/module.ts";
import { WasmBackend } from "../src/backend/wasm/wasm.ts";
import type { EncoderWeights } from "../src/model/weights.ts";

/** Arithmetic of an engine's matrix products. */
export type Precision = "int8" | "fp32";

/** What is compared: an engine at one precision. */
export interface Contender {
  /** `edge-ner 1t int8`, `ort-web 2t fp32`. */
  readonly name: string;
  readonly precision: Precision;
  readonly threads: number;
  readonly ours: boolean;
}

/** edge-ner with a number of threads. */
export interface Ours {
  /** `edge-ner 1t`. */
  readonly name: string;
  /** Which kernels run here. */
  readonly version: string;
  readonly threads: number;
  /** The encoder alone, for batches of up to `maxTokens` tokens. */
  encoder(weights: EncoderWeights, precision: Precision, maxTokens: number): Promise<WasmBackend>;
  /** The whole way from texts to entities. */
  recogniser(bundle: ModelBundle, precision: Precision): Promise<Ner>;
}

/** Numbers of threads that edge-ner is measured with. */
export const OUR_THREADS: readonly number[] = [1, 2];

/** edge-ner with so many threads; the one place that knows how it gets them. */
export async function openOurs(threads: number): Promise<Ours> {
  const shared = threads > 1, support = platform.threads;
  if (typeof support === "string") throw new Error(`no threads: ${support}`);
  const modules = await defaultKernels({ shared });
  const exact = await chooseKernels(modules), any = await chooseKernels(modules, { lanes: true });
  const { maySleep, start } = support;
  const threading = shared ? { threads, maySleep, start } : undefined;
  return {
    name: `edge-ner ${threads}t`,
    version: `${any.kind} kernels` +
      (any.kind === exact.kind ? "" : `, ${exact.kind} without a lane budget`),
    threads,
    encoder: (weights, precision, maxTokens) =>
      WasmBackend.create(weights.lanes ? any : exact, weights, { precision, maxTokens, threading }),
    recogniser: (bundle, precision) => Ner.fromBundle(bundle, { backend: precision, threads }),
  };
}

/**
 * What of ours a contender is compared with: the same precision and as many threads, or one thread where we
 * were not measured with as many.
 */
export function counterpart<T extends Contender>(all: readonly T[], of: Contender): T {
  const ours = all.filter((c) => c.ours && c.precision === of.precision);
  return ours.find(({ threads }) => threads === of.threads) ?? ours[0];
}
