/**
 * Which folders hold a model: a list of them, each given to both ways in (`Ner.load`'s and the command line's) as
 * files on disk and to the reader itself in memory, and all three must say the same.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readModelFiles } from "../../src/cli/files.ts";
import { FormatError, RuntimeError } from "../../src/errors.ts";
import { bundleFromFolder, type Folder, readFolder } from "../../src/formats/folder.ts";
import { externalNames } from "../../src/formats/onnx/external.ts";
import { readPackage } from "../../src/formats/package/read.ts";
import { writePackage } from "../../src/formats/package/write.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { readSafetensors } from "../../src/formats/safetensors/read.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import { loadBundle } from "../../src/runtime/ner.ts";
import { moveWeightsOut } from "../runtime/external.ts";
import { floatsOf, local, sameBits, shared } from "./helpers.ts";
import { modelBytes, tensorAttribute, type TensorSpec } from "./onnx_writer.ts";

const scratch = mkdtempSync(join(tmpdir(), "edge-ner-folder-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

type Files = Readonly<Record<string, Uint8Array>>;

/** A folder in memory that remembers what it was asked for, and refuses what it does not list. */
function folderOf(files: Files): Folder & { asked: string[] } {
  const asked: string[] = [];
  return {
    location: "memory",
    names: Object.keys(files),
    asked,
    read(name): Promise<Uint8Array> {
      asked.push(name);
      return name in files
        ? Promise.resolve(files[name]!)
        : Promise.reject(new Error(`read ${name}`));
    },
  };
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

// Three models: of an export, of a checkpoint (and a graph of the same weights), and of a package.
const tiny = (name: string): Uint8Array => shared(`tiny-torchscript/${name}`);
const graph = tiny("model.onnx");
const beside = { "config.json": tiny("config.json"), "tokenizer.json": tiny("tokenizer.json") };
const exported = bundleFromExport({
  model: graph,
  config: beside["config.json"],
  tokenizer: beside["tokenizer.json"],
});
const checkpoint = local("model.safetensors");
const besideCheckpoint = {
  "config.json": local("config.json"),
  "vocab.txt": text("[PAD] [UNK] [CLS] [SEP] a b c d e f g".replaceAll(" ", "\n")),
};
const negated = exported.weights.classifier.bias.map((x) => -x);
const { weights } = exported;
const packed = writePackage({
  ...exported,
  weights: { ...weights, classifier: { ...weights.classifier, bias: negated } },
});
const { model: outside, data } = moveWeightsOut(graph, "weights.data");
const shard = "model-00001-of-00001.safetensors";
const index = text(JSON.stringify({
  weight_map: Object.fromEntries(
    [...readSafetensors(checkpoint).tensors.keys()].map((name) => [name, shard]),
  ),
}));
const junk = text("junk");

/** The files in a folder within the folder. */
function prefixed(place: string, files: Files): Files {
  return Object.fromEntries(Object.entries(files).map(([name, bytes]) => [place + name, bytes]));
}

const tokenizer = (place: string): Files =>
  prefixed(place, { "tokenizer.json": beside["tokenizer.json"] });

/** What a folder is read as, or a part of the message with which it is refused. */
const FOLDERS: readonly (readonly [Files, "export" | "checkpoint" | "package" | RegExp])[] = [
  [{ "model.onnx": graph, ...beside, "README.md": junk, "pytorch_model.bin": junk }, "export"],
  [{ "encoder_quantized.onnx": graph, ...beside }, "export"],
  [{ "MODEL.ONNX": graph, ...beside }, "export"],
  [{ "model.onnx": graph, "model_fp16.onnx": junk, ...beside }, "export"],
  [{ "model.onnx": outside, "weights.data": data, ...beside }, "export"],
  [{ "graph.onnx": outside, "weights.data": data, "else.data": junk, ...beside }, "export"],
  // A graph says more of a model than a checkpoint does, and either more than a package.
  [{ "model.onnx": graph, "model.safetensors": junk, ...beside }, "export"],
  [{ "graph.onnx": graph, "model.safetensors": junk, ...beside }, "export"],
  [{ "graph.onnx": graph, "small.ner": junk, ...beside }, "export"],
  [{ "model.safetensors": checkpoint, ...besideCheckpoint }, "checkpoint"],
  [{ "model.safetensors": checkpoint, "small.ner": junk, ...besideCheckpoint }, "checkpoint"],
  [
    { "a.onnx": junk, "b.onnx": junk, "model.safetensors": checkpoint, ...besideCheckpoint },
    "checkpoint",
  ],
  [
    { "model.safetensors.index.json": index, [shard]: checkpoint, ...besideCheckpoint },
    "checkpoint",
  ],
  [{ "model.safetensors": packed }, "package"],
  [{ "model.safetensors": packed, "config.json": junk }, "package"],
  [{ "small.ner": packed, "README.md": junk }, "package"],
  [{ "small.SafeTensors": packed, "config.json": junk, "tokenizer.json": junk }, "package"],
  [{ "graph.onnx": junk, "small.ner": packed }, "package"],
  [{ "a.onnx": junk, "b.onnx": junk, "small.ner": packed }, "package"],
  [{ "model.safetensors.index.json": index, "small.ner": packed }, "package"],
  // The hub's layout: graphs in onnx/, what goes with them above it, or beside.
  [{ "onnx/model.onnx": graph, "onnx/model_q4.onnx": junk, ...beside }, "export"],
  [{ "onnx/model.onnx": graph, "model.safetensors": junk, ...beside }, "export"],
  [{ "onnx/model_quantized.onnx": graph, "onnx/model_q4.onnx": junk, ...beside }, "export"],
  [{ "model_fp16.onnx": graph, "model_q4.onnx": junk, ...beside }, "export"],
  [{ "model_quantized.onnx": graph, ...beside }, "export"],
  [
    { "onnx/model.onnx": graph, "onnx/config.json": beside["config.json"], ...tokenizer("onnx/") },
    "export",
  ],
  [{ "onnx/model.onnx": outside, "onnx/weights.data": data, ...beside }, "export"],
  [
    { "onnx/model_q4.onnx": junk, "model.safetensors": checkpoint, ...besideCheckpoint },
    "checkpoint",
  ],
  // sentence-transformers', of before and of now.
  [
    {
      "modules.json": junk,
      "0_Transformer/model.safetensors": checkpoint,
      ...prefixed("0_Transformer/", besideCheckpoint),
    },
    "checkpoint",
  ],
  [{ "modules.json": junk, "onnx/model.onnx": graph, ...beside }, "export"],
  [{ "onnx/model_q4.onnx": junk, "small.ner": packed }, "package"],
  [{ "onnx/model.onnx": graph }, /has onnx\/model\.onnx but no config\.json/],
  [{}, /no other ONNX file, no packed model and no config\.json/],
  [{ "README.md": junk }, /holds no model\.onnx/],
  [{ "model.onnx": graph }, /has model\.onnx but no config\.json/],
  [{ "model.onnx": graph, "small.ner": packed }, /has model\.onnx but no config\.json/],
  [{ "graph.onnx": graph }, /1 other ONNX file \(graph\.onnx\).*no config\.json/],
  [{ "a.onnx": graph, "b.onnx": graph, ...beside }, /2 other ONNX files \(a\.onnx, b\.onnx\)/],
  [{ "a.ner": packed, "b.safetensors": packed }, /2 packed models \(a\.ner, b\.safetensors\)/],
  [{ "model.safetensors.index.json": index, [shard]: checkpoint }, /no config\.json/],
  [{ "pytorch_model.bin": junk, "config.json": junk }, /is a pickle/],
];

/** What a way in makes of a folder: the model, or why there is none. */
async function outcome(read: () => Promise<ModelBundle>): Promise<ModelBundle | RuntimeError> {
  try {
    return await read();
  } catch (error) {
    assert.instance(error, RuntimeError, String(error));
    return error as RuntimeError;
  }
}

test("both ways in read and refuse the same folders, as the same models", async () => {
  for (const [i, [files, expected]] of FOLDERS.entries()) {
    const path = join(scratch, String(i)), names = Object.keys(files).join(" ");
    mkdirSync(path);
    for (const [name, bytes] of Object.entries(files)) {
      mkdirSync(dirname(join(path, name)), { recursive: true });
      writeFileSync(join(path, name), bytes);
    }
    const loaded = await outcome(() => loadBundle(path));
    const read = await outcome(async () => bundleFromFolder((await readModelFiles(path)).content));
    if (expected instanceof RegExp) {
      for (const error of [loaded, read]) {
        assert.instance(error, RuntimeError, names);
        assert.is((error as RuntimeError).code, "runtime/folder", names);
        assert.match((error as RuntimeError).message, expected, names);
      }
      continue;
    }
    assert.not.instance(loaded, RuntimeError, `${names}: ${(loaded as RuntimeError).message}`);
    const folder = folderOf(files), content = await readFolder(folder);
    assert.is(content.kind, expected, names);
    assert.is((await readModelFiles(path)).content.kind, expected, names);
    for (const name of folder.asked) assert.not.equal(files[name], junk, `${names}: read ${name}`);
    const found = floatsOf((loaded as ModelBundle).weights);
    sameBits(found, floatsOf(bundleFromFolder(content).weights));
    sameBits(found, floatsOf((read as ModelBundle).weights));
  }
});

test("each kind is read to its own model", async () => {
  const packedWeights = readPackage(packed).weights;
  for (const [files, kind] of FOLDERS) {
    if (kind instanceof RegExp || kind === "checkpoint") continue;
    const bundle = bundleFromFolder(await readFolder(folderOf(files)));
    sameBits(floatsOf(bundle.weights), floatsOf(kind === "export" ? weights : packedWeights));
  }
});

test("a graph that is asked for is taken, whatever else there is", async () => {
  const files = { "model.onnx": junk, "other.onnx": graph, "small.ner": junk, ...beside };
  const folder = folderOf(files), content = await readFolder(folder, { graph: "other.onnx" });
  assert.is(content.kind, "export");
  sameBits(floatsOf(bundleFromFolder(content).weights), floatsOf(weights));
  assert.not(folder.asked.includes("model.onnx"));
});

test("a graph of a type is taken where there are several, or its absence said", async () => {
  const files = { "model.onnx": junk, "onnx/model_quantized.onnx": graph, ...beside };
  const folder = folderOf(files), content = await readFolder(folder, { dtype: "q8" });
  sameBits(floatsOf(bundleFromFolder(content).weights), floatsOf(weights));
  assert.not(folder.asked.includes("model.onnx"));
  try {
    await readFolder(folder, { dtype: "fp16" });
    assert.unreachable();
  } catch (error) {
    assert.is((error as RuntimeError).code, "runtime/folder");
    assert.match(
      String(error),
      /model_fp16\.onnx.*it has model\.onnx, onnx\/model_quantized\.onnx/,
    );
  }
});

test("a path may be that of a graph or of onnx/: what goes with it lies beside or above", async () => {
  const path = join(scratch, "hub"), files = { "onnx/model_q4.onnx": graph, ...beside };
  mkdirSync(join(path, "onnx"), { recursive: true });
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(path, name), bytes);
  for (const source of ["onnx/model_q4.onnx", "onnx", "onnx/", ""]) {
    const bundle = await outcome(() => loadBundle(join(path, source)));
    sameBits(floatsOf((bundle as ModelBundle).weights), floatsOf(weights));
  }
  // A folder that only happens to be called so, with all that it needs.
  const own = join(scratch, "alone", "onnx");
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, "..", "config.json"), "{}");
  writeFileSync(join(own, "model.onnx"), graph);
  for (const [name, bytes] of Object.entries(beside)) writeFileSync(join(own, name), bytes);
  const bundle = await outcome(() => loadBundle(own));
  sameBits(floatsOf((bundle as ModelBundle).weights), floatsOf(weights));
});

test("external data are looked up among the folder's names, and never followed", async () => {
  for (const location of ["../secret", "/etc/passwd", "C:\\secret", "a/../../b", "missing", ""]) {
    const { model } = moveWeightsOut(graph, location);
    const folder = folderOf({ "model.onnx": model, ...beside });
    const content = await readFolder(folder);
    assert.throws(
      () => bundleFromFolder(content),
      (error: unknown) => error instanceof FormatError && error.code === "onnx/external",
    );
    assert.not(folder.asked.includes(location), location);
  }
});

test("external data of constants within nodes are found; what is inside the file needs none", () => {
  const outside = (name: string, location: string): TensorSpec => ({
    name,
    dims: [1],
    location: 1,
    external: { location },
  });
  const value = tensorAttribute("value", outside("", "constants.data"));
  const bytes = modelBytes({
    tensors: [outside("w", "weights.data"), outside("v", "weights.data"), {
      name: "u",
      dims: [1],
      floats: [1],
      external: { location: "unused.data" },
    }],
    nodes: [{ op: "Constant", outputs: ["c"], attributes: [value] }],
  });
  assert.equal([...externalNames(bytes)], ["weights.data", "constants.data"]);
});

test.run();
