/** Error codes: declared once, thrown somewhere, and documented with the class that they belong to. */
import { readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";

const root = new URL("../", import.meta.url);
const source = readFileSync(new URL("src/errors.ts", root), "utf8");

/** `code class` as src/errors.ts declares them, in its order. */
const declared = [...source.matchAll(/export type (\w+Error)Code =\n((?: +\| "[^"]+";?\n)+)/g)]
  .flatMap(([, kind, codes]) =>
    [...codes!.matchAll(/"([^"]+)"/g)].map(([, code]) => `${code} ${kind}`)
  );

test("docs/errors.md lists the codes that are declared, each with its class", () => {
  const docs = readFileSync(new URL("docs/errors.md", root), "utf8");
  const rows = [...docs.matchAll(/^\| `([^`]+)` \| (\w+) \| ([^|]+) \| ([^|]+) \|$/gm)];
  assert.equal(rows.map(([, code, kind]) => `${code} ${kind}`).sort(), [...declared].sort());
  assert.ok(declared.length > 50, "declarations were found");
});

test("a code belongs to one class, is spelled room/what, and is thrown somewhere", () => {
  const codes = declared.map((line) => line.split(" ")[0]!);
  assert.is(new Set(codes).size, codes.length);
  const files = readdirSync(new URL("src/", root), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && name !== "errors.ts");
  const thrown = files.map((name) => readFileSync(new URL(`src/${name}`, root), "utf8")).join("");
  for (const code of codes) {
    assert.match(code, /^[a-z]+\/[a-z0-9]+(-[a-z0-9]+)*$/);
    assert.ok(thrown.includes(`"${code}"`), `${code} is thrown nowhere`);
  }
});

test.run();
