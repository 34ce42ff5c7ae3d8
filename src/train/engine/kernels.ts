/**
 * The training module, and the check that it belongs to this code.
 *
 * It is a module of its own, so that a program that only recognises does not carry it. All of it is float32,
 * multiply and add, on standard 128-bit SIMD: there is nothing to choose between and nothing to probe.
 *
 * @module
 */
import { RuntimeError } from "../../errors.ts";
import { FIRST_FREE } from "../../kernels/memory.ts";
import { TRAIN_ABI } from "./contract.ts";
import type { TrainKernels } from "./exports.ts";

/** Instantiates the training module over `memory`. Throws a {@link RuntimeError} (`runtime/kernels`) if it is another. */
export async function instantiateTrainKernels(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): Promise<TrainKernels> {
  // Given a module (not bytes), instantiate resolves to an instance.
  const { exports } = await WebAssembly.instantiate(
    module,
    { env: { memory } },
  ) as unknown as WebAssembly.Instance;
  const kernels = exports as unknown as TrainKernels, abi = kernels.abi?.();
  if (
    abi !== TRAIN_ABI || kernels.attention_train_scratch === undefined ||
    kernels.heap_base() > FIRST_FREE
  ) {
    throw new RuntimeError(
      "runtime/kernels",
      `the training module has ABI ${
        abi ?? "none"
      }, this library needs ${TRAIN_ABI}: wasm/train.wasm and the ` +
        "library must come from one release.",
    );
  }
  return kernels;
}
