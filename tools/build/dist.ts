/**
 * Builds dist/, what the npm package holds: `deno task build:dist`.
 *
 * Node 20 does not strip types and bundlers want JavaScript, so the sources are bundled, one file for each
 * platform, with `#platform` already decided; package.json's `exports` picks the file by condition:
 *
 * - `index.js`: Node, Bun and Deno. Kernels embedded.
 * - `browser.js`: the same without `node:` imports, so any bundler takes it without configuration.
 * - `workerd.js`: imports `./relaxed.wasm` and `./baseline.wasm`, which wrangler turns into modules.
 * - `edge-light.js`: the same with `?module`, which is how Vercel's edge runtime spells it.
 * - `cli.js`: the command, for Node.
 * - `types/`: declarations, by TypeScript itself.
 *
 * Dependencies stay imports; the code is not minified, because people debug through it and their own
 * bundler minifies better than this one.
 *
 * @module
 */
import * as esbuild from "esbuild";

const root = new URL("../../", import.meta.url);
const dist = new URL("dist/", root);

/** Leaves the kernel modules as imports beside the bundle. */
function wasmBeside(suffix: string): esbuild.Plugin {
  return {
    name: "wasm-beside",
    setup(build): void {
      build.onResolve({ filter: /\.wasm$/ }, ({ path }) => ({
        path: `./${path.slice(path.lastIndexOf("/") + 1)}${suffix}`,
        external: true,
      }));
    },
  };
}

/** Makes the command import the library's bundle instead of holding a second copy. */
const libraryBeside: esbuild.Plugin = {
  name: "library-beside",
  setup(build): void {
    build.onResolve({ filter: /\/mod\.ts$/ }, () => ({ path: "./index.js", external: true }));
  },
};

async function bundle(options: esbuild.BuildOptions): Promise<void> {
  await esbuild.build({
    absWorkingDir: new URL(".", root).pathname,
    bundle: true,
    format: "esm",
    target: "es2022",
    packages: "external",
    legalComments: "none",
    logLevel: "warning",
    // esbuild adds "browser" by itself for platform "browser": conditions are named here and nowhere else.
    platform: "neutral",
    mainFields: ["module", "main"],
    ...options,
  });
}

await Deno.remove(dist, { recursive: true }).catch(() => {});
await Promise.all([
  bundle({ entryPoints: ["mod.ts"], outfile: "dist/index.js", platform: "node" }),
  bundle({ entryPoints: ["mod.ts"], outfile: "dist/browser.js", conditions: ["browser"] }),
  bundle({
    entryPoints: ["mod.ts"],
    outfile: "dist/workerd.js",
    conditions: ["workerd"],
    plugins: [wasmBeside("")],
  }),
  bundle({
    entryPoints: ["mod.ts"],
    outfile: "dist/edge-light.js",
    conditions: ["edge-light"],
    plugins: [wasmBeside("?module")],
  }),
  bundle({
    entryPoints: ["src/cli/main.ts"],
    outfile: "dist/cli.js",
    platform: "node",
    plugins: [libraryBeside],
  }),
]);
await esbuild.stop();
for (const name of ["relaxed.wasm", "baseline.wasm"]) {
  await Deno.copyFile(new URL(`wasm/${name}`, root), new URL(name, dist));
}

const types = await new Deno.Command(Deno.execPath(), {
  args: ["run", "-A", "npm:typescript/tsc", "-p", "tools/build/tsconfig.json"],
  cwd: root,
  stdin: "null",
}).spawn().status;
if (!types.success) Deno.exit(1);

for await (const entry of Deno.readDir(dist)) {
  if (entry.isFile) {
    const { size } = await Deno.stat(new URL(entry.name, dist));
    console.log(`dist/${entry.name} ${size} bytes`);
  }
}
