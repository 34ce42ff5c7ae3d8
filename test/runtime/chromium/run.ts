/**
 * The packed package, bundled, in a page of headless Chromium, and the example page as people see it:
 * `deno task test:chromium [folder for screenshots]`.
 *
 * Chromium is the one in CHROMIUM, or Debian's; playwright-core drives it.
 *
 * @module
 */
import { createRequire } from "node:module";
import { examplePages } from "../../../tools/build/serve.ts";
import { checkPages } from "./pages.ts";
import { command, program } from "../../../tools/check/programs.ts";
import { bundle, installPackage } from "../../../tools/check/project.ts";
import { expectedUrl, finish, record, startServer, step } from "../harness.ts";
import type { Result } from "../shared.ts";

/** Chromium must not look for services that are not there. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--password-store=basic",
];

/** The cases on a crowded machine. */
const LIMIT_MS = 300_000;

const HTML = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">' +
  '<script type="module" src="/test.js"></script>';

await finish("chromium", async () => {
  const chromium = Deno.env.get("CHROMIUM") ?? "/usr/bin/chromium";
  const version = (await command(chromium, ["--version", "--no-sandbox"])).trim();
  await using project = await installPackage();
  // No condition and no plugin: exactly what a user's `esbuild --bundle` does.
  const script = await bundle("test/runtime/chromium/page.ts", project.path, "test.js", {
    platform: "browser",
  });
  const noWorkers = { "content-security-policy": "worker-src 'none'" };
  const html = { type: "text/html", body: HTML };
  const isolation = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
  };
  const csp = { "content-security-policy": "script-src 'self'" };
  await using server = await startServer({
    ...await examplePages(),
    "/test.html": html,
    "/isolated.html": { ...html, headers: isolation },
    "/blobless.html": { ...html, headers: { ...isolation, ...noWorkers } },
    "/strict.html": { ...html, headers: csp },
    "/test.js": { type: "text/javascript", body: await Deno.readFile(script) },
    "/expected.json": { type: "application/json", body: await Deno.readFile(expectedUrl) },
  });
  const { chromium: driver } = createRequire(import.meta.url)(
    await program("playwright-core/index.js"),
  );
  const browser = await driver.launch({ executablePath: chromium, args: FLAGS });
  await using _browser = { [Symbol.asyncDispose]: () => browser.close() };
  const page = await browser.newPage();
  page.setDefaultTimeout(LIMIT_MS);

  await page.goto(`${server.url}test.html`);
  record(`${version}, the package in a page`, await page.evaluate("edgeNerTest()") as Result[]);

  await page.goto(`${server.url}isolated.html`);
  record(
    `${version}, in a cross-origin isolated page`,
    await page.evaluate("edgeNerTest()") as Result[],
  );

  await step(
    "a page whose policy forbids workers from blobs has one thread and says why",
    async () => {
      await page.goto(`${server.url}blobless.html`);
      const reason = await page.evaluate("workerlessTest()") as string;
      if (!/worker/.test(reason)) throw new Error(reason);
      return reason;
    },
  );

  await step("a page whose policy forbids WebAssembly gets a typed error", async () => {
    await page.goto(`${server.url}strict.html`);
    const code = await page.evaluate("blockedTest()");
    if (code !== "runtime/wasm-blocked") throw new Error(code);
  });

  await checkPages(browser, server.url, Deno.args[0]);
});
