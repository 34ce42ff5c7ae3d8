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
import { CHROMIUM_FLAGS } from "../../tools/check/chromium_flags.ts";
import { program } from "../../tools/check/programs.ts";
import { bundlesForBrowser, type Pages } from "../../tools/build/serve.ts";
import { writePackage } from "../../mod.ts";
import { encoderToOnnx } from "../../src/formats/onnx/write_encoder.ts";
import { budgetOf, modelNames, note, thisRuntime } from "../inside.ts";
import { textModel } from "../models.ts";
import type { Options } from "../options.ts";
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

/** The page, its program, the model in both forms, and onnxruntime-web's files. */
async function pagesOf(bundle: Awaited<ReturnType<typeof textModel>>["bundle"]): Promise<Pages> {
  const resolved = createRequire(import.meta.url).resolve("onnxruntime-web/webgpu");
  const ort: Record<string, Pages[string]> = {};
  for await (const { name } of Deno.readDir(dirname(resolved))) {
    if (!/^ort\.webgpu\.min\.mjs$|^ort-wasm-simd-threaded\.\w+\.(mjs|wasm)$/.test(name)) continue;
    ort[`/ort/${name}`] = {
      type: name.endsWith(".wasm") ? "application/wasm" : "text/javascript",
      body: await Deno.readFile(`${dirname(resolved)}/${name}`),
      headers: ISOLATION,
    };
  }
  const scripts = await bundlesForBrowser(["bench/gpu/page.ts"], ["@mitata/counters", "bun:jsc"]);
  const octets = "application/octet-stream";
  return {
    ...ort,
    "/": {
      type: "text/html",
      body: '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">' +
        '<script type="module" src="/page.js"></script>',
      headers: ISOLATION,
    },
    ...Object.fromEntries(
      Array.from(
        scripts,
        ([name, body]) => [`/${name}`, { type: "text/javascript", body, headers: ISOLATION }],
      ),
    ),
    "/bench_model.safetensors": { type: octets, body: writePackage(bundle) },
    "/model.onnx": {
      type: octets,
      body: encoderToOnnx(bundle.weights, { int8: false }) as Uint8Array<ArrayBuffer>,
    },
  };
}

/** The benchmark in a page. */
async function inChromium(pages: Pages, sizes: GpuSizes, options: Options): Promise<GpuBench> {
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
    const given = [`Chromium ${browser.version()}`, sizes, budgetOf(options)];
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
    const { bundle, source } = await textModel(name), pages = await pagesOf(bundle);
    const runtimes: readonly (readonly [string, () => Promise<GpuBench>])[] = [
      ["Deno", () => {
        const { gpu } = navigator, { runtime } = thisRuntime();
        return measureGpu(runtime, gpu, bundle, sizes, [], budgetOf(options), note);
      }],
      ["Chromium", () => inChromium(pages, sizes, options)],
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
