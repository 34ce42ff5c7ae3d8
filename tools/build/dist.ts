/**
 * Builds dist/, what the npm package holds: `deno task build:dist`.
 *
 * Node 20 does not strip types and bundlers want JavaScript, so the sources are bundled, one file for each
 * platform, with `src/runtime/platform.ts` already decided; package.json's `exports` picks the file by condition:
 *
 * - `index.js`: Node, Bun and Deno. Kernels embedded. `train.js` and `label.js`: the same for `edge-ner/train` and
 *   `edge-ner/label`; what several need is in files of its own, so that there is one of each class.
 * - `system.js`, `system-deno.js`: what these ask of the operating system, one of which package.json's `imports` name by condition.
 * - `browser.js`: the same without `node:` imports, so any bundler takes it without configuration.
 * - `worker.js`, `browser-worker.js`: the program of `Ner.inWorker`'s workers, which the others name by URL.
 * - `workerd.js`: imports `./relaxed.wasm`, `./pairs.wasm` and `./baseline.wasm`, which wrangler turns into modules.
 * - `edge-light.js`: imports `./baseline.wasm?module`, which is how Vercel's edge runtime spells it; the others need relaxed SIMD.
 * - `core.js`: packed models alone, for any runtime (`core.ts`), without what few of them need. `deno task size` prints what it weighs.
 * - `webgpu.js`: what runs `core.js` on a GPU (`webgpu.ts`), shaders and all; what both need is in a file of its own, so that there
 *   is one of each class. The others load the same from a file beside them, when a GPU is asked for.
 * - `edge-ner.min.js`: all of it in one file without imports, for a page's `<script type="module">`, and
 *   `edge-ner.worker.min.js` for its workers.
 * - `cli.js`: the command, for Node, over the first three. THIRD_PARTY_LICENSES.txt has the licences of what they hold.
 * - `types/`: declarations, by TypeScript itself.
 *
 * What package.json names as `dependencies` or `peerDependencies` stays an import: these are the library's own, and a mended
 * version of one reaches users without a release of ours. Anything else from npm is bundled into the command, `train.js`
 * or `label.js`, so that nobody installs a parser of options or of tables to recognise entities; what recognises them may
 * hold none but {@link HELD}. The code is not minified, because people debug through it and their own bundler minifies better than this one.
 *
 * @module
 */
import { basename } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as esbuild from "esbuild";
import { HELD } from "./held.ts";
import { licencesOf, packageOf } from "./licences.ts";
import { noWorkers, packagesBeside, packedOnly, platformOf, systemBeside } from "./platform.ts";
import { replaceFolder } from "./replace.ts";

const root = new URL("../../", import.meta.url);
const modules = new URL("node_modules/", root);
/** Where all is built, to take the place of dist/ when it is whole. */
const built = pathToFileURL(
  `${await Deno.makeTempDir({ dir: fileURLToPath(modules), prefix: ".dist-" })}/`,
);
const { dependencies, peerDependencies } = JSON.parse(
  await Deno.readTextFile(new URL("package.json", root)),
);

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

/** Makes the command import the library's bundles instead of holding a second copy. */
const libraryBeside: esbuild.Plugin = {
  name: "library-beside",
  setup(build): void {
    build.onResolve({ filter: /^\.\.\/\.\.\/(mod|train|label)\.ts$/ }, ({ path }) => ({
      path: path.endsWith("mod.ts") ? "./index.js" : `./${path.match(/(\w+)\.ts$/)![1]}.js`,
      external: true,
    }));
  },
};

/** Names the worker's program as it is called here. */
function workerBeside(name: string): esbuild.Plugin {
  return {
    name: "worker-beside",
    setup(build): void {
      build.onLoad({ filter: /\/(platform_default|browser_workers)\.ts$/ }, async ({ path }) => {
        const source = await Deno.readTextFile(path);
        const contents = source.replace(/"\.\/worker\/main_\w+\.ts"/, JSON.stringify(`./${name}`));
        if (contents === source) throw new Error(`${path} names no worker`);
        return { contents, loader: "ts" };
      });
    },
  };
}

/** Files that went in, by the file that they went into; paths from the repository's root. */
type Inputs = readonly (readonly [output: string, inputs: readonly string[]])[];

/** `index.js`, `worker.js`, the files that they import, and theirs. */
const core = new Set<string>();

/** Whether a file is one that only `train.js` and `label.js` share. */
const besideIndex = (output: string): boolean => /^dist\/shared-/.test(output) && !core.has(output);

async function bundle(
  { plugins = [], ...options }: esbuild.BuildOptions,
  whole = false,
): Promise<Inputs> {
  const { metafile, outputFiles } = await esbuild.build({
    absWorkingDir: fileURLToPath(root),
    write: false,
    bundle: true,
    format: "esm",
    target: "es2022",
    plugins: whole
      ? plugins
      : [...plugins, packagesBeside({ ...dependencies, ...peerDependencies })],
    metafile: true,
    legalComments: "none",
    logLevel: "warning",
    // esbuild adds "browser" by itself for platform "browser": conditions are named here and nowhere else.
    platform: "neutral",
    mainFields: ["module", "main"],
    ...options,
  });
  for (const { path, contents } of outputFiles!) {
    await Deno.writeFile(new URL(basename(path), built), contents);
  }
  const gather = (output: string): void => {
    if (core.has(output) || metafile!.outputs[output] === undefined) return;
    core.add(output);
    metafile!.outputs[output].imports.forEach(({ path }) => gather(path));
  };
  ["dist/index.js", "dist/worker.js"].forEach(gather);
  return Object.entries(metafile!.outputs).map(([output, { inputs }]) => [
    output,
    Object.keys(inputs),
  ]);
}

const library = (await Promise.all([
  bundle({
    entryPoints: {
      index: "mod.ts",
      train: "train.ts",
      label: "label.ts",
      worker: "src/runtime/worker/main_default.ts",
    },
    outdir: "dist",
    splitting: true,
    chunkNames: "shared-[hash]",
    platform: "node",
    plugins: [workerBeside("worker.js"), systemBeside],
  }),
  bundle({
    entryPoints: {
      "system": "src/runtime/system.ts",
      "system-deno": "src/runtime/system_deno.ts",
    },
    outdir: "dist",
    platform: "node",
  }),
  bundle({
    entryPoints: { browser: "mod.ts" },
    outdir: "dist",
    splitting: true,
    chunkNames: "browser-[hash]",
    plugins: [platformOf("browser"), workerBeside("browser-worker.js")],
  }),
  bundle({
    entryPoints: { core: "core.ts", webgpu: "webgpu.ts" },
    outdir: "dist",
    splitting: true,
    chunkNames: "core-[hash]",
    plugins: [packedOnly],
  }),
  bundle({
    entryPoints: { "browser-worker": "src/runtime/worker/main_browser.ts" },
    outdir: "dist",
    splitting: true,
    chunkNames: "browser-[hash]",
    plugins: [platformOf("browser"), noWorkers],
  }),
  bundle({
    entryPoints: ["mod.ts"],
    outfile: "dist/workerd.js",
    plugins: [platformOf("workerd"), wasmBeside("")],
  }),
  bundle({
    entryPoints: ["mod.ts"],
    outfile: "dist/edge-light.js",
    plugins: [platformOf("edge"), wasmBeside("?module")],
  }),
])).flat();
const foreign = library.filter(([output]) =>
  !/^dist\/(train|label)\.js$/.test(output) && !besideIndex(output)
)
  .flatMap(([, inputs]) => inputs).find((input) => {
    const folder = packageOf(input);
    return folder !== undefined && !HELD.some((name) => folder.endsWith(`/${name}`));
  });
if (foreign !== undefined) {
  throw new Error(`The library holds ${foreign}: name its package in package.json's dependencies.`);
}
const page = (await Promise.all(
  ([
    ["edge-ner", "mod.ts", workerBeside("edge-ner.worker.min.js")],
    ["edge-ner.worker", "src/runtime/worker/main_browser.ts", noWorkers],
  ] as const).map(
    ([name, entry, workers]) =>
      bundle({
        entryPoints: [entry],
        outfile: `dist/${name}.min.js`,
        platform: "browser",
        minify: true,
        plugins: [platformOf("browser"), workers],
      }, true),
  ),
)).flat();
const command = await bundle({
  entryPoints: { cli: "src/cli/main.ts" },
  outdir: "dist",
  // What one command loads when it needs it (the plotting library) is no part of the others.
  splitting: true,
  chunkNames: "cli-[hash]",
  platform: "node",
  plugins: [libraryBeside],
  // The bundled packages are CommonJS and `require` modules of Node, which an ES module has to make first.
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module";\n' +
      "const require = requireFrom(import.meta.url);",
  },
});
await Deno.writeTextFile(
  new URL("THIRD_PARTY_LICENSES.txt", built),
  await licencesOf([...library, ...page, ...command].flatMap(([, inputs]) => inputs), root),
);
await esbuild.stop();
for (const name of ["relaxed.wasm", "pairs.wasm", "baseline.wasm"]) {
  await Deno.copyFile(new URL(`wasm/${name}`, root), new URL(name, built));
}

const types = await new Deno.Command(Deno.execPath(), {
  args: [
    ...["run", "-A", "npm:typescript/tsc", "-p", "tools/build/tsconfig.json"],
    ...["--outDir", fileURLToPath(new URL("types", built))],
  ],
  cwd: root,
  stdin: "null",
}).spawn().status;
if (!types.success) Deno.exit(1);
// Tools that tell a module by its text look for its exports behind white space, and find none in one long line.
const single = new URL("edge-ner.min.js", built), code = await Deno.readTextFile(single);
const exports = code.lastIndexOf("export{");
await Deno.writeTextFile(single, `${code.slice(0, exports)}\n${code.slice(exports)}`);

/** Names of the web's that declarations use, as far as a program has to know them that has neither the DOM nor Node's types. */
const WEB = `/** Joined with what a program's own libraries say of these. */
interface AbortSignal {
  readonly aborted: boolean;
}
interface ReadableStream<R = any> {
  readonly locked: boolean;
}
interface RequestInit {
  method?: string;
}
interface Response {
  readonly status: number;
}
interface URL {
  href: string;
}
declare namespace WebAssembly {
  interface Module {}
  interface Memory {
    readonly buffer: ArrayBuffer;
  }
}
`;

/** What a declaration refers to, before all else. */
async function refer(name: string, reference: string): Promise<void> {
  const file = new URL(`types/${name}.d.ts`, built), declared = await Deno.readTextFile(file);
  await Deno.writeTextFile(file, `/// <reference ${reference} />\n${declared}`);
}

await Deno.writeTextFile(new URL("types/web.d.ts", built), WEB);
await Deno.writeTextFile(
  new URL("types/kernels.d.ts", built),
  "/** Compiled kernels, where the runtime or the bundler imports WebAssembly as a module. */\n" +
    "declare const kernels: WebAssembly.Module;\nexport default kernels;\n",
);
for (const name of ["mod", "core", "webgpu", "train", "label", "kernels"]) {
  await refer(name, 'path="./web.d.ts"');
}
// `Symbol.dispose` is of a library that programs for ES2022 do not name; who uses ours needs no setting for it.
for (const name of ["src/ner/recogniser", "src/runtime/worker/client"]) {
  await refer(name, 'lib="esnext.disposable"');
}

for await (const entry of Deno.readDir(built)) {
  if (entry.isFile) {
    const { size } = await Deno.stat(new URL(entry.name, built));
    console.log(`dist/${entry.name} ${size} bytes`);
  }
}
await Deno.chmod(built, 0o755);
await replaceFolder(built, new URL("dist/", root), new URL(".dist.lock", modules));
