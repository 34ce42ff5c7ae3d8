/**
 * workerd (Cloudflare Workers).
 *
 * @module
 */
import { modules } from "../../wasm/modules.ts";
import { filelessPlatform } from "./fileless.ts";
import type { Platform } from "./source.ts";

/** workerd. */
export const platform: Platform = filelessPlatform(modules);
