/**
 * The example's pages as people meet them: what they show, by touch and keyboard, in light and dark, wide and on a
 * phone; and axe, which must find nothing.
 *
 * What the default model finds is its own affair: a model that is chosen here is a fixture.
 *
 * @module
 */
import { createRequire } from "node:module";
import { MODELS } from "../../../models/registry.ts";
import { program } from "../../../tools/check/programs.ts";
import { loadBundle, writePackage } from "../../../mod.ts";
import { step } from "../harness.ts";

/** What is used of playwright; it has no types here. */
// deno-lint-ignore no-explicit-any
type Any = any;

/** What people ask their system for. */
export type ColorScheme = "light" | "dark";

/** A step on a crowded machine. */
const LIMIT_MS = 300_000;

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** A tiny model with types of its own, as a package. */
async function tinyModel(): Promise<Uint8Array<ArrayBuffer>> {
  return writePackage(
    await loadBundle(new URL("../../fixtures/tiny-torchscript/", import.meta.url)),
  );
}

/** axe's findings in the page as it is, in words. */
async function findings(page: Any): Promise<string[]> {
  const { violations } = await page.evaluate("axe.run(document)") as {
    violations: { id: string; help: string; nodes: { html: string }[] }[];
  };
  return violations.map(({ id, help, nodes }) =>
    `${id}: ${help} (${nodes.map(({ html }) => html.slice(0, 100)).join("; ")})`
  );
}

/** A new page of a context, with patience. */
async function newPage(context: Any): Promise<Any> {
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  await page.setViewportSize({ width: 800, height: 900 });
  return page;
}

/** Opens the page and waits for its model. */
async function openPage(page: Any, url: string): Promise<void> {
  await page.goto(url);
  await page.locator("body[data-ready]").waitFor();
  expect(
    await page.evaluate("document.body.dataset.ready") === "true",
    await page.locator("#status").textContent(),
  );
}

/** Uses the page: what it shows, by touch and keyboard. */
export async function checkPages(context: Any, url: string): Promise<void> {
  const page = await newPage(context), requested: string[] = [];
  page.on("request", (request: Any) => requested.push(request.url()));
  const text = async (selector: string): Promise<string> =>
    await page.locator(selector).textContent();

  await step("the page marks entities, lists their scores, and has threads", async () => {
    await openPage(page, url);
    const timing = await text("#timing");
    expect(await text("#found") === await page.locator("#text").inputValue(), "another text");
    const marks = await page.locator("mark").count();
    expect(marks > 0, "nothing is marked");
    expect(await page.locator("#list tbody tr").count() === marks, "the list is another");
    const cores = await page.evaluate("navigator.hardwareConcurrency") as number;
    expect(new RegExp(cores > 1 ? "[2-4] threads" : "1 thread").test(timing), timing);
    return `${marks} entities; ${timing}`;
  });

  await step("a threshold leaves entities out, and what is left is copied", async () => {
    await page.locator("#threshold").fill("1");
    const left = await page.locator("#list tbody tr").count();
    await page.locator("#copy-json").click();
    await page.getByText("Copied as JSON.").waitFor();
    const copied = JSON.parse(await page.evaluate("navigator.clipboard.readText()"));
    expect(copied.entities.length === left, `${copied.entities.length} and not ${left}`);
    await page.locator("#threshold").fill("0");
    await page.locator("#copy-csv").click();
    await page.getByText("Copied as CSV.").waitFor();
    const csv = await page.evaluate("navigator.clipboard.readText()") as string;
    expect(csv.startsWith("document,text,type,entity,start,end,score"), csv);
  });

  await step(
    "other models are fetched when they are chosen, and bring their examples",
    async () => {
      const [own, ...others] = MODELS;
      expect(
        await page.locator("#models").isVisible() === others.length > 0,
        "no choice, or too much",
      );
      for (const { name, title, language, file, examples } of [...others, own]) {
        const before = requested.some((url) => url.endsWith(file));
        expect(before === (name === own.name), `${file}: fetched before it was chosen, or never`);
        if (others.length > 0) {
          await page.locator(`input[value=${name}]`).check();
          await page.getByText(`${title} loaded in`).waitFor();
        }
        const [first] = Object.values(examples), area = page.locator("#text");
        expect(await area.getAttribute("lang") === language, "another language");
        expect(await area.inputValue() === first, "another model's example");
        expect(await text("#found") === first, "the text is not shown");
        expect(await page.locator("#found mark").count() > 0, "nothing is marked");
        expect(
          (await page.locator("#samples button").allTextContents()).join() ===
            Object.keys(examples).join(),
          "other examples",
        );
      }
      return MODELS.map(({ title }) => title).join("; ");
    },
  );

  await step("all of it can be reached by keyboard, in the order in which it is read", async () => {
    // Radio buttons of a group are one stop; arrows go from one to the next.
    const wanted = await page.evaluate(`[...document.querySelectorAll(
      "a, textarea, button, input:not([type=radio]:not(:checked)), summary, [tabindex='0']",
    )].filter((one) => one.checkVisibility()).map((one) => one.id || one.textContent)`) as string[];
    await page.locator("a").first().focus();
    const reached: string[] = [];
    while (reached.length < wanted.length) {
      // Not behind the last: the browser itself would have the keys from then on.
      if (reached.length > 0) await page.keyboard.press("Tab");
      reached.push(
        await page.evaluate("document.activeElement.id || document.activeElement.textContent"),
      );
    }
    expect(reached.join("|") === wanted.join("|"), `${reached}, and there are ${wanted}`);
    return `${wanted.length} stops`;
  });

  await step("tokens and emissions are there when they are asked for", async () => {
    expect(await page.locator("#tokens tr").count() === 0, "they were there before");
    await page.locator("summary").press("Enter");
    await page.locator("#tokens tbody tr").first().waitFor();
  });

  await step("nothing is announced at each key", async () => {
    await page.evaluate(`{
      window.said = 0;
      const count = () => window.said++;
      for (const live of document.querySelectorAll("[role=status], [role=alert], [aria-live]")) {
        new MutationObserver(count).observe(live, { childList: true, characterData: true, subtree: true });
      }
    }`);
    const before = await text("#found");
    await page.locator("#text").press("End");
    await page.keyboard.type(" abc");
    await page.waitForFunction(
      `document.getElementById("found").textContent !== ${JSON.stringify(before)}`,
    );
    expect(await page.evaluate("window.said") === 0, "something was said");
  });

  const { Buffer } = createRequire(import.meta.url)("node:buffer");
  const file = (name: string, content: Uint8Array | string) => ({
    name,
    mimeType: "application/octet-stream",
    buffer: Buffer.from(content),
  });
  const model = await tinyModel();

  await step(
    "where there is no GPU, auto runs in WebAssembly and says why; WebGPU is refused",
    async () => {
      const found = await text("#found");
      await page.locator("input[value=auto]").check();
      await page.getByText(/^WebAssembly runs: /).waitFor();
      const report = await text("#engine-report");
      // Not check(), which wants it checked a moment later: the page may have gone back by then.
      await page.locator("input[value=webgpu]").click();
      await page.locator("#status.error").waitFor();
      expect(await page.locator("input[value=wasm]").isChecked(), "the page says that WebGPU runs");
      expect(await text("#found") === found, "what ran before is gone");
      return report;
    },
  );

  await step("a model of one's own, chosen; what is none does not take its place", async () => {
    await page.locator("#file").setInputFiles(file("own.safetensors", model));
    await page.getByText(/^own\.safetensors loaded in/).waitFor();
    expect(await text("#model") === "own.safetensors", "the page names another model");
    await page.locator("#file").setInputFiles(file("none.safetensors", "none"));
    await page.locator("#status.error").waitFor();
    expect(await text("#model") === "own.safetensors", "what cannot be read took its place");
  });

  await step("and dropped anywhere on the page, which shows that it takes it", async () => {
    await page.evaluate(`addEventListener("dragover", () => {
      window.dropping = document.body.classList.contains("dropping");
    })`);
    await page.locator("h1").drop({ files: file("dropped.safetensors", model) });
    await page.getByText(/^dropped\.safetensors loaded in/).waitFor();
    expect(await text("#model") === "dropped.safetensors", "the page names another model");
    expect(await page.evaluate("window.dropping") === true, "nothing was shown");
    expect(await page.locator("body.dropping").count() === 0, "it is shown still");
  });
  await context.close();
}

/** Looks at both pages in a colour scheme, with axe; with a folder, leaves pictures of them there. */
export async function checkColours(
  context: Any,
  url: string,
  scheme: ColorScheme,
  folder?: string,
): Promise<void> {
  const axe = await Deno.readTextFile(await program("axe-core/axe.min.js"));
  const page = await newPage(context);
  /** Looks at the page as it is. */
  const look = async (name: string): Promise<void> => {
    expect(
      await page.evaluate(`matchMedia("(prefers-color-scheme: ${scheme})").matches`),
      "colours",
    );
    await page.evaluate(axe);
    const found = await findings(page);
    expect(found.length === 0, found.join("\n"));
    if (folder) await page.screenshot({ path: `${folder}/${name}-${scheme}.png`, fullPage: true });
  };

  await step(`axe finds nothing, ${scheme}, wide and on a phone`, async () => {
    await openPage(page, url);
    await page.locator("summary").press("Enter");
    await page.locator("#tokens tbody tr").first().waitFor();
    for (const width of [800, 390]) {
      await page.setViewportSize({ width, height: 900 });
      await look(`page-${width}`);
      const over = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth",
      );
      expect(over === 0, `the page is ${over} pixels too wide at ${width}`);
    }
  });

  await step(`the page of this machine's speed measures and draws, ${scheme}`, async () => {
    await page.setViewportSize({ width: 800, height: 900 });
    await page.goto(`${url}bench.html`);
    await page.locator("#run").click();
    await page.locator("body[data-ready]").waitFor();
    const status = await page.locator("#status").textContent();
    expect(await page.evaluate("document.body.dataset.ready") === "true", status);
    expect(await page.locator("#results tbody tr").count() === 3, "another table");
    expect(await page.locator("#chart rect").count() >= 3, "no bars");
    await look("bench");
    return status;
  });
  await context.close();
}
