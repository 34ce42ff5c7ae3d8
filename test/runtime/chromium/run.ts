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
import { type Expected, type ExpectedEntity, type Result, TEXTS } from "../shared.ts";

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

/** A page without a bundler: the one file from the package, a worker of its own, and the browser's Cache. */
const PLAIN =
  `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module">
import { Ner } from "/edge-ner.min.js";
globalThis.plainTest = async (text) => {
  const told = [];
  for (const cached of [false, true]) {
    using ner = await Ner.inWorker("/model.safetensors", {
      cache: true,
      onProgress: (progress) => told.push(progress.cached),
    });
    if (told.at(-1) !== cached) throw new Error("cached: " + told.at(-1));
    if (!cached) continue;
    const found = await ner.extract(text);
    for await (const again of ner.extractStream([text, text])) {
      if (JSON.stringify(again) !== JSON.stringify(found)) throw new Error(JSON.stringify(again));
    }
    const { data } = await ner.emissions(text);
    return { found, emissions: data.length };
  }
};
</script>`;

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
  const dist = (name: string): Promise<Uint8Array<ArrayBuffer>> =>
    Deno.readFile(`${project.path}/node_modules/edge-ner/dist/${name}`);
  const alone = await Promise.all(
    ["edge-ner.min.js", "edge-ner.worker.min.js"].map(async (name) =>
      [`/${name}`, { type: "text/javascript", body: await dist(name) }] as const
    ),
  );
  const expected: Expected = JSON.parse(await Deno.readTextFile(expectedUrl));
  await using server = await startServer({
    ...await examplePages(),
    ...Object.fromEntries(alone),
    "/plain.html": { type: "text/html", body: PLAIN },
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

  await step(
    "a page without a bundler has its recogniser in a worker, from the Cache",
    async () => {
      await page.goto(`${server.url}plain.html`);
      await page.waitForFunction("globalThis.plainTest !== undefined");
      const { found, emissions } = await page.evaluate(
        `plainTest(${JSON.stringify(TEXTS[0])})`,
      ) as { found: ExpectedEntity[]; emissions: number };
      const places = (entities: readonly ExpectedEntity[]): string =>
        entities.map(({ type, start, end }) => `${type} ${start} ${end}`).join();
      if (places(found) !== places(expected.entities[0])) throw new Error(JSON.stringify(found));
      return `${found.length} entities, ${emissions} emissions`;
    },
  );

  await checkPages(browser, server.url, Deno.args[0]);
});
