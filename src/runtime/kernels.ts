/**
 * Compiles the embedded kernels, for every runtime that lets a program compile WebAssembly.
 *
 * The kernels are a few kilobytes, so they travel inside the JavaScript as base64 instead of beside it as
 * files. That costs a third more bytes and about 0.1 ms of decoding; it buys that no bundler has an asset
 * to find, no permission is needed (`deno run` without flags recognises entities in a model handed over as
 * bytes), no request is made, and `import.meta.url`, which bundlers and dev servers rewrite, is not used.
 *
 * Where it is weak: a page's Content-Security-Policy must contain `'wasm-unsafe-eval'`, as for any
 * WebAssembly.
 *
 * @module
 */
import { RuntimeError } from "../errors.ts";
import { importSharedMemory } from "./threads.ts";
import { baselineBase64, pairsBase64, relaxedBase64 } from "../../wasm/embedded.ts";

/** Bytes of a base64 text; by the engine's own decoder where it has one (since 2025). */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  const { fromBase64 } = Uint8Array as unknown as {
    fromBase64?: (text: string) => Uint8Array<ArrayBuffer>;
  };
  if (fromBase64 !== undefined) return fromBase64.call(Uint8Array, text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/**
 * Compiles those of `sources` that this engine accepts, in the given order.
 *
 * An engine without relaxed SIMD (Node 20, Safari before 26) fails to compile that module; it is left out
 * without a word, because the next one gives the same numbers. Whether a module that compiles also
 * *computes* rightly is not decided here but by the core's known-answer probe.
 *
 * @throws RuntimeError `runtime/no-wasm`, `runtime/no-simd` or `runtime/wasm-blocked` when nothing is left.
 */
export async function compileKernels(
  sources: readonly Uint8Array<ArrayBuffer>[],
): Promise<WebAssembly.Module[]> {
  if (typeof WebAssembly === "undefined") {
    throw new RuntimeError(
      "runtime/no-wasm",
      "This runtime has no WebAssembly, which the kernels need.",
    );
  }
  let cause: unknown;
  let valid = 0;
  const compiled = await Promise.all(sources.map(async (bytes) => {
    try {
      return await WebAssembly.compile(bytes);
    } catch (error) {
      // An engine that lacks an instruction, or one that forbids compiling what it knows.
      if (!WebAssembly.validate(bytes)) return undefined;
      valid++;
      cause = error;
    }
  }));
  const modules = compiled.filter((module) => module !== undefined);
  if (modules.length > 0) return modules;
  if (valid === 0) {
    throw new RuntimeError(
      "runtime/no-simd",
      "This engine does not know WebAssembly SIMD (2021), which every kernel needs: " +
        "Chrome 91, Firefox 89, Safari 16.4, Node 16.4 or later have it.",
    );
  }
  throw new RuntimeError(
    "runtime/wasm-blocked",
    "This runtime knows the kernels' instructions but forbids compiling WebAssembly from bytes. " +
      "In a page, add 'wasm-unsafe-eval' to the Content-Security-Policy's script-src; on an edge platform, " +
      'import the .wasm files as modules and pass them as "kernels".',
    { cause },
  );
}

const embedded: { [kind in "alone" | "shared"]?: Promise<readonly WebAssembly.Module[]> } = {};

/**
 * The embedded kernels, the fastest first, with memory of their own or shared between threads; each compiled
 * once, on first use.
 */
export function embeddedKernels(
  kind: "alone" | "shared" = "alone",
): Promise<readonly WebAssembly.Module[]> {
  let modules = embedded[kind];
  if (modules === undefined) {
    const sources = [relaxedBase64, pairsBase64, baselineBase64].map(decodeBase64);
    modules = compileKernels(kind === "alone" ? sources : sources.map(importSharedMemory));
    embedded[kind] = modules;
    // A failure is not remembered: a later call tries again and reports its own error.
    modules.catch(() => delete embedded[kind]);
  }
  return modules;
}
