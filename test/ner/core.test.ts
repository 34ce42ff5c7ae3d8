/** `edge-ner/core` as it is built: what it recognises, what it refuses and by which name, and that it stays small. */
import * as esbuild from "esbuild";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type * as core from "../../core.ts";
import type * as webgpu from "../../webgpu.ts";
import { addTerms, type ModelBundle, Ner, readTokenizer, writePackage } from "../../mod.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { deflateText } from "../../src/formats/package/deflate.ts";
import { readPackage } from "../../src/formats/package/read.ts";
import { readSafetensors } from "../../src/formats/safetensors/read.ts";
import { writeSafetensors } from "../../src/formats/safetensors/write.ts";
import { fingerprintsOf } from "../../src/lexicon/fingerprint.ts";
import { featureCount, type Lexicons } from "../../src/model/lexicon.ts";
import { quantizeEncoder } from "../../src/quantize/encoder.ts";
import { packedOnly } from "../../tools/build/platform.ts";
import { shared } from "../formats/helpers.ts";
import { configOf, randomWeights, shipped } from "../support.ts";

const scratch = mkdtempSync(join(tmpdir(), "edge-ner-core-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

const outfile = join(scratch, "core.mjs");
await esbuild.build({
  absWorkingDir: decodeURIComponent(new URL("../../", import.meta.url).pathname),
  entryPoints: ["core.ts"],
  outfile,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  platform: "browser",
  plugins: [packedOnly],
});
// With what runs it on a GPU, as the package has both.
const { outputFiles } = await esbuild.build({
  absWorkingDir: decodeURIComponent(new URL("../../", import.meta.url).pathname),
  entryPoints: ["core.ts", "webgpu.ts"],
  outdir: join(scratch, "both"),
  outExtension: { ".js": ".mjs" },
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  platform: "browser",
  plugins: [packedOnly],
  write: false,
});
mkdirSync(join(scratch, "both"));
for (const { path, contents } of outputFiles) writeFileSync(path, contents);
await esbuild.stop();
const built: typeof core = await import(pathToFileURL(outfile).href);
const kernels = [await shipped("baseline")];

const exported = bundleFromExport({
  model: shared("tiny-torchscript/model.onnx"),
  config: shared("tiny-torchscript/config.json"),
  tokenizer: shared("tiny-torchscript/tokenizer.json"),
  crf: shared("tiny-torchscript/crf.safetensors"),
});
const int8: ModelBundle = { ...exported, weights: quantizeEncoder(exported.weights).weights };
const TEXT = "প্যারাসিটামল জ্বর ও ব্যথা কমায়। Café, 1,000 mg!";

/** The int8 model with a part of its tokenizer exchanged. */
function withTokenizer(changes: object): Uint8Array {
  const json = { ...int8.tokenizer.toJSON() as object, ...changes };
  return writePackage({ ...int8, tokenizer: readTokenizer({ tokenizer: JSON.stringify(json) }) });
}

async function refusal(
  work: () => Promise<unknown>,
): Promise<{ code: string; message: string; name: string }> {
  try {
    await work();
  } catch (error) {
    assert.instance(error, built.NerError, String(error));
    return error as core.NerError;
  }
  throw new Error("nothing was thrown");
}

test("a packed model gives the bits and the entities that edge-ner gives", async () => {
  const bytes = writePackage(int8);
  const small = await built.Ner.fromBytes(bytes, { kernels });
  const whole = await Ner.fromBytes(bytes, { kernels });
  assert.equal((await small.emissions(TEXT)).data, (await whole.emissions(TEXT)).data);
  assert.equal(await small.extract(TEXT), await whole.extract(TEXT));
  const float = await built.Ner.fromBytes(writePackage(exported), { kernels, backend: "fp32" });
  assert.is(
    (await float.emissions(TEXT)).tokens.length,
    (await whole.emissions(TEXT)).tokens.length,
  );
});

test("a packed model with lexicons, too; terms beside them are refused", async () => {
  const of = (terms: readonly string[], rates?: Uint8Array): Lexicons => {
    const { words, longest } = fingerprintsOf(terms);
    const type = rates ? undefined : "MED";
    const lists = [{ type, fingerprints: words, rates }];
    return { types: ["MED", "DIS"], inflected: true, longest, lists };
  };
  const names = of(["প্যারাসিটামল", "Café"]), known = of(["জ্বর"], Uint8Array.of(0, 200, 55, 90));
  const lexicons = {
    ...names,
    longest: Math.max(names.longest, known.longest),
    lists: [...names.lists, ...known.lists],
  };
  const none = lexicons.lists.map((list) => ({
    ...list,
    fingerprints: new Int32Array(0),
    rates: list.rates && new Uint8Array(0),
  }));
  const config = configOf({
    hiddenSize: 48,
    heads: 4,
    vocabSize: int8.tokenizer.vocabSize,
    labels: ["O", "B-MED", "I-MED", "B-DIS", "I-DIS"],
    features: featureCount(lexicons),
  });
  const { weights } = quantizeEncoder(randomWeights(config, 11));
  const model: ModelBundle = { weights, crf: undefined, tokenizer: int8.tokenizer, lexicons };
  const bytes = writePackage(model), size = bytes.length;
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < size; at += 1000) yield bytes.subarray(at, at + 1000);
  }
  const whole = await Ner.fromBytes(bytes, { kernels });
  const { data } = await whole.emissions(TEXT), entities = await whole.extract(TEXT);
  const small = await built.Ner.fromBytes(bytes, { kernels });
  for (const ner of [small, await built.Ner.fromStream({ size, chunks: chunks() }, { kernels })]) {
    assert.equal((await ner.emissions(TEXT)).data, data);
    assert.equal(await ner.extract(TEXT), entities);
  }
  const empty = writePackage({ ...model, lexicons: { ...lexicons, lists: none } });
  const without = await built.Ner.fromBytes(empty, { kernels });
  assert.not.equal((await without.emissions(TEXT)).data, data);
  const own = { lexicon: [{ type: "MED", terms: ["metformin"] }] };
  assert.is((await refusal(() => small.extract(TEXT, own))).code, "runtime/unsupported");
  const beside = writePackage(addTerms(model, own));
  const { code, message } = await refusal(() => built.Ner.fromBytes(beside, { kernels }));
  assert.is(code, "runtime/unsupported");
  assert.match(message, /models with terms\. The entry edge-ner does/);
});

test("a tokenizer with other components is refused, with the entry that has them", async () => {
  const split = { type: "Split", pattern: { String: "-" }, behavior: "Removed", invert: false };
  for (
    const [changes, what] of [
      [{ pre_tokenizer: split }, /pre_tokenizer: the pre-tokenizer Split .* The entry edge-ner/],
      [{ pre_tokenizer: { type: "UnicodeScripts" } }, /UnicodeScripts/],
      [
        { normalizer: { type: "Replace", pattern: { String: "a" }, content: "b" } },
        /normalizer: Replace/,
      ],
      [{ normalizer: { type: "NFKC" } }, /normalizer: NFKC is not part of edge-ner\/core/],
      [{ normalizer: { type: "Strip", strip_left: true, strip_right: true } }, /normalizer: Strip/],
      [{ normalizer: { type: "Prepend", prepend: "a" } }, /normalizer: Prepend/],
    ] as const
  ) {
    const bytes = withTokenizer(changes);
    const { code, message } = await refusal(() => built.Ner.fromBytes(bytes, { kernels }));
    assert.is(code, "tokenizer/unsupported");
    assert.match(message, what);
    (await Ner.fromBytes(bytes, { kernels })).close();
  }
});

test("a deflated tokenizer, which early packages have, is refused with what to do", async () => {
  const file = readSafetensors(writePackage(int8));
  const tensors = new Map(file.tensors), metadata = new Map(file.metadata);
  const json = JSON.stringify(int8.tokenizer.toJSON());
  for (const name of ["units", "lengths"]) tensors.delete(`tokenizer.${name}`);
  for (const name of ["tokenizer", "xxh32"]) metadata.delete(name);
  metadata.set("tokenizer_deflate", deflateText(json));
  const bytes = writeSafetensors(tensors, Object.fromEntries(metadata));
  const { code, message, name } = await refusal(() => built.Ner.fromBytes(bytes, { kernels }));
  // Not what the minifier calls the class.
  assert.match(name, /^(Format|Model|Tokenizer|Runtime)Error$/);
  assert.is(code, "runtime/unsupported");
  assert.match(message, /deflated tokenizers\. .* pack the model again \(edge-ner convert\)/);
  (await Ner.fromBytes(bytes, { kernels })).close();
  const again = writePackage(readPackage(bytes));
  (await built.Ner.fromBytes(again, { kernels })).close();
});

test("what only edge-ner does is refused by its name", async () => {
  const refuses = async (work: () => Promise<unknown>): Promise<void> => {
    const { code, message } = await refusal(work);
    assert.is(code, "runtime/unsupported");
    assert.match(message, /edge-ner\/core does not .* The entry edge-ner does/);
  };
  const bytes = writePackage(int8);
  await refuses(() => built.Ner.fromBytes(writePackage(exported), { kernels }));
  await refuses(() => built.Ner.fromBytes(bytes, { kernels, backend: "reference" }));
  const ner = await built.Ner.fromBytes(bytes, { kernels });
  await refuses(() => ner.withAdapter(new Uint8Array(8)));
  const terms = { lexicon: [{ type: "MED", terms: ["metformin"] }] };
  await refuses(() => ner.withLexicon(terms));
  await refuses(() => ner.extract(TEXT, terms));
  await refuses(() => built.Ner.fromBytes(bytes, { kernels, ...terms }));
  await refuses(() => ner.extract(TEXT, { sentences: true }));
  await refuses(() => ner.extract(TEXT, { boundary: "word" }));
  await refuses(() => ner.extractDocument([TEXT]).next());
  const known = writePackage(addTerms(int8, { never: ["ব্যথা"] }));
  await refuses(() => built.Ner.fromBytes(known, { kernels }));
  // And goes on.
  assert.equal((await ner.extractNBest(TEXT, 2)).length, 2);
});

test("it does not grow unseen", async () => {
  const size = gzipSync(await Deno.readFile(outfile), { level: 9 }).length;
  assert.ok(size < 48_000, `core is ${size} bytes in gzip; 46,600 when this was written`);
});

test("core runs on a GPU that is handed over, has no shader itself, and knows its errors", async () => {
  assert.not.match(readFileSync(outfile, "utf8"), /@compute/);
  const [own, gpu]: [typeof core, typeof webgpu] = await Promise.all(
    ["core", "webgpu"].map((name) =>
      import(pathToFileURL(join(scratch, "both", `${name}.mjs`)).href)
    ),
  ) as [typeof core, typeof webgpu];
  const accelerator = gpu.acceleratorOf({ requestAdapter: () => Promise.resolve(null) });
  const model = writePackage(int8);
  const ner = await own.Ner.fromBytes(model, { kernels, backend: "auto", accelerator });
  const { choice, reason } = ner.info().gpu!;
  assert.is(choice, "wasm");
  assert.match(reason, /no adapter/);
  assert.equal(await ner.extract(TEXT), await (await Ner.fromBytes(model)).extract(TEXT));
  for (
    const [given, why] of [[accelerator, /no adapter/], [undefined, /edge-ner\/webgpu/]] as const
  ) {
    try {
      await own.Ner.fromBytes(model, {
        kernels,
        backend: "webgpu",
        ...given && { accelerator: given },
      });
      assert.unreachable();
    } catch (error) {
      assert.instance(error, own.RuntimeError);
      assert.is((error as core.NerError).code, "runtime/no-gpu");
      assert.match((error as Error).message, why);
    }
  }
});

test.run();
