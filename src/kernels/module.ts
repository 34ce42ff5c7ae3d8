/**
 * Kernel modules: what they export, and which of several may run on this engine.
 *
 * The core takes compiled modules, because some runtimes allow no compilation. A module is used only if it
 * has the ABI that this code was written for and passes its own known-answer probe: an engine may accept
 * relaxed SIMD and still compute another dot product than the kernels need.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import { ABI, FAMILY, PROBE } from "./contract.ts";
import type { Kernels } from "./exports.ts";
import { FIRST_FREE, makeMemory } from "./memory.ts";

/** A family of int8 kernels. */
export type Family = keyof typeof FAMILY;

/** Exports that need no memory: what a model's parts take. */
export type Sizes = Pick<
  Kernels,
  "attention_f32_scratch" | "attention_int8_scratch" | "crf_bytes" | "int8_activation_bytes"
>;

/** A module that passed its probe. */
export interface ChosenKernels {
  readonly module: WebAssembly.Module;
  readonly kind: Family;
  /** Whether the engine's relaxed dot reads activations as signed bytes. */
  readonly signed: boolean;
  /** Told before there is a memory to instantiate the module over. */
  readonly sizes: Sizes;
  /** Whether the module imports shared memory, so that several threads can run it. */
  readonly shared: boolean;
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

/** A module over a memory of two pages: its own, and one for what it is asked of bytes. */
export interface Alone {
  readonly kernels: Kernels;
  readonly memory: WebAssembly.Memory;
  /** Whether the memory is shared, because that is what the module imports. */
  readonly shared: boolean;
}

/** Those that were made, so that a module is instantiated once to be chosen, however many models it loads. */
const made = new WeakMap<WebAssembly.Module, Alone>();

/** Instantiates a module over a memory of its own. */
export async function instantiateAlone(module: WebAssembly.Module): Promise<Alone> {
  const known = made.get(module);
  if (known !== undefined) return known;
  const make = async (shared: boolean): Promise<Alone> => {
    const memory = makeMemory(2, shared), kernels = await instantiateKernels(module, memory);
    return { kernels, memory, shared };
  };
  const alone = await make(false).catch((error) =>
    make(true).catch(() => {
      throw error;
    })
  );
  made.set(module, alone);
  return alone;
}

/** Whether a value is a compiled module, of whatever realm: by what only a module can be asked. */
function isModule(value: unknown): boolean {
  try {
    return Array.isArray(WebAssembly.Module.exports(value as WebAssembly.Module));
  } catch {
    return false;
  }
}

function familyOf(kernels: Kernels): Family {
  const code = kernels.family();
  return (Object.keys(FAMILY) as Family[]).find((family) => FAMILY[family] === code)!;
}

/**
 * The first module that may run here, for a model whose weights keep a lane budget or not. Throws a {@link RuntimeError}: `runtime/kernels` if there is none, or
 * if a module is of another version than this code.
 */
export async function chooseKernels(
  modules: readonly WebAssembly.Module[],
  { lanes = false }: { readonly lanes?: boolean } = {},
): Promise<ChosenKernels> {
  const refused: string[] = [];
  for (const module of modules) {
    if (!isModule(module)) {
      throw new RuntimeError(
        "runtime/kernels",
        "kernels must be compiled WebAssembly.Module objects: compile wasm/relaxed.wasm, " +
          "wasm/pairs.wasm and wasm/baseline.wasm, or import them where the runtime does so.",
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
    const kind = familyOf(kernels);
    const verdict = kernels.probe(FIRST_FREE - 64);
    const exact = verdict === PROBE.unsigned || verdict === PROBE.signed;
    if (!exact && verdict !== PROBE.pairs) {
      refused.push(`this engine's dot product fails the ${kind} module's known answers`);
      continue;
    }
    if (!exact && !lanes) {
      refused.push(`the ${kind} module is exact only for weights that keep a lane budget`);
      continue;
    }
    return {
      module,
      kind,
      signed: verdict === PROBE.signed,
      sizes: kernels,
      shared,
    };
  }
  throw new RuntimeError(
    "runtime/kernels",
    modules.length === 0
      ? "no kernel module was given: pass { kernels: [relaxed, pairs, baseline] }, compiled from wasm/."
      : `none of ${modules.length} kernel modules can run here: ${refused.join("; ")}. ` +
        "Give the baseline module too.",
  );
}
