/**
 * The token-classification pipeline of transformers.js as a peer: texts to entities by its own tokenizer,
 * its own padded batches and its own aggregation ("simple"), on the ONNX files that `ner export` writes.
 *
 * It comes on two backends. Its build for browsers, which runs on the onnxruntime-web that it depends on (one
 * thread; the build with asyncify, which also serves WebGPU): what a page or an edge function gets. And its
 * build for Node, which runs on native onnxruntime-node: what `npm:@huggingface/transformers` gets in Deno.
 *
 * It is no dependency, because onnxruntime-node, which it brings, has hundreds of megabytes. It is found in
 * the project or in a folder given by the caller. Deno resolves imports between packages only in the
 * project's own folder, so the build for browsers is bundled by esbuild before it is imported.
 *
 * Weak: it does less than the others. It knows no CRF, and gives no positions in the text.
 *
 * @module
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { build, stop } from "esbuild";
import type { ModelBundle } from "../mod.ts";
import { writeExport } from "../src/formats/write_export.ts";
import { withoutLexicons } from "../src/model/without_lexicons.ts";
import type { Wanted } from "./ort.ts";
import type { Precision } from "./ours.ts";

/** An entity without its place. */
export interface Found {
  readonly type: string;
  readonly text: string;
}

/** transformers.js on one backend. */
export interface Transformers {
  readonly name: string;
  readonly version: string;
  readonly threads: number;
  open(files: string, precision: Precision): Promise<TransformersPipeline>;
}

/** A loaded pipeline. */
export interface TransformersPipeline {
  extract(texts: readonly string[]): Promise<Found[][]>;
  close(): Promise<void>;
}

/** The part of the package that is used. */
interface Package {
  readonly env: {
    readonly version: string;
    readonly backends: {
      onnx: { versions: { web?: string; node?: string }; wasm: Record<string, unknown> };
    };
    allowLocalModels: boolean;
    allowRemoteModels: boolean;
    useBrowserCache: boolean;
    localModelPath: string;
    fetch: (path: string | URL) => Promise<Response>;
  };
  pipeline(task: string, model: string, options: Record<string, unknown>): Promise<Pipe>;
}

interface Pipe {
  (
    texts: string[],
    options: Record<string, unknown>,
  ): Promise<{ entity_group: string; word: string }[][]>;
  dispose(): Promise<unknown>;
}

/** Name of the model's folder. */
const MODEL = "model";

/** Files of a model, without its lexicons, as transformers.js wants them, in a new folder to be given to {@link Transformers.open}. */
export async function writeModel(bundle: ModelBundle): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "edge-ner-bench-"));
  await mkdir(join(folder, MODEL, "onnx"), { recursive: true });
  for (const [dtype, name] of [["f32", "model"], ["int8", "model_quantized"]] as const) {
    for (const [file, bytes] of writeExport(withoutLexicons(bundle), { dtype })) {
      const path = file === "model.onnx" ? join("onnx", `${name}.onnx`) : file;
      await writeFile(join(folder, MODEL, path), bytes);
    }
  }
  return folder;
}

/** Removes what {@link writeModel} wrote. */
export async function removeModel(folder: string): Promise<void> {
  await rm(folder, { recursive: true });
}

/** Resolves a package from `folder`/node_modules, or from the project's if no folder is given. */
function requireFrom(folder: string | undefined): NodeJS.Require {
  return createRequire(folder ? pathToFileURL(join(folder, "from.js")) : import.meta.url);
}

/** The build for browsers as one module, and where its WebAssembly is, which it would fetch from a CDN. */
export async function bundleWeb(
  folder: string | undefined,
): Promise<{ code: string; wasmPaths: { mjs: string; wasm: string } }> {
  const entry = requireFrom(folder).resolve("@huggingface/transformers");
  const web = join(dirname(entry), "transformers.web.js");
  const { outputFiles } = await build({
    entryPoints: [web],
    bundle: true,
    format: "esm",
    platform: "browser",
    logLevel: "silent",
    write: false,
  });
  await stop();
  const dist = dirname(createRequire(pathToFileURL(web)).resolve("onnxruntime-web/webgpu"));
  const wasm = pathToFileURL(join(dist, "ort-wasm-simd-threaded.asyncify")).href;
  return {
    code: outputFiles[0].text,
    wasmPaths: { mjs: `${wasm}.mjs`, wasm: `${wasm}.wasm` },
  };
}

/** Imports the build for browsers. */
async function importWeb(folder: string | undefined): Promise<Package> {
  const { code, wasmPaths } = await bundleWeb(folder);
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const loaded = await import(url) as Package;
  URL.revokeObjectURL(url);
  Object.assign(loaded.env.backends.onnx.wasm, { numThreads: 1, wasmPaths });
  return loaded;
}

function transformersOf(
  name: string,
  version: string,
  { env, pipeline }: Package,
  options: Record<string, unknown>,
): Transformers {
  env.allowLocalModels = true;
  env.allowRemoteModels = false;
  env.useBrowserCache = false;
  env.fetch = (path) => fetch(/^[a-z]+:/.test(String(path)) ? path : pathToFileURL(String(path)));
  return {
    name,
    version,
    threads: 1,
    async open(files, precision) {
      env.localModelPath = files;
      const dtype = precision === "int8" ? "q8" : "fp32";
      const pipe = await pipeline("token-classification", MODEL, { ...options, dtype });
      return {
        async extract(texts) {
          const lists = await pipe([...texts], { aggregation_strategy: "simple" });
          return lists.map((list) =>
            list.map(({ entity_group, word }) => ({ type: entity_group, text: word }))
          );
        },
        close: async () => void await pipe.dispose(),
      };
    },
  };
}

/** transformers.js as it is measured. */
export function transformersEngines(folder: string | undefined): readonly Wanted<Transformers>[] {
  return [
    ["transformers.js web 1t", async () => {
      const loaded = await importWeb(folder), { version, backends } = loaded.env;
      const on = `${version} on onnxruntime-web ${backends.onnx.versions.web}`;
      return transformersOf("transformers.js web 1t", on, loaded, { device: "wasm" });
    }],
    ["transformers.js node 1t", () => {
      const loaded = requireFrom(folder)("@huggingface/transformers") as Package;
      const { version, backends } = loaded.env;
      const on = `${version} on onnxruntime-node ${backends.onnx.versions.node}`;
      return transformersOf("transformers.js node 1t", on, loaded, {
        device: "cpu",
        session_options: { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 },
      });
    }],
  ];
}
