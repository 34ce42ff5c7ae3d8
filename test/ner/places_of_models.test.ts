/** What is no model's file: links that lead out of a folder, and pipes and devices that never end. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Ner, RuntimeError } from "../../mod.ts";
import { checkFile } from "../../src/cli/replace.ts";

const model = fileURLToPath(new URL("../../models/meder/meder-int8.safetensors", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "edge-ner-places-"));

async function codeOf(folder: string): Promise<string> {
  const error = await Ner.load(join(root, folder)).then((ner) => ner.close(), (e: unknown) => e);
  assert.instance(error, RuntimeError);
  return `${(error as RuntimeError).code}: ${(error as RuntimeError).message}`;
}

test("a link within the folder or to a hub's blobs is followed, one that leads out is refused", async () => {
  mkdirSync(join(root, "blobs"));
  Deno.copyFileSync(model, join(root, "blobs", "0123abcd"));
  mkdirSync(join(root, "snapshots", "main"), { recursive: true });
  symlinkSync("../../blobs/0123abcd", join(root, "snapshots", "main", "model.safetensors"));
  using ner = await Ner.load(join(root, "snapshots", "main"), { threads: 1 });
  assert.ok(ner.info().labels.length > 1);
  mkdirSync(join(root, "out"));
  symlinkSync(model, join(root, "out", "model.safetensors"));
  assert.match(await codeOf("out"), /runtime\/read.*leads out/);
});

test("devices and pipes are refused, in a folder and by path", async () => {
  mkdirSync(join(root, "device"));
  symlinkSync("/dev/zero", join(root, "device", "model.safetensors"));
  assert.match(await codeOf("device"), /runtime\/read/);
  const error = await Ner.load("/dev/zero").catch((e: unknown) => e);
  assert.is((error as RuntimeError).code, "runtime/read");
});

test("nothing but a regular file is replaced by what is written", () => {
  const link = join(root, "dangling");
  symlinkSync(join(root, "nowhere"), link);
  assert.throws(() => checkFile(link, { force: true }), /is not a regular file/);
  assert.throws(() => checkFile("/dev/null", { force: true }), /is not a regular file/);
  checkFile(join(root, "new"), { force: false });
});

test.after(() => rmSync(root, { recursive: true }));
test.run();
