/**
 * Vercel's edge runtime, and Next's `runtime = "edge"`, which compile what is imported on the machine that builds: a
 * Node there that lacks relaxed SIMD (20) would refuse the whole program, so only the kernels of plain SIMD are imported here.
 * Who knows better imports `edge-ner/relaxed.wasm?module` and `edge-ner/pairs.wasm?module`, too, and hands over all.
 *
 * @module
 */
import baseline from "../../wasm/baseline.wasm";
import { filelessPlatform } from "./fileless.ts";
import type { Platform } from "./source.ts";

/** Vercel's edge runtime. */
export const platform: Platform = filelessPlatform([baseline]);
