/** The parts of src/runtime/ that need no particular runtime: sources and kernels. @module */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { RuntimeError } from "../../src/errors.ts";
import { compileKernels, embeddedKernels } from "../../src/runtime/kernels.ts";
import { asUrl, ioError } from "../../src/runtime/source.ts";

async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    return (error as RuntimeError).code;
  }
  return "nothing was thrown";
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

test("a kernel that the engine does not know is dropped; none left is an error", async () => {
  const baseline = await Deno.readFile(new URL("../../wasm/baseline.wasm", import.meta.url));
  const unknown = new Uint8Array([0, 0x61, 0x73, 0x6d, 2, 0, 0, 0]);
  assert.is((await compileKernels([unknown, baseline])).length, 1);
  assert.is(await codeOf(() => compileKernels([unknown, unknown])), "runtime/no-simd");
  assert.is((await embeddedKernels()).length, 3, "pairs, relaxed, baseline");
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
