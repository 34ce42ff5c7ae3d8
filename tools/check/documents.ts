/**
 * Whether the files that Markdown documents name are there: links, and paths from the root as `src/errors.ts`.
 *
 * @module
 */

const PATH =
  /(?<![\w./-])(?:src|kernels|wasm|test|tools|bench|fuzz|docs|examples|models)\/[\w./*-]*(?:\.\w+|\/)/g;
const LINK = /\]\(([^)#\s]+)[^)]*\)/g;

/** A path in which `*` stands for part of a name. */
function pattern(path: string): RegExp {
  const escaped = path.split("*").map((part) => part.replace(/[.+]/g, "\\$&"));
  return new RegExp(`^${escaped.join("[^/]*")}(/|$)`);
}

/** What a document names that is not among `paths` (files, from the root); `path` is the document's own. */
export function missing(path: string, text: string, paths: readonly string[]): string[] {
  const here = new URL(path, "file:///");
  const linked = [...text.matchAll(LINK)].map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => decodeURI(new URL(target, here).pathname).replace(/^\/|\/$/g, ""));
  const named = [...text.matchAll(PATH)].map(([name]) => name.replace(/\/$/, ""));
  return [...new Set([...linked, ...named])]
    .filter((name) => !paths.some((each) => pattern(name).test(each)))
    .map((name) => `${path} names ${name}, which is not there.`);
}
