/**
 * `deno task bench --gpu`: the benchmark of GPUs here, in Deno, and in a page of Chromium.
 *
 * Chromium is the one in CHROMIUM, or Debian's; without one the page is left out with a note. It finds the machine's GPU by
 * itself, or takes SwiftShader.
 *
 * @module
 */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { CHROMIUM_FLAGS } from "../../tools/check/chromium_flags.ts";
import { program } from "../../tools/check/programs.ts";
import { bundlesForBrowser, type Pages } from "../../tools/build/serve.ts";
import { type ModelBundle, withoutLexicons, writePackage } from "../../mod.ts";
import { writeExport } from "../../src/formats/write_export.ts";
import { budgetOf, modelNames, note, thisRuntime } from "../inside.ts";
import { textModel } from "../models.ts";
import type { Options } from "../options.ts";
import { bundleWeb } from "../transformers.ts";
import { type GpuBench, type GpuSizes, measureGpu } from "./measure.ts";
import { gpuText } from "./report.ts";

/** Sizes that are measured where nothing else is asked for. */
const SIZES = { batches: [1, 8, 32], lengths: [32, 128], rows: 4096 };
const SMOKE = { batches: [2], lengths: [6], rows: 12 };

/** A page that isolates itself, so that WebAssembly has threads in it. */
const ISOLATION = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

/** Files of a package's folder that a page asks for, served under a path of their own. */
async function filesOf(folder: string, wanted: RegExp, under: string): Promise<Pages> {
  const pages: Record<string, Pages[string]> = {};
  for await (const { name } of Deno.readDir(folder)) {
    if (!wanted.test(name)) continue;
    pages[`/${under}/${name}`] = {
      type: name.endsWith(".wasm") ? "application/wasm" : "text/javascript",
      body: await Deno.readFile(`${folder}/${name}`),
      headers: ISOLATION,
    };
  }
  return pages;
}

/** transformers.js as a page loads it, bundled; throws where it is not in `folder`, nor in the project. */
async function transformersPages(folder: string | undefined): Promise<Pages> {
  const { code, wasmPaths: { wasm } } = await bundleWeb(folder);
  return {
    "/transformers/transformers.js": { type: "text/javascript", body: code, headers: ISOLATION },
    ...await filesOf(
      dirname(fileURLToPath(wasm)),
      /^ort-wasm-\S+\.asyncify\.(mjs|wasm)$/,
      "transformers",
    ),
  };
}

/** What a page is served. */
interface Served {
  readonly pages: Pages;
  /** Peers that are not served, by name, and why. */
  readonly unserved: Readonly<Record<string, string>>;
}

/** The page, its program, the model as a package and as an export, and the peers' files. */
async function serve(bundle: ModelBundle, transformers: string | undefined): Promise<Served> {
  const ort = createRequire(import.meta.url).resolve("onnxruntime-web/webgpu");
  const scripts = await bundlesForBrowser(["bench/gpu/page.ts"], ["@mitata/counters", "bun:jsc"]);
  const octets = "application/octet-stream", unserved: Record<string, string> = {};
  const pages: Record<string, Pages[string]> = {
    ...await filesOf(
      dirname(ort),
      /^ort\.webgpu\.min\.mjs$|^ort-wasm-simd-threaded\.\w+\.(mjs|wasm)$/,
      "ort",
    ),
    "/": {
      type: "text/html",
      body: '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">' +
        '<script type="module" src="/page.js"></script>',
      headers: ISOLATION,
    },
    "/bench_model.safetensors": { type: octets, body: writePackage(bundle) },
  };
  for (const [name, body] of scripts) {
    pages[`/${name}`] = { type: "text/javascript", body, headers: ISOLATION };
  }
  for (const [name, body] of writeExport(bundle)) {
    const path = name === "model.onnx" ? "onnx/model.onnx" : name;
    pages[`/export/${path}`] = { type: octets, body: body as Uint8Array<ArrayBuffer> };
  }
  try {
    Object.assign(pages, await transformersPages(transformers));
  } catch (error) {
    unserved["transformers.js webgpu f32"] = (error as Error).message.split("\n")[0];
  }
  return { pages, unserved };
}

/** The benchmark in a page. */
async function inChromium(
  { pages, unserved }: Served,
  sizes: GpuSizes,
  options: Options,
): Promise<GpuBench> {
  const executablePath = Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium";
  await Deno.stat(executablePath);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const page = pages[new URL(request.url).pathname];
    if (page === undefined) return new Response("not here", { status: 404 });
    return new Response(page.body, { headers: { ...page.headers, "content-type": page.type } });
  });
  const { chromium } = createRequire(import.meta.url)(await program("playwright-core/index.js"));
  const args = [...CHROMIUM_FLAGS, "--enable-unsafe-webgpu"];
  const browser = await chromium.launch({ executablePath, args });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(0);
    page.on("console", (message: { text(): string }) => note(message.text()));
    await page.goto(`http://127.0.0.1:${server.addr.port}/`);
    await page.waitForFunction("globalThis.benchPage !== undefined");
    const given = [`Chromium ${browser.version()}`, sizes, budgetOf(options), unserved];
    return await page.evaluate(`benchPage(...${JSON.stringify(given)})`) as GpuBench;
  } finally {
    await browser.close();
    await server.shutdown();
  }
}

/** Measures each model in each runtime, printing each. */
export async function benchGpu(options: Options): Promise<readonly GpuBench[]> {
  const { smoke, batches, lengths } = options, standard = smoke ? SMOKE : SIZES;
  const sizes: GpuSizes = {
    batches: batches ?? standard.batches,
    lengths: lengths ?? standard.lengths,
    rows: standard.rows,
    smoke,
  };
  const found: GpuBench[] = [];
  for (const name of modelNames(options)) {
    const { bundle: whole, source } = await textModel(name), bundle = withoutLexicons(whole);
    const runtimes: readonly (readonly [string, () => Promise<GpuBench>])[] = [
      ["Deno", () => {
        const { gpu } = navigator, { runtime } = thisRuntime();
        return measureGpu(runtime, gpu, bundle, sizes, [], budgetOf(options), note);
      }],
      [
        "Chromium",
        async () => inChromium(await serve(bundle, options.transformers), sizes, options),
      ],
    ];
    for (const [runtime, measure] of runtimes) {
      const title = `GPU, model "${name}" (${source})`;
      console.log(`\n${title}\n${"=".repeat(title.length)}\n`);
      try {
        const bench = await measure();
        found.push(bench);
        console.log(gpuText(bench));
      } catch (error) {
        console.log(`${runtime}: left out (${(error as Error).message.split("\n")[0]})`);
      }
    }
  }
  return found;
}
