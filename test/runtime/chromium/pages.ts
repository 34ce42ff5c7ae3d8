/**
 * The example's pages as people meet them: what they show, by touch and keyboard, in light and dark, wide and on a
 * phone; and axe, which must find nothing.
 *
 * What the default model finds is its own affair: a model that is chosen here is a fixture.
 *
 * @module
 */
import { createRequire } from "node:module";
import { program } from "../../../tools/check/programs.ts";
import { loadBundle, writePackage } from "../../../mod.ts";
import { step } from "../harness.ts";

/** What is used of playwright's page; it has no types here. */
// deno-lint-ignore no-explicit-any
type Any = any;

/** The cases on a crowded machine. */
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

/** Looks at both pages; with a folder, leaves pictures of them there. */
export async function checkPages(browser: Any, url: string, folder?: string): Promise<void> {
  const axe = await Deno.readTextFile(await program("axe-core/axe.min.js"));
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  const picture = async (name: string): Promise<void> => {
    if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
  };
  const text = async (selector: string): Promise<string> =>
    await page.locator(selector).textContent();

  await step("the page marks entities, lists their scores, and has threads", async () => {
    await page.setViewportSize({ width: 800, height: 900 });
    await page.goto(url);
    await page.locator("body[data-ready]").waitFor();
    const status = await text("#status"), timing = await text("#timing");
    expect(await page.evaluate("document.body.dataset.ready") === "true", status);
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

  for (const colorScheme of ["light", "dark"]) {
    await step(`axe finds nothing, ${colorScheme}, wide and on a phone`, async () => {
      await page.emulateMedia({ colorScheme });
      for (const width of [800, 390]) {
        await page.setViewportSize({ width, height: 900 });
        await page.evaluate(axe);
        const found = await findings(page);
        expect(found.length === 0, found.join("\n"));
        const over = await page.evaluate(
          "document.documentElement.scrollWidth - document.documentElement.clientWidth",
        );
        expect(over === 0, `the page is ${over} pixels too wide at ${width}`);
        await picture(`page-${colorScheme}-${width}`);
      }
    });
  }

  await step("a model of one's own, chosen", async () => {
    const buffer = await tinyModel();
    const { Buffer } = createRequire(import.meta.url)("node:buffer");
    await page.locator("#file").setInputFiles({
      name: "own.safetensors",
      mimeType: "application/octet-stream",
      buffer: Buffer.from(buffer),
    });
    await page.getByText(/^own\.safetensors loaded in/).waitFor();
    expect(await text("#model") === "own.safetensors", "the page names another model");
    await page.locator("#file").setInputFiles({
      name: "none.safetensors",
      mimeType: "application/octet-stream",
      buffer: Buffer.from("none"),
    });
    await page.locator("#status.error").waitFor();
    expect(await text("#model") === "own.safetensors", "what cannot be read took its place");
  });

  await step("the page of this machine's speed measures and draws", async () => {
    await page.setViewportSize({ width: 800, height: 900 });
    await page.goto(`${url}bench.html`);
    await page.locator("#run").click();
    await page.locator("body[data-ready]").waitFor();
    expect(await page.evaluate("document.body.dataset.ready") === "true", await text("#status"));
    expect(await page.locator("#results tbody tr").count() === 3, "another table");
    expect(await page.locator("#chart rect").count() >= 3, "no bars");
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.evaluate(axe);
      const found = await findings(page);
      expect(found.length === 0, found.join("\n"));
      await picture(`bench-${colorScheme}`);
    }
    return await text("#status");
  });
  await context.close();
}
