/**
 * tools/build/replace.ts: builds that end at the same time.
 *
 * @module
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { pathToFileURL } from "node:url";
import { alone, replaceFolder } from "../../tools/build/replace.ts";

const root = pathToFileURL(`${await Deno.makeTempDir({ prefix: "edge-ner-replace-" })}/`);
const lock = new URL("lock", root), place = new URL("place/", root);

test("of builds that end at once one stays, whole", async () => {
  const builds = Array.from({ length: 16 }, (_, i) => new URL(`build-${i}/`, root));
  for (const build of builds) {
    await Deno.mkdir(new URL("below/", build), { recursive: true });
    for (const name of ["a", "below/b"]) {
      await Deno.writeTextFile(new URL(name, build), build.pathname);
    }
  }
  await Promise.all(builds.map((build) => replaceFolder(build, place, lock)));
  const a = await Deno.readTextFile(new URL("a", place));
  assert.ok(builds.some(({ pathname }) => pathname === a));
  assert.is(await Deno.readTextFile(new URL("below/b", place)), a);
  const left = (await Array.fromAsync(Deno.readDir(root))).map(({ name }) => name).sort();
  assert.equal(left, ["lock", "place"]);
});

test("a lock is given back by who fails", async () => {
  const error = new Error("no");
  assert.is(await alone(lock, () => Promise.reject(error)).catch((thrown) => thrown), error);
  assert.is(await alone(lock, () => Promise.resolve(1)), 1);
});

test.after(() => Deno.remove(root, { recursive: true }));
test.run();
