/**
 * Serves the browser example, `deno task serve [port]`, or writes it as files for a host of static files,
 * `deno task serve --write FOLDER`.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { MODELS } from "../../models/registry.ts";
import { platformOf } from "./platform.ts";

const root = new URL("../../", import.meta.url);

/** A page's content by path, for a server. */
export type Pages = Readonly<
  Record<string, { type: string; body: string | Uint8Array<ArrayBuffer>; headers?: HeadersInit }>
>;

/**
 * Bundles programs for browsers, from the sources, and returns the JavaScript of each, and of what is only loaded when it is asked
 * for, by file name. What is `external` they import, or go without.
 */
export async function bundlesForBrowser(
  entries: readonly string[],
  external: readonly string[] = [],
): Promise<ReadonlyMap<string, string>> {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: decodeURIComponent(root.pathname),
    entryPoints: [...entries],
    entryNames: "[name]",
    outdir: "out",
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    platform: "browser",
    plugins: [platformOf("browser")],
    external: [...external],
    write: false,
    logLevel: "warning",
  });
  await esbuild.stop();
  return new Map(
    outputFiles.map(({ path, text }) => [path.slice(path.lastIndexOf("/") + 1), text]),
  );
}

/** What a page needs to have threads. */
const ISOLATION = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

/** Everything that the example consists of. */
export async function examplePages(): Promise<Pages> {
  const file = (path: string): Promise<Uint8Array<ArrayBuffer>> =>
    Deno.readFile(new URL(path, root));
  const html = async (name: string) => ({
    type: "text/html; charset=utf-8",
    body: await file(`examples/browser/${name}`),
    headers: ISOLATION,
  });
  const scripts = await bundlesForBrowser([
    "examples/browser/main.ts",
    "examples/browser/bench.ts",
  ]);
  return {
    "/": await html("index.html"),
    "/bench.html": await html("bench.html"),
    "/style.css": {
      type: "text/css; charset=utf-8",
      body: await file("examples/browser/style.css"),
    },
    ...Object.fromEntries(
      Array.from(scripts, ([name, body]) => [
        `/${name}`,
        { type: "text/javascript; charset=utf-8", body },
      ]),
    ),
    "/models.json": { type: "application/json", body: JSON.stringify(MODELS) },
    ...Object.fromEntries(
      await Promise.all(MODELS.map(async ({ file: weights }) => [
        `/models/${weights}`,
        { type: "application/octet-stream", body: await file(`models/${weights}`) },
      ])),
    ),
  };
}

/** Writes the pages as files for any host; `_headers` is for those that read one (Netlify, Cloudflare Pages). */
async function writePages(folder: string): Promise<void> {
  const path = (name: string): string => `${folder}/${name === "/" ? "index.html" : name.slice(1)}`;
  for (const [name, { body }] of Object.entries(await examplePages())) {
    const file = path(name);
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    await Deno.writeFile(file, typeof body === "string" ? new TextEncoder().encode(body) : body);
  }
  const headers = Object.entries(ISOLATION).map(([name, value]) => `  ${name}: ${value}\n`);
  await Deno.writeTextFile(`${folder}/_headers`, `/*\n${headers.join("")}`);
}

if (import.meta.main) {
  const [first, folder] = Deno.args;
  if (first === "--write" && folder !== undefined) {
    await writePages(folder);
  } else {
    const pages = await examplePages();
    Deno.serve({ hostname: "127.0.0.1", port: Number(first ?? 8080) }, (request) => {
      const page = pages[new URL(request.url).pathname];
      if (page === undefined) return new Response("Not found", { status: 404 });
      return new Response(page.body, { headers: { ...page.headers, "content-type": page.type } });
    });
  }
}
