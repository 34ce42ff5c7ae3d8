/**
 * What `edge-ner/core` weighs on its way to a page or a worker: `deno task size`.
 *
 * The entry is bundled with all that it imports, and minified, as a user's bundler does it; each kernel module is a file
 * of its own. Every part is packed by gzip at its highest level.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { gzipSync } from "node:zlib";

const root = new URL("../../", import.meta.url);
const { outputFiles } = await esbuild.build({
  absWorkingDir: decodeURIComponent(root.pathname),
  entryPoints: ["core.ts"],
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  platform: "browser",
  write: false,
  logLevel: "warning",
});
await esbuild.stop();
const parts: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ["core.js", outputFiles[0].contents],
  ...await Promise.all(
    ["relaxed.wasm", "pairs.wasm", "baseline.wasm"].map(async (name) =>
      [name, await Deno.readFile(new URL(`wasm/${name}`, root))] as const
    ),
  ),
];
let total = 0;
for (const [name, bytes] of parts) {
  const { length } = gzipSync(bytes, { level: 9 });
  total += length;
  console.log(`${name}: ${bytes.length} bytes, ${length} in gzip`);
}
console.log(`edge-ner/core with all kernels: ${total} bytes in gzip`);
