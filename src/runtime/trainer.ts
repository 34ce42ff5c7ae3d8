/**
 * Trainers as users import them: with the training module and the threads that the runtime has.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import { createTrainer as create, type TrainModule } from "../train/trainer.ts";
import type { TrainableModel, Trainer, TrainerOptions } from "../train/types.ts";
import { trainBase64 } from "../../wasm/embedded_train.ts";
import { compileKernels, decodeBase64 } from "./kernels.ts";
import { threadsOf } from "./threading.ts";
import { importSharedMemory } from "./threads.ts";

/** Options of {@link createTrainer}. */
export interface CreateOptions extends TrainerOptions {
  /**
   * Threads that a step may use, the calling one included: an integer from 1 to 64; default: one for each core, up to
   * four. Parameters do not depend on it, bit for bit.
   */
  readonly threads?: number;
}

const compiled: { [kind in "alone" | "shared"]?: Promise<WebAssembly.Module> } = {};

/** The embedded training module, compiled once, on first use. */
async function trainModule(kind: "alone" | "shared"): Promise<TrainModule> {
  const bytes = decodeBase64(trainBase64);
  const module = compiled[kind] ??= compileKernels([
    kind === "shared" ? importSharedMemory(bytes) : bytes,
  ]).then(([first]) => first);
  // A failure is not remembered: a later call tries again and reports its own error.
  module.catch(() => delete compiled[kind]);
  return { module: await module, shared: kind === "shared" };
}

/**
 * Makes a trainer of a copy of a model whose weights are float32.
 *
 * @throws {ModelError} `model/weights` for other weights
 * @throws {InputError} `input/option` for an option out of range
 * @throws {RuntimeError} `runtime/memory` if the memory is not to be had; `runtime/no-wasm`, `runtime/no-simd` or
 * `runtime/wasm-blocked` if kernels cannot be compiled here
 */
export async function createTrainer(
  model: TrainableModel,
  options: CreateOptions,
): Promise<Trainer> {
  const threading = threadsOf(options.threads);
  if (typeof threading === "string" && options.threads !== undefined) {
    throw new RuntimeError(
      "runtime/unsupported",
      `threads is ${options.threads}, but ${threading}.`,
    );
  }
  const threads = typeof threading === "object" ? threading : undefined;
  return await create(await trainModule(threads ? "shared" : "alone"), model, options, threads);
}
