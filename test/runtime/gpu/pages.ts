/**
 * The example page on WebGPU as people meet it: the default model and one of the paper's student's size find there what they
 * find in WebAssembly, and auto goes on without a GPU that is none.
 *
 * @module
 */
import { textModel } from "../../../bench/models.ts";
import { writePackage } from "../../../mod.ts";
import { step } from "../harness.ts";

/** What is used of playwright; it has no types here. */
// deno-lint-ignore no-explicit-any
type Any = any;

/** A model of this size on a program on a crowded processor. */
const LIMIT_MS = 300_000;

/** A few words: a program on the processor takes a second for each twenty tokens of the paper's student. */
const TEXT = "জ্বরে প্যারাসিটামল";

/**
 * Relative L2 of emissions, float32 on the GPU and int8 in WebAssembly: what int8 costs random weights of this size, of which
 * these are a sample (.013).
 */
const INT8_TOLERANCE = 0.025;

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** A package of the paper's student's size, random weights, as a file in a folder. */
export async function writeStudent(folder: string): Promise<string> {
  const { bundle } = await textModel("paper"), path = `${folder}/student.safetensors`;
  await Deno.writeFile(path, writePackage(bundle));
  return path;
}

/** Uses the page at `url`, in a browser with WebGPU; with a folder, leaves pictures of it there. */
export async function checkGpuPage(
  browser: Any,
  url: string,
  student: string,
  pictures: string | undefined,
): Promise<void> {
  const page = await browser.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  await page.setViewportSize({ width: 800, height: 900 });
  const text = async (selector: string): Promise<string> =>
    await page.locator(selector).textContent();
  const picture = async (name: string): Promise<void> => {
    if (!pictures) return;
    await Deno.mkdir(pictures, { recursive: true });
    await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
  };
  /** Has the model run elsewhere, and waits for what is found there. */
  const runOn = async (engine: string, says: RegExp): Promise<string> => {
    await page.locator(`input[value=${engine}]`).check();
    // Of WebAssembly that was asked for there is nothing to say, and so nothing to see.
    const there = { state: "attached" };
    await page.locator("#status").filter({ hasText: / loaded in / }).waitFor(there);
    await page.locator("#engine-report").filter({ hasText: says }).waitFor(there);
    return await text("#engine-report");
  };
  const marks = (): Promise<string[]> =>
    page.evaluate(
      `[...document.querySelectorAll("#found mark")].map((mark) => mark.textContent)`,
    );

  await step("the page's default model finds on WebGPU what it finds in WebAssembly", async () => {
    await page.goto(url);
    await page.locator("body[data-ready=true]").waitFor();
    const before = await marks();
    expect(before.length > 0, "nothing is marked");
    const report = await runOn("webgpu", /^WebGPU runs: /);
    const after = await marks();
    expect(after.join("|") === before.join("|"), `${after}, and not ${before}`);
    expect(/webgpu f32 on /.test(await text("#timing")), await text("#timing"));
    await picture("default");
    return `${after.length} entities; ${report}`;
  });

  await step("auto leaves a program on the processor for WebAssembly, and says so", async () => {
    const report = await runOn("auto", /^WebAssembly runs: /);
    expect(/program on the processor/.test(report), report);
    await picture("auto");
    return report;
  });

  await step("a model of the paper's student's size runs on the page's WebGPU", async () => {
    await page.locator("#text").fill(TEXT);
    await page.locator("summary").press("Enter");
    await page.locator("#file").setInputFiles(student);
    await page.getByText(/^student\.safetensors loaded in/).waitFor();
    /** The table of emissions, of this model and where it runs now. */
    const emissions = async (engine: string, says: RegExp): Promise<number[]> => {
      await runOn(engine, says);
      return await page.evaluate(
        `[...document.querySelectorAll("#tokens tbody td")].map((cell) => Number(cell.textContent))
          .filter((value) => !Number.isNaN(value))`,
      );
    };
    const got = await emissions("webgpu", /^WebGPU runs: /);
    const took = await text("#timing");
    await picture("student");
    const want = await emissions("wasm", /^$/);
    expect(got.length > 50 && got.length === want.length, `${got.length} of ${want.length}`);
    const size = Math.hypot(...want);
    const distance = Math.hypot(...want.map((value, i) => value - got[i])) / size;
    expect(size > 0 && distance <= INT8_TOLERANCE, `relative L2 ${distance}`);
    return `relative L2 to WebAssembly's int8 ${distance.toFixed(4)}; ${took}`;
  });
  await page.close();
}
