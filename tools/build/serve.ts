/**
 * Serves the browser example: `deno task serve [port]`.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { platformOf } from "./platform.ts";

const root = new URL("../../", import.meta.url);

/** A page's content by path, for a server. */
export type Pages = Readonly<
  Record<string, { type: string; body: string | Uint8Array<ArrayBuffer>; headers?: HeadersInit }>
>;

/** Bundles a program for browsers, from the sources, and returns its JavaScript. */
export async function bundleForBrowser(entry: string): Promise<string> {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: decodeURIComponent(root.pathname),
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    target: "es2022",
    platform: "browser",
    plugins: [platformOf("browser")],
    write: false,
    logLevel: "warning",
  });
  await esbuild.stop();
  return outputFiles[0].text;
}

/** Everything that the example consists of. */
export async function examplePages(): Promise<Pages> {
  return {
    "/": {
      type: "text/html; charset=utf-8",
      body: await Deno.readTextFile(new URL("examples/browser/index.html", root)),
      // What a page needs to have threads.
      headers: {
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
      },
    },
    "/main.js": {
      type: "text/javascript; charset=utf-8",
      body: await bundleForBrowser("examples/browser/main.ts"),
    },
    "/models/meder/meder-int8.safetensors": {
      type: "application/octet-stream",
      body: await Deno.readFile(new URL("models/meder/meder-int8.safetensors", root)),
    },
  };
}

if (import.meta.main) {
  const pages = await examplePages();
  const port = Number(Deno.args[0] ?? 8080);
  Deno.serve({ hostname: "127.0.0.1", port }, (request) => {
    const page = pages[new URL(request.url).pathname];
    if (page === undefined) return new Response("Not found", { status: 404 });
    return new Response(page.body, { headers: { ...page.headers, "content-type": page.type } });
  });
}
