/**
 * Compiles kernels/ with AssemblyScript, in memory: for `deno task build`, and for tests that want a kernel
 * with other constants.
 *
 * @module
 */
import asc from "assemblyscript/asc";

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
 * (250 GOP/s fall to 205). The memory is imported, so that the core owns it. `DOT=0` is the engine's own
 * dot; see kernels/dot.ts.
 */
const COMMON: readonly string[] = [
  "-O2",
  "--runtime",
  "stub",
  "--noAssert",
  "--importMemory",
  "--initialMemory",
  String(INITIAL_PAGES),
  "--maximumMemory",
  String(MAXIMUM_PAGES),
];

/** What is built, by name: kernels/NAME.ts -> wasm/NAME.wasm. */
export const MODULES: Readonly<Record<string, readonly string[]>> = {
  relaxed: [
    ...COMMON,
    "--enable",
    "simd,relaxed-simd,threads",
    "--use",
    "DOT=0",
    "--use",
    "RELAXED=1",
  ],
  baseline: [...COMMON, "--enable", "simd,threads", "--use", "DOT=0", "--use", "RELAXED=0"],
};

const root = new URL("../../", import.meta.url);

/** Runs the compiler; returns what it writes, by file name's extension. */
async function compile(name: string, flags: readonly string[]): Promise<Map<string, Uint8Array>> {
  const written = new Map<string, Uint8Array>();
  const problems: string[] = [];
  const { error } = await asc.main(
    [`kernels/${name}.ts`, "--outFile", "out.wasm", ...flags],
    {
      readFile: async (file: string): Promise<string | null> => {
        try {
          return await Deno.readTextFile(new URL(file, root));
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
    throw new Error(`kernels/${name}.ts does not compile:\n${problems.join("")}${error ?? ""}`);
  }
  if (problems.length > 0) console.warn(problems.join(""));
  return written;
}

/**
 * Compiles kernels/`name`.ts with `flags`, those of the shipped module by default.
 *
 * @throws Error with the compiler's messages.
 */
export async function compileKernel(
  name: string,
  flags: readonly string[] = MODULES[name],
): Promise<Uint8Array<ArrayBuffer>> {
  return Uint8Array.from((await compile(name, flags)).get("wasm")!);
}

/** The functions that a shipped module exports, as methods of a TypeScript interface, by name. */
export async function exportsOf(name: string): Promise<ReadonlyMap<string, string>> {
  const declarations = (await compile(name, [...MODULES[name], "--bindings", "raw"])).get("d.ts");
  const methods = new TextDecoder().decode(declarations)
    .matchAll(/^\s*export function ((\w+)\(.*);$/gm);
  return new Map([...methods].map(([, method, name]) => [name, method]));
}
