/**
 * Compiles kernels/ with AssemblyScript, in memory: for `deno task build`, and for tests that want a kernel
 * with other constants.
 *
 * @module
 */
import asc from "assemblyscript/asc";
import { DOT, type FAMILY } from "../../src/kernels/contract.ts";

/**
 * The declared minimum of the imported memory, in pages of 64 KiB. The core probes a module in a memory of
 * one page, and gives it a larger one for a model. One page covers all constant offsets, which spares each
 * load the second of its two bounds checks in Deno (V8 has no trap handler there).
 */
const INITIAL_PAGES = 1;

/** The declared maximum: 2 GiB, since offsets are signed in the kernels. Memory that is shared must have one. */
const MAXIMUM_PAGES = 32768;

/**
 * Options of every build. -O2 and never -O3: Binaryen then chains the dots of unrolled steps and spills
 * (250 GOP/s fall to 205). The two passes after it rename locals and touch no instruction: fewer of them, the busiest
 * first, and unrolled code repeats itself, which is a seventh less in gzip. The memory is imported, so that the core owns it.
 */
const COMMON: readonly string[] = [
  "-O2",
  "--runPasses",
  "coalesce-locals-learning,reorder-locals",
  "--runtime",
  "stub",
  "--noAssert",
  "--importMemory",
  "--initialMemory",
  String(INITIAL_PAGES),
  "--maximumMemory",
  String(MAXIMUM_PAGES),
];

/** What is compiled, and how. */
export interface Build {
  /** Path from the repository's root. */
  readonly entry: string;
  /** WebAssembly features beyond the first version. */
  readonly features: string;
  /** The family of int8 kernels: what the sources import from kernels/family/ comes from kernels/FAMILY/. */
  readonly family?: keyof typeof FAMILY;
  /** What the relaxed dots are; see kernels/relaxed/dot.ts and kernels/pairs/dot.ts. */
  readonly dot?: keyof typeof DOT;
}

/** The families of int8 kernels: wasm/NAME.wasm by name. */
export const MODULES = {
  relaxed: {
    entry: "kernels/module.ts",
    features: "simd,relaxed-simd,threads",
    family: "relaxed",
    dot: "native",
  },
  pairs: {
    entry: "kernels/module.ts",
    features: "simd,relaxed-simd,threads",
    family: "pairs",
    dot: "native",
  },
  baseline: { entry: "kernels/module.ts", features: "simd,threads", family: "baseline" },
} as const satisfies Record<string, Build>;

/** The module of training, wasm/train.wasm: float32 alone, so it has one family. */
export const TRAINING: Build = { entry: "kernels/train/module.ts", features: "simd,threads" };

const root = new URL("../../", import.meta.url);

/** Runs the compiler; returns what it writes, by file name's extension. */
async function compile(
  { entry, features, family, dot }: Build,
  options: readonly string[] = [],
): Promise<Map<string, Uint8Array>> {
  const constants = dot ? ["--use", `DOT=${DOT[dot]}`] : [];
  const written = new Map<string, Uint8Array>();
  const problems: string[] = [];
  const { error } = await asc.main(
    [entry, "--outFile", "out.wasm", ...COMMON, "--enable", features, ...constants, ...options],
    {
      readFile: async (file: string): Promise<string | null> => {
        try {
          const path = file.replace(/^kernels\/family\//, `kernels/${family}/`);
          return await Deno.readTextFile(new URL(path, root));
        } catch {
          return null;
        }
      },
      writeFile: (file: string, content: Uint8Array | string): void => {
        const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
        written.set(file.slice(file.indexOf(".") + 1), bytes);
      },
      listFiles: () => [],
      stderr: { write: (text: string | Uint8Array): void => void problems.push(String(text)) },
    },
  );
  if (error !== null) {
    throw new Error(`${entry} does not compile:\n${problems.join("")}${error ?? ""}`);
  }
  if (problems.length > 0) console.warn(problems.join(""));
  return written;
}

/**
 * Compiles a module.
 *
 * @throws Error with the compiler's messages.
 */
export async function compileKernel(build: Build): Promise<Uint8Array<ArrayBuffer>> {
  return Uint8Array.from((await compile(build)).get("wasm")!);
}

/** The functions that a module exports, as methods of a TypeScript interface, by name. */
export async function exportsOf(build: Build): Promise<ReadonlyMap<string, string>> {
  const declarations = (await compile(build, ["--bindings", "raw"])).get("d.ts");
  const methods = new TextDecoder().decode(declarations)
    .matchAll(/^\s*export function ((\w+)\(.*);$/gm);
  return new Map([...methods].map(([, method, name]) => [name, method]));
}
