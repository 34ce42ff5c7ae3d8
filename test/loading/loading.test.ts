/** The parts of src/runtime/ that need no particular runtime: sources, folders, kernels. @module */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FormatError, type RuntimeError } from "../../src/errors.ts";
import { bundleFromExport } from "../../src/formats/read_export.ts";
import { readFolder } from "../../src/runtime/folder.ts";
import { compileKernels, embeddedKernels } from "../../src/runtime/kernels.ts";
import { asUrl, type Folder, ioError } from "../../src/runtime/source.ts";
import { moveWeightsOut } from "../runtime/external.ts";

const tiny = new URL("../fixtures/tiny-torchscript/", import.meta.url);

async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    return (error as RuntimeError).code;
  }
  return "nothing was thrown";
}

/** A folder in memory that remembers what it was asked for, and refuses what it does not list. */
function folderOf(files: Record<string, Uint8Array>): Folder & { asked: string[] } {
  const asked: string[] = [];
  return {
    location: "memory",
    names: Object.keys(files),
    asked,
    read(name): Promise<Uint8Array> {
      asked.push(name);
      return name in files
        ? Promise.resolve(files[name])
        : Promise.reject(new Error(`read ${name}`));
    },
  };
}

async function exportFiles(...names: string[]): Promise<Record<string, Uint8Array>> {
  const files: Record<string, Uint8Array> = {};
  for (const name of names) files[name] = await Deno.readFile(new URL(name, tiny));
  return files;
}

test("a source is a URL if it has a scheme, and a path otherwise", () => {
  for (const path of ["a/b", "./a", "/a", "C:\\a", "c:/a", "a b:c", "model.ner", "../x"]) {
    assert.is(asUrl(path), undefined, path);
  }
  for (
    const url of ["https://a/b", "HTTP://a", "file:///a", "data:,x", "blob:https://a/b", "ftp://a"]
  ) {
    assert.instance(asUrl(url), URL, url);
  }
  const url = new URL("https://a/b");
  assert.is(asUrl(url), url);
  for (const wrong of ["", "https://", undefined, null, 1, {}, new Uint8Array(1), []]) {
    assert.throws(() => asUrl(wrong as string), (e: RuntimeError) => e.code === "runtime/source");
  }
});

test("failures of the system get one code, whichever runtime names them", () => {
  const codes = [
    [{ name: "NotFound" }, "runtime/not-found"],
    [{ name: "Error", code: "ENOENT" }, "runtime/not-found"],
    [{ name: "NotCapable" }, "runtime/permission"],
    [{ name: "Error", code: "EACCES" }, "runtime/permission"],
    [{ name: "Error", code: "ERR_ACCESS_DENIED" }, "runtime/permission"],
    [{ name: "RangeError", code: "ERR_FS_FILE_TOO_LARGE" }, "runtime/read"],
    ["a string", "runtime/read"],
    [undefined, "runtime/read"],
    [null, "runtime/read"],
  ] as const;
  for (const [cause, code] of codes) {
    const error = ioError("read", "somewhere", cause);
    assert.is(error.code, code);
    assert.is(error.cause, cause);
    assert.match(error.message, "somewhere");
  }
});

test("a folder with an export hands over its files by role", async () => {
  const folder = folderOf({
    ...await exportFiles("model.onnx", "config.json", "tokenizer.json", "crf.safetensors"),
    "pytorch_model.bin": new Uint8Array(1),
  });
  const content = await readFolder(folder);
  assert.ok("export" in content);
  if ("export" in content) assert.is(bundleFromExport(content.export).crf !== undefined, true);
  assert.not(folder.asked.includes("pytorch_model.bin"));
});

test("external data are looked up among the folder's names, and never followed", async () => {
  const files = await exportFiles("model.onnx", "config.json", "tokenizer.json", "crf.safetensors");
  for (
    const location of ["weights.data", "../secret", "/etc/passwd", "C:\\secret", "a/../../b", ""]
  ) {
    const { model, data } = moveWeightsOut(files["model.onnx"], location);
    const there = location === "weights.data";
    const folder = folderOf({ ...files, "model.onnx": model, ...(there && { [location]: data }) });
    const content = await readFolder(folder);
    const read = (): unknown => "export" in content && bundleFromExport(content.export);
    if (there) read();
    else {
      assert.throws(read, (e: unknown) => e instanceof FormatError && e.code === "onnx/external");
      assert.not(folder.asked.includes(location), location);
    }
  }
});

test("a folder without a model says what it expected", async () => {
  const bytes = new Uint8Array(1);
  const { "model.onnx": onnx } = await exportFiles("model.onnx");
  const folders: Record<string, Uint8Array>[] = [
    {},
    { "a.txt": bytes },
    { "a.ner": bytes, "b.safetensors": bytes },
    { "model.onnx": onnx },
  ];
  for (const files of folders) {
    assert.is(await codeOf(() => readFolder(folderOf(files))), "runtime/folder");
  }
  for (const name of ["a.ner", "model.safetensors", "A.SafeTensors"]) {
    const content = await readFolder(folderOf({ [name]: bytes, "README.md": bytes }));
    assert.equal(content, { package: bytes });
  }
});

test("a kernel that the engine does not know is dropped; none left is an error", async () => {
  const baseline = await Deno.readFile(new URL("../../wasm/baseline.wasm", import.meta.url));
  const unknown = new Uint8Array([0, 0x61, 0x73, 0x6d, 2, 0, 0, 0]);
  assert.is((await compileKernels([unknown, baseline])).length, 1);
  assert.is(await codeOf(() => compileKernels([unknown, unknown])), "runtime/no-simd");
  assert.is((await embeddedKernels()).length, 2);
  assert.is(await embeddedKernels(), await embeddedKernels(), "compiled once");
});

test("a runtime that forbids compiling is told from one that cannot", async () => {
  const baseline = await Deno.readFile(new URL("../../wasm/baseline.wasm", import.meta.url));
  const compile = WebAssembly.compile;
  try {
    WebAssembly.compile = (): Promise<never> =>
      Promise.reject(new WebAssembly.CompileError("forbidden"));
    assert.is(await codeOf(() => compileKernels([baseline])), "runtime/wasm-blocked");
  } finally {
    WebAssembly.compile = compile;
  }
});

test.run();
