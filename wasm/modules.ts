/**
 * The kernels as module imports, for runtimes that compile WebAssembly only when a program is deployed
 * (workerd, and Vercel's edge runtime).
 *
 * These runtimes refuse `WebAssembly.compile` at run time, and have no `import.meta.url` to find a file
 * by; in exchange, importing a `.wasm` file gives a `WebAssembly.Module`. Everywhere else the same import
 * means something different or nothing (Deno instantiates it, Node needs a flag), so only
 * `platform_workerd.ts` may import this file. Deno's type check leaves it out for that reason; `tsc`
 * checks it, with `wasm.d.ts`.
 *
 * @module
 */
import relaxed from "./relaxed.wasm";
import pairs from "./pairs.wasm";
import baseline from "./baseline.wasm";

/** Compiled kernel modules, the fastest first. */
export const modules: readonly WebAssembly.Module[] = [relaxed, pairs, baseline];
