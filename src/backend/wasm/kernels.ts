/**
 * Kernel modules: what they export, and which of several may run on this engine.
 *
 * The core takes compiled modules, because some runtimes allow no compilation. A module is used only if it
 * has the ABI that this code was written for and passes its own known-answer probe: an engine may accept
 * relaxed SIMD and still compute another dot product than the kernels need.
 *
 * @module
 */
import { RuntimeError } from "../../errors.ts";

/** Version of the kernels' arguments and layouts (kernels/common.ts). */
const ABI = 2;

/** Exports of a kernel module; documented beside each kernel. Pointers and sizes are bytes. */
export interface Kernels {
  abi(): number;
  is_relaxed(): number;
  heap_base(): number;
  probe(scratch: number): number;
  int8_activation_bytes(): number;
  int8_set_signed(signed: number): void;
  int8_pack_panel(source: number, k: number, target: number, columns: number): void;
  // deno-fmt-ignore
  int8_quantize(x: number, ldx: number, m: number, k: number, a: number, rows: number, activation: number, i0: number, i1: number): void;
  // deno-fmt-ignore
  int8_gemm(m: number, k: number, a: number, rows: number, w: number, columns: number, c: number, ldc: number, p0: number, p1: number, i0: number, i1: number): void;
  f32_pack_panel(source: number, k: number, target: number): void;
  // deno-fmt-ignore
  f32_gemm(m: number, k: number, a: number, lda: number, w: number, bias: number, c: number, ldc: number, p0: number, p1: number): void;
  activate(x: number, n: number, activation: number, r0: number, r1: number): void;
  attention_scratch(s: number, d: number): number;
  // deno-fmt-ignore
  attention_f32(query: number, key: number, value: number, ld: number, s: number, d: number, scale: number, context: number, ldc: number, scratch: number): void;
  attention_int8_scratch(s: number, d: number): number;
  // deno-fmt-ignore
  attention_int8(query: number, key: number, value: number, ld: number, s: number, d: number, scale: number, context: number, ldc: number, scratch: number): void;
  // deno-fmt-ignore
  add_norm(x: number, y: number, n: number, gamma: number, beta: number, epsilon: number, r0: number, r1: number): void;
  // deno-fmt-ignore
  embed_int8(x: number, n: number, ids: number, positions: number, words: number, scales: number, positionTable: number, gamma: number, beta: number, epsilon: number, r0: number, r1: number): void;
  // deno-fmt-ignore
  embed_int4(x: number, n: number, ids: number, positions: number, words: number, scales: number, positionTable: number, gamma: number, beta: number, epsilon: number, r0: number, r1: number): void;
  // deno-fmt-ignore
  embed_f32(x: number, n: number, ids: number, positions: number, words: number, positionTable: number, gamma: number, beta: number, epsilon: number, r0: number, r1: number): void;
  crf_bytes(labels: number): number;
  crf_prepare(crf: number, labels: number): void;
  crf_exp(x: number): number;
  // deno-fmt-ignore
  crf_viterbi(emissions: number, t: number, labels: number, crf: number, state: number, back: number, first: number): void;
  // deno-fmt-ignore
  crf_forward(emissions: number, t: number, labels: number, crf: number, alpha: number, scratch: number, first: number): void;
  // deno-fmt-ignore
  crf_backward(emissions: number, t: number, labels: number, crf: number, beta: number, state: number, scratch: number, last: number): void;
  crf_partition(alpha: number, labels: number, crf: number): number;
  run(control: number, program: number, count: number): void;
  work(control: number, program: number, thread: number): void;
  stop(control: number): void;
}

/** A module that passed its probe. */
export interface ChosenKernels {
  readonly module: WebAssembly.Module;
  readonly kind: "relaxed" | "baseline";
  /** Whether the engine's relaxed dot reads activations as signed bytes. */
  readonly signed: boolean;
  /** Bytes of one packed activation. */
  readonly activationBytes: number;
  /** Whether the module imports shared memory, so that several threads can run it. */
  readonly shared: boolean;
}

const PAGE = 65536;

/** Memory below this belongs to the module's own constants. */
export const FIRST_FREE = PAGE;

/** Memory of a fixed size for a kernel module, shared or not as the module imports it. */
export function makeMemory(pages: number, shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
  } catch (error) {
    throw new RuntimeError(
      "runtime/memory",
      `the runtime refused ${pages * PAGE} bytes of linear memory: ${(error as Error).message}`,
    );
  }
}

/** Instantiates a kernel module over `memory`. */
export async function instantiateKernels(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): Promise<Kernels> {
  const imports = { env: { memory } };
  // Given a module (not bytes), instantiate resolves to an instance.
  const instance = await WebAssembly.instantiate(
    module,
    imports,
  ) as unknown as WebAssembly.Instance;
  return instance.exports as unknown as Kernels;
}

/** Instantiates a module over a page of memory of its own, shared if that is what it imports. */
async function instantiateAlone(
  module: WebAssembly.Module,
): Promise<{ kernels: Kernels; shared: boolean }> {
  try {
    return { kernels: await instantiateKernels(module, makeMemory(1, false)), shared: false };
  } catch (error) {
    try {
      return { kernels: await instantiateKernels(module, makeMemory(1, true)), shared: true };
    } catch {
      throw error;
    }
  }
}

/**
 * The first module that may run here. Throws a {@link RuntimeError}: `runtime/kernels` if there is none, or
 * if a module is of another version than this code.
 */
export async function chooseKernels(
  modules: readonly WebAssembly.Module[],
): Promise<ChosenKernels> {
  const refused: string[] = [];
  for (const module of modules) {
    if (!(module instanceof WebAssembly.Module)) {
      throw new RuntimeError(
        "runtime/kernels",
        "kernels must be compiled WebAssembly.Module objects: compile wasm/relaxed.wasm and " +
          "wasm/baseline.wasm, or import them where the runtime does so.",
      );
    }
    let kernels: Kernels, shared: boolean;
    try {
      ({ kernels, shared } = await instantiateAlone(module));
    } catch (error) {
      refused.push(`one could not be instantiated (${(error as Error).message})`);
      continue;
    }
    const abi = kernels.abi?.();
    if (abi !== ABI || kernels.heap_base() > FIRST_FREE - 64) {
      throw new RuntimeError(
        "runtime/kernels",
        `a kernel module has ABI ${abi ?? "none"}, this library needs ${ABI}: ` +
          "the .wasm files and the library must come from one release.",
      );
    }
    const kind = kernels.is_relaxed() ? "relaxed" : "baseline";
    const verdict = kernels.probe(FIRST_FREE - 64);
    if (verdict === 0) {
      refused.push(`this engine's dot product fails the ${kind} module's known answers`);
      continue;
    }
    return {
      module,
      kind,
      signed: verdict === 2,
      activationBytes: kernels.int8_activation_bytes(),
      shared,
    };
  }
  throw new RuntimeError(
    "runtime/kernels",
    modules.length === 0
      ? "no kernel module was given: pass { kernels: [relaxed, baseline] }, compiled from wasm/."
      : `none of ${modules.length} kernel modules can run here: ${refused.join("; ")}. ` +
        "Give the baseline module too.",
  );
}

/** Pages for `bytes` of memory. */
export function pagesFor(bytes: number): number {
  return Math.ceil(bytes / PAGE);
}
