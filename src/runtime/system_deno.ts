/**
 * What the package has in the place of `system.ts` in Deno: the same by Deno's own names, without any module of Node.
 *
 * @module
 */
import type * as system from "./system.ts";

/** By `Deno.stat`. */
export const kindOf: typeof system.kindOf = (path) => Deno.stat(path);

/** By `Deno.open`. */
export const openFile: typeof system.openFile = async (path) => {
  const file = await Deno.open(path);
  return { read: async (into) => await file.read(into) ?? 0, close: () => file.close() };
};

/** Node's way only where there is more to it than escapes: on Windows, and where a slash is escaped or a machine named. */
export const pathOf: typeof system.pathOf = async (url) =>
  Deno.build.os === "windows" || url.hostname !== "" || /%2f/i.test(url.pathname)
    ? (await import("node:url")).fileURLToPath(url)
    : decodeURIComponent(url.pathname);

/** As {@link system.cores}. */
export const cores: typeof system.cores = navigator.hardwareConcurrency;
