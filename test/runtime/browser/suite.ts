/**
 * The packed package, bundled, in pages of a real browser; the example pages as people see them; the examples of workers. The
 * same for all browsers: which one, and how it is started, says the `run.ts` of its folder.
 *
 * playwright-core drives them. Debian's Firefox is a stock one, which it reaches by WebDriver BiDi (`channel: "moz-firefox"`);
 * it is pinned to the last version that asks for no command which this Firefox does not have yet (media features).
 *
 * @module
 */
import { createRequire } from "node:module";
import { examplePages } from "../../../tools/build/serve.ts";
import { command, program } from "../../../tools/check/programs.ts";
import { bundle, installPackage } from "../../../tools/check/project.ts";
import { expectedUrl, finish, record, startServer, step } from "../harness.ts";
import { type Expected, type ExpectedEntity, type Result, TEXTS } from "../shared.ts";
import { checkColours, checkPages, type ColorScheme } from "./pages.ts";
import { checkWorkers, workerPages } from "./workers.ts";

/** A browser that can be had here, and what differs between browsers when they are driven. */
export interface Browser {
  readonly name: "chromium" | "firefox";
  /** Path of its program. */
  readonly program: string;
  /** How it says its version. */
  readonly version: readonly string[];
  /** Options of playwright's `launch`, beside the program. */
  launch(scheme: ColorScheme): object;
  /** Options of its `newContext`, for pages that may read what they have copied. */
  context(scheme: ColorScheme): object;
}

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

async function tests(own: Browser, pictures?: string): Promise<void> {
  const version = (await command(own.program, own.version)).trim();
  const drivers = createRequire(import.meta.url)(await program("playwright-core/index.js"));
  const open = async (scheme: ColorScheme) => {
    const browser = await drivers[own.name].launch({
      executablePath: own.program,
      ...own.launch(scheme),
    });
    return { browser, [Symbol.asyncDispose]: () => browser.close() };
  };
  await using project = await installPackage();
  // No condition and no plugin: exactly what a user's `esbuild --bundle` does.
  const script = await bundle("test/runtime/browser/page.ts", project.path, "test.js", {
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
    ...await workerPages(project.path),
    ...Object.fromEntries(alone),
    "/plain.html": { type: "text/html", body: PLAIN },
    "/test.html": html,
    "/isolated.html": { ...html, headers: isolation },
    "/blobless.html": { ...html, headers: { ...isolation, ...noWorkers } },
    "/strict.html": { ...html, headers: csp },
    "/test.js": { type: "text/javascript", body: await Deno.readFile(script) },
    "/expected.json": { type: "application/json", body: await Deno.readFile(expectedUrl) },
  });
  await using light = await open("light");
  const page = await light.browser.newPage();
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

  await checkWorkers(light.browser, server.url, expected);
  await checkPages(await light.browser.newContext(own.context("light")), server.url);
  for (const scheme of ["light", "dark"] as const) {
    await using opened = await open(scheme);
    const context = await opened.browser.newContext(own.context(scheme));
    await checkColours(context, server.url, scheme, pictures);
  }
}

/** Runs all of a browser's tests; with a folder, leaves pictures of the pages there. */
export async function testBrowser(own: Browser, pictures?: string): Promise<never> {
  return await finish(own.name, () => tests(own, pictures));
}
