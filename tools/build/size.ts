/**
 * What the library weighs on its way to a page or a worker: `deno task size`.
 *
 * `edge-ner/core` is bundled with all that it imports, and minified, as a user's bundler does it; each kernel module is a
 * file of its own, and so is what runs it on a GPU, which nothing loads that does not ask for one. The one file for pages, which holds its kernels, is taken from dist/, where it has been built. Every
 * part is packed by gzip at its highest level.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { gzipSync } from "node:zlib";
import { packedOnly } from "./platform.ts";

const root = new URL("../../", import.meta.url);
const { outputFiles } = await esbuild.build({
  absWorkingDir: decodeURIComponent(root.pathname),
  entryPoints: ["core.ts", "webgpu.ts"],
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  platform: "browser",
  write: false,
  logLevel: "warning",
  plugins: [packedOnly],
});
await esbuild.stop();
const bundled = (name: string): Uint8Array =>
  outputFiles.find(({ path }) => path.endsWith(`/${name}`))!.contents;
const parts: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ["core.js", bundled("core.js")],
  ...await Promise.all(
    ["relaxed.wasm", "pairs.wasm", "baseline.wasm"].map(async (name) =>
      [name, await Deno.readFile(new URL(`wasm/${name}`, root))] as const
    ),
  ),
];
/** Prints what a part weighs; returns its bytes in gzip. */
function weigh(name: string, bytes: Uint8Array): number {
  const { length } = gzipSync(bytes, { level: 9 });
  console.log(`${name}: ${bytes.length} bytes, ${length} in gzip`);
  return length;
}

const [core, ...kernels] = parts.map(([name, bytes]) => weigh(name, bytes));
console.log(
  `edge-ner/core with the baseline kernels, which run everywhere: ${
    core + kernels.at(-1)!
  } bytes in gzip`,
);
console.log(
  `edge-ner/core with all kernels: ${kernels.reduce((a, b) => a + b, core)} bytes in gzip`,
);
weigh("webgpu.js, by itself", bundled("webgpu.js"));
const page = "edge-ner.min.js";
try {
  weigh(page, await Deno.readFile(new URL(`dist/${page}`, root)));
} catch (error) {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
  console.log(`${page}: not built; deno task build:dist does it`);
}
