/** The check of the doors between rooms: that each rule can be broken, and what is said then. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Arrow, readArrows } from "../../tools/check/arrows.ts";
import { ALL, NEVER, ROOMS } from "../../tools/check/doors.ts";
import { allFiles, isSource } from "../../tools/check/files.ts";
import { type House, judge } from "../../tools/check/judge.ts";

const HOUSE: House = {
  rooms: {
    "errors.ts": { imports: [], packages: [] },
    "model/": { imports: ["errors.ts"], packages: ["npm:fflate"] },
    "model/deep/": { imports: ["model/"], types: ["errors.ts"], packages: ["node:"] },
    "ner/": { imports: ["model/", "model/deep/"] },
    "later/": { imports: ["ner/"] },
    "test/": { imports: [ALL] },
  },
  never: [["model/", ["npm:huge", "test/"]], ["test/", ["errors.ts"]]],
};

/** Arrows written as `from > to`, or `from >> to` where only types are imported. */
function problemsOf(...written: readonly string[]): readonly string[] {
  const arrows = written.map((each): Arrow => {
    const [from, kind, to] = each.split(" ");
    return { from: from!, to: to!, type: kind === ">>" };
  });
  const files = new Set(
    arrows.flatMap(({ from, to }) => [from, to]).filter((f) => !f.includes(":")),
  );
  return judge([...files].sort(), arrows, HOUSE).problems;
}

test("what the table allows is no problem", () => {
  assert.equal(
    problemsOf(
      "model/a.ts > errors.ts",
      "model/a.ts > model/b.ts",
      "model/a.ts > npm:fflate",
      "model/deep/a.ts > model/a.ts",
      "model/deep/a.ts >> errors.ts",
      "model/deep/a.ts > node:fs",
      "ner/a.ts > npm:anything",
      "test/a.test.ts > ner/b.ts",
    ),
    [],
  );
});

test("an import through no door names both files and the doors that there are", () => {
  assert.equal(problemsOf("ner/a.ts > errors.ts"), [
    "ner/a.ts imports errors.ts: ner/ may import model/, model/deep/.",
  ]);
  assert.equal(problemsOf("errors.ts >> model/a.ts"), [
    "errors.ts imports model/a.ts: errors.ts may import no other room.",
  ]);
  assert.equal(problemsOf("model/a.ts > model/deep/a.ts"), [
    "model/a.ts imports model/deep/a.ts: model/ may import errors.ts.",
  ]);
});

test("a value through a door for types, and a package, are refused", () => {
  assert.equal(problemsOf("model/deep/a.ts > errors.ts"), [
    "model/deep/a.ts imports values of errors.ts: model/deep/ may import only types of errors.ts.",
  ]);
  assert.equal(problemsOf("model/a.ts > npm:other"), [
    "model/a.ts imports npm:other: model/ may import npm:fflate.",
  ]);
  assert.equal(problemsOf("errors.ts >> node:fs"), [
    "errors.ts imports node:fs: errors.ts may import no package.",
  ]);
});

test("circles are told once each, of types too, within a room and across", () => {
  assert.equal(
    problemsOf("ner/a.ts > ner/b.ts", "ner/b.ts >> ner/c.ts", "ner/c.ts > ner/a.ts"),
    ["ner/a.ts -> ner/b.ts -> ner/c.ts -> ner/a.ts: a circle; what both sides need wants a file of its own."],
  );
  assert.is(problemsOf("ner/a.ts > ner/a.ts").length, 1);
  assert.is(
    problemsOf(
      "ner/a.ts > ner/b.ts",
      "ner/b.ts > ner/a.ts",
      "ner/c.ts > ner/d.ts",
      "ner/d.ts > ner/c.ts",
    )
      .length,
    2,
  );
});

test("what must not be reached is found through other rooms, with the way", () => {
  assert.equal(
    problemsOf("test/a.ts > ner/a.ts", "ner/a.ts > model/a.ts", "model/a.ts > errors.ts"),
    [
      "test/a.ts -> ner/a.ts -> model/a.ts -> errors.ts: nothing in test/ may reach errors.ts.",
    ],
  );
  assert.ok(
    problemsOf("model/a.ts > npm:huge").includes(
      "model/a.ts -> npm:huge: nothing in model/ may reach npm:huge.",
    ),
  );
});

test("a file in no room, and a table that contradicts itself, are problems", () => {
  assert.match(problemsOf("stray/a.ts > errors.ts")[0]!, /^stray\/a\.ts is in no room/);
  const rooms = { "a/": { imports: ["b/", "c/", "a/"] }, "b/": { imports: [] } };
  assert.equal(judge([], [], { rooms, never: [] }).problems, [
    "The table lets a/ import b/, which does not stand above it.",
    "The table lets a/ import c/, which is no room.",
    "The table lets a/ import a/, which does not stand above it.",
  ]);
});

test("the printed table counts arrows and names rooms that are to come", () => {
  const files = ["errors.ts", "model/a.ts", "model/b.ts", "ner/a.ts"];
  const arrows = [
    { from: "model/a.ts", to: "errors.ts", type: false },
    { from: "model/b.ts", to: "errors.ts", type: true },
    { from: "model/a.ts", to: "model/b.ts", type: false },
    { from: "ner/a.ts", to: "model/a.ts", type: false },
  ];
  assert.equal(judge(files, arrows, HOUSE).table.split("\n"), [
    "4 files, 4 arrows between them, 3 through doors",
    "errors.ts   1 file -> nothing",
    "model/      2 files -> errors.ts 2, npm:fflate 0",
    "model/deep/ to come -> model/, types of errors.ts",
    "ner/        1 file -> model/ 1, model/deep/ 0",
    "later/      to come -> ner/",
    "test/       to come -> any room above",
  ]);
});

test("the table of this repository does not contradict itself", () => {
  assert.equal(judge([], [], { rooms: ROOMS, never: NEVER }).problems, []);
  // A promise about a name that no room has would hold for ever.
  const names = Object.keys(ROOMS);
  for (const [room, others] of NEVER) {
    for (const name of [room, ...others].filter((each) => !each.startsWith("npm:"))) {
      assert.ok(names.some((each) => each.startsWith(name)), name);
    }
  }
});

test("arrows are read by parsers: every form of import, types apart, kernels too", async () => {
  const folder = await Deno.realPath(await Deno.makeTempDir());
  try {
    const root = new URL(`file://${folder}/`);
    const files: Record<string, string> = {
      "src/a.ts": 'import { b } from "./b.ts";\nimport type { C } from "./c.ts";\n' +
        'export * from "./d.ts";\nexport type { E } from "./e.ts";\nimport "./f.ts";\n' +
        'const g = await import("./g.ts");\n// import "./comment.ts"\n' +
        'const text = \'import "./text.ts"\';\nimport process from "node:process";\n' +
        "export { b, type C, g, process, text };\n",
      "src/b.ts":
        'import type { C } from "./c.ts";\nimport { c } from "./c.ts";\nexport const b: C = c;\n',
      "src/c.ts": "export type C = number;\nexport const c = 1;\n",
      "src/d.ts": 'import { type C } from "./c.ts";\nexport const d: C = 1;\n',
      "src/e.ts": "export type E = number;\n",
      "src/f.ts": 'export type F = import("./e.ts").E;\n',
      "src/g.ts": "",
      "kernels/x.ts": 'import { y } from "./y";\nexport * from "./one/z";\nimport "./family/w";\n' +
        "// @ts-ignore: decorator\n@inline\nexport function x(): i32 { return y(); }\n",
      "kernels/y.ts": "export function y(): i32 { return 1; }\n",
      "kernels/one/z.ts": "export const z: i32 = 1;\n",
      "kernels/one/w.ts": "export const w: i32 = 1;\n",
      "kernels/two/w.ts": 'import { y } from "../y";\nexport const w: i32 = y();\n',
    };
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(new URL(".", new URL(path, root)), { recursive: true });
      await Deno.writeTextFile(new URL(path, root), text);
    }
    await Deno.mkdir(new URL("src/fixtures/", root));
    await Deno.writeTextFile(new URL("src/fixtures/x.ts", root), "");
    await Deno.writeTextFile(new URL("src/x.d.ts", root), "");
    const found = (await allFiles(root)).filter(isSource);
    assert.equal(found, Object.keys(files).sort());
    const arrows = (await readArrows(root, found))
      .map(({ from, to, type }) => `${from} ${type ? ">>" : ">"} ${to}`).sort();
    assert.equal(arrows, [
      "kernels/two/w.ts > kernels/y.ts",
      "kernels/x.ts > kernels/one/w.ts",
      "kernels/x.ts > kernels/one/z.ts",
      "kernels/x.ts > kernels/two/w.ts",
      "kernels/x.ts > kernels/y.ts",
      "src/a.ts > node:process",
      "src/a.ts > src/b.ts",
      "src/a.ts > src/d.ts",
      "src/a.ts > src/f.ts",
      "src/a.ts > src/g.ts",
      "src/a.ts >> src/c.ts",
      "src/a.ts >> src/e.ts",
      "src/b.ts > src/c.ts",
      "src/d.ts > src/c.ts",
      "src/f.ts >> src/e.ts",
    ]);
    for (const text of ['import "nowhere";\n', "export const = 1;\n"]) {
      await Deno.writeTextFile(new URL("src/g.ts", root), text);
      const error = await readArrows(root, found).then(() => undefined, (e: Error) => e);
      assert.match(error?.message ?? "no error", /src\/g\.ts (imports "nowhere"|cannot be read)/);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test.run();
