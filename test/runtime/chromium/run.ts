/**
 * The packed package, bundled, in a page of headless Chromium, and the example page as people see it:
 * `deno task test:chromium [screenshot.png]`.
 *
 * Chromium is the one in CHROMIUM, or Debian's.
 *
 * @module
 */
import { examplePages } from "../../../tools/serve.ts";
import { bundle } from "../bundle.ts";
import {
  command,
  expectedUrl,
  finish,
  installPackage,
  record,
  startServer,
  step,
} from "../harness.ts";
import type { Result } from "../shared.ts";
import { openPage } from "./cdp.ts";

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
  const html = { type: "text/html", body: HTML };
  const csp = { "content-security-policy": "script-src 'self'" };
  await using server = await startServer({
    ...await examplePages(),
    "/test.html": html,
    "/strict.html": { ...html, headers: csp },
    "/test.js": { type: "text/javascript", body: await Deno.readFile(script) },
    "/expected.json": { type: "application/json", body: await Deno.readFile(expectedUrl) },
  });
  await using page = await openPage(chromium);

  await page.goto(`${server.url}test.html`);
  record(`${version}, the package in a page`, await page.evaluate<Result[]>("edgeNerTest()"));

  await step("a page whose policy forbids WebAssembly gets a typed error", async () => {
    await page.goto(`${server.url}strict.html`);
    const code = await page.evaluate<string>("blockedTest()");
    if (code !== "runtime/wasm-blocked") throw new Error(code);
  });

  await step("the example page marks entities", async () => {
    await page.resize(800, 700);
    await page.goto(server.url);
    const ready = await page.evaluate<string>(`(async () => {
      while (!document.body.dataset.ready) await new Promise((r) => setTimeout(r, 20));
      return document.body.dataset.ready + ": " + document.getElementById("status").textContent;
    })()`);
    if (!ready.startsWith("true")) throw new Error(ready);
    const marks = await page.evaluate<string[]>(
      '[...document.querySelectorAll("mark")].map((m) => m.textContent)',
    );
    if (marks.length === 0) throw new Error(`nothing is marked (${ready})`);
    const output = await page.evaluate<string>('document.getElementById("found").textContent');
    const input = await page.evaluate<string>('document.getElementById("text").value');
    if (output !== input) throw new Error(`the marked text is ${output}, not ${input}`);
    if (Deno.args[0]) await Deno.writeFile(Deno.args[0], await page.screenshot());
    return `${marks.join(", ")} (${ready})`;
  });
});
