/** What a packed model asks of the operating system: by Deno's names the same as by Node's, and nothing of Node to begin with. */
import * as esbuild from "esbuild";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { fileChunks } from "../../src/runtime/files.ts";
import { ioError } from "../../src/runtime/source.ts";
import * as node from "../../src/runtime/system.ts";
import * as deno from "../../src/runtime/system_deno.ts";
import { systemBeside } from "../../tools/build/platform.ts";

const scratch = mkdtempSync(join(tmpdir(), "edge-ner-system-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
const file = join(scratch, "a file"), bytes = Uint8Array.from({ length: 1000 }, (_, i) => i);
writeFileSync(file, bytes);
mkdirSync(join(scratch, "folder"));

/** What a call gives, or the code of the error that the library makes of its failure. */
async function outcome<T>(call: () => Promise<T>): Promise<T | string> {
  try {
    return await call();
  } catch (error) {
    return ioError("read", file, error).code;
  }
}

test("paths lead to the same", async () => {
  for (const name of ["a file", "folder", "nothing", "a file/below"]) {
    const [a, b] = await Promise.all(
      [node, deno].map(({ kindOf }) =>
        outcome(async () => {
          const { isFile, isDirectory, size } = await kindOf(join(scratch, name));
          return { isFile, isDirectory, size };
        })
      ),
    );
    assert.equal(b, a, name);
  }
});

test("files are read to their end", async () => {
  for (const { openFile } of [node, deno]) {
    const open = await openFile(file), all: number[] = [], into = new Uint8Array(300);
    for (let read = await open.read(into); read > 0; read = await open.read(into)) {
      all.push(...into.subarray(0, read));
    }
    await open.close();
    assert.equal(Uint8Array.from(all), bytes);
    assert.is(await outcome(() => openFile(join(scratch, "nothing"))), "runtime/not-found");
  }
});

test("file: URLs have the same paths, or none", async () => {
  const urls = ["/a/b%20c/%E0%A6%9C.st?q#h", "/a%2Fb", "/a%zz", "//machine/a", "/C:/x", "/a/../b"];
  for (const url of urls.map((path) => new URL(`file:${path}`))) {
    const [a, b] = await Promise.all(
      [node, deno].map(({ pathOf }) => pathOf(url).catch(() => "none")),
    );
    assert.is(b, a, url.href);
  }
  assert.is(await deno.pathOf(pathToFileURL(file)), file);
  assert.is(deno.cores, node.cores);
});

test("a file comes in pieces, of which the next one leaves the last alone until it is asked for", async () => {
  const large = join(scratch, "large"), size = (2 << 20) + 5;
  const content = Uint8Array.from({ length: size }, (_, i) => i * 2654435761 >> 20);
  writeFileSync(large, content);
  let at = 0;
  for await (const chunk of fileChunks(large)) {
    // Time for the next to be read.
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(chunk, content.subarray(at, at += chunk.length));
  }
  assert.is(at, size);
  // And who looks at the beginning alone leaves nothing open.
  for await (const chunk of fileChunks(large)) {
    assert.ok(chunk.length > 0);
    break;
  }
});

test("what the package's entry loads first imports no module of Node but the system", async () => {
  const { outputFiles, metafile } = await esbuild.build({
    absWorkingDir: decodeURIComponent(new URL("../../", import.meta.url).pathname),
    entryPoints: { index: "mod.ts" },
    outdir: "dist",
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    platform: "node",
    external: ["npm:*"],
    plugins: [systemBeside],
    metafile: true,
    write: false,
  });
  await esbuild.stop();
  assert.ok(outputFiles.length > 1);
  const foreign = new Set<string>(), seen = new Set<string>();
  const follow = (output: string): void => {
    if (seen.has(output)) return;
    seen.add(output);
    for (const { path, kind, external } of metafile.outputs[output].imports) {
      if (kind !== "import-statement") continue;
      if (external) foreign.add(path);
      else follow(path);
    }
  };
  follow("dist/index.js");
  assert.equal([...foreign].filter((path) => !path.startsWith("npm:")), ["#system"]);
});

test.run();
