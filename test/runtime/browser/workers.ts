/**
 * The examples of workers, bundled as their opening comments tell and opened as pages.
 *
 * @module
 */
import { bundle } from "../../../tools/check/project.ts";
import { root } from "../../../tools/check/programs.ts";
import type { Pages } from "../../../tools/build/serve.ts";
import { modelUrl, step } from "../harness.ts";
import { type Expected, TEXTS } from "../shared.ts";

/** What is used of playwright; it has no types here. */
// deno-lint-ignore no-explicit-any
type Any = any;

/** Programs of each example, by the files that they become; `edge-ner/worker` is the package's. */
const EXAMPLES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  web_worker: {
    "main.js": "examples/web_worker/main.ts",
    "edge-ner-worker.js": "edge-ner/worker",
  },
  service_worker: {
    "main.js": "examples/service_worker/main.ts",
    "service_worker.js": "examples/service_worker/service_worker.ts",
  },
};

/** The examples' files, built over the package that is installed in a folder. */
export async function workerPages(project: string): Promise<Pages> {
  const installed = `file://${project}/node_modules/edge-ner/dist/browser-worker.js`;
  const model = await Deno.readFile(modelUrl);
  const pages: Record<string, Pages[string]> = {};
  for (const [name, programs] of Object.entries(EXAMPLES)) {
    const html = await Deno.readFile(new URL(`examples/${name}/index.html`, root));
    pages[`/${name}/`] = { type: "text/html; charset=utf-8", body: html };
    pages[`/${name}/meder-int8.safetensors`] = { type: "application/octet-stream", body: model };
    for (const [file, program] of Object.entries(programs)) {
      const entry = program === "edge-ner/worker" ? installed : program;
      const output = await bundle(entry, project, `${name}-${file}`, { platform: "browser" });
      pages[`/${name}/${file}`] = { type: "text/javascript", body: await Deno.readFile(output) };
    }
  }
  return pages;
}

/** Opens the examples and has them find the entities of a text, twice: the second model comes from the Cache. */
export async function checkWorkers(browser: Any, url: string, expected: Expected): Promise<void> {
  const wanted = expected.entities[0].map(({ type }) => type);
  for (const name of Object.keys(EXAMPLES)) {
    await step(`examples/${name} finds entities, and again when it is opened again`, async () => {
      const context = await browser.newContext(), page = await context.newPage();
      for (let visit = 0; visit < 2; visit++) {
        await page.goto(`${url}${name}/`);
        await page.locator("textarea").fill(TEXTS[0]);
        await page.locator("li").first().waitFor();
        const items: string[] = await page.locator("li").allTextContents();
        const types = items.map((item) => /: (\w+), \d\.\d\d$/.exec(item)?.[1]);
        if (types.join() !== wanted.join()) throw new Error(items.join("; "));
      }
      await context.close();
      return wanted.join(", ");
    });
  }
}
