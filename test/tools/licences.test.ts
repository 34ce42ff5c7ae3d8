/** The licences that go with a bundle. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { licencesOf, packageOf } from "../../tools/build/licences.ts";

test("a bundled file is of the innermost package around it", () => {
  assert.is(packageOf("src/cli/main.ts"), undefined);
  assert.is(packageOf("node_modules/a/lib/x.js"), "node_modules/a");
  assert.is(packageOf("node_modules/@a/b/x.js"), "node_modules/@a/b");
  const deep = "node_modules/.deno/a@1.0.0/node_modules/b";
  assert.is(packageOf(`${deep}/x.js`), deep);
});

test("each package's licence is there once, and a package without one is an error", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const root = new URL(`file://${folder}/`);
    for (const name of ["b", "a", "bare"]) {
      await Deno.mkdir(new URL(`node_modules/${name}`, root), { recursive: true });
      await Deno.writeTextFile(
        new URL(`node_modules/${name}/package.json`, root),
        JSON.stringify({ name, version: "1.0.0", license: "MIT" }),
      );
    }
    await Deno.writeTextFile(new URL("node_modules/a/LICENSE", root), "Copyright A\n");
    await Deno.writeTextFile(new URL("node_modules/b/licence.md", root), "Copyright B\n");
    await Deno.writeTextFile(new URL("node_modules/b/NOTICE", root), "Notice B\n");
    await Deno.writeTextFile(new URL("node_modules/bare/NOTICE", root), "no licence\n");
    const inputs = [
      "node_modules/b/x.js",
      "node_modules/a/x.js",
      "node_modules/a/y.js",
      "src/z.ts",
    ];
    assert.is(
      await licencesOf(inputs, root),
      `a 1.0.0 (MIT)\n\nCopyright A\n\n${
        "-".repeat(80)
      }\n\nb 1.0.0 (MIT)\n\nCopyright B\n\nNotice B\n`,
    );
    try {
      await licencesOf(["node_modules/bare/x.js"], root);
      assert.unreachable();
    } catch (error) {
      assert.match((error as Error).message, "bare is bundled and has no licence file.");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test.run();
