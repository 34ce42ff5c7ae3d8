/**
 * Everything that can be checked without running the library: `deno task check`.
 *
 * Format, lint, names, the doors between rooms, types (Deno's for all files, TypeScript's own for the published entry
 * points, which adds the files that only a bundler sees), documentation of all that the faces export, that the
 * files which documents name are there, and that wasm/ and the packages of models/ are what their sources build to. Every
 * check runs even when an earlier one fails.
 *
 * @module
 */
import { ASSEMBLYSCRIPT, readArrows } from "./arrows.ts";
import { missing } from "./documents.ts";
import { NEVER, ROOMS } from "./doors.ts";
import { allFiles, isSource } from "./files.ts";
import { judge } from "./judge.ts";
import { report } from "./report.ts";

const root = new URL("../../", import.meta.url);

/** Import WebAssembly modules as workerd does; checked by tsc instead. */
const MODULE_IMPORTS =
  /^(src\/runtime\/platform_workerd|src\/runtime\/platform_edge|wasm\/modules|test\/runtime\/workerd\/worker)\.ts$/;

/** What a check has to say, and whether it is content. */
interface Finding {
  readonly ok: boolean;
  readonly text: string;
}

/** Runs Deno with `args`, whose output matters only when it fails. */
async function deno(...args: readonly string[]): Promise<Finding> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: root,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return { ok: code === 0, text: code === 0 ? "" : output };
}

const paths = await allFiles(root);
const files = paths.filter(isSource);

async function doors(): Promise<Finding> {
  const { problems, table } = judge(files, await readArrows(root, files), {
    rooms: ROOMS,
    never: NEVER,
  });
  return { ok: problems.length === 0, text: [table, ...problems].join("\n") };
}

/** Of all Markdown in the repository, except the history of what was. Rooms that are to come may be named. */
async function documents(): Promise<Finding> {
  const there = [...paths, ...Object.keys(ROOMS)];
  const problems: string[] = [];
  for (const path of paths.filter((each) => /\.md$/.test(each) && each !== "CHANGELOG.md")) {
    problems.push(...missing(path, await Deno.readTextFile(new URL(path, root)), there));
  }
  return { ok: problems.length === 0, text: problems.join("\n") };
}

/** One spelling for the names of files, so that nobody has to remember which. */
function names(): Finding {
  const odd = paths.filter((path) =>
    /\.(ts|py)$/.test(path) && !/(^|\/)[a-z0-9_]+(\.test|\.d)?\.(ts|py)$/.test(path)
  );
  return {
    ok: odd.length === 0,
    text: odd.map((path) => `${path} is not in snake_case.`).join("\n"),
  };
}

const typed = files.filter((file) => !ASSEMBLYSCRIPT.test(file) && !MODULE_IMPORTS.test(file));
const tsc = ["npm:typescript/tsc", "-p", "tools/build/tsconfig.json", "--noEmit"];
const checks: readonly (readonly [name: string, check: () => Finding | Promise<Finding>])[] = [
  ["format", () => deno("fmt", "--check")],
  ["lint", () => deno("lint")],
  ["names of files", names],
  ["doors between rooms", doors],
  ["types", () => deno("check", "--quiet", ...typed)],
  ["types of the package", () => deno("run", "-A", ...tsc)],
  [
    "documentation",
    () => deno("doc", "--lint", "mod.ts", "core.ts", "webgpu.ts", "train.ts", "label.ts"),
  ],
  ["what documents name is there", documents],
  [
    "wasm/ and packages are built from their sources",
    () => deno("run", "-A", "tools/build/wasm.ts", "--check"),
  ],
];

let failed = 0;
for (const [name, check] of checks) {
  const { ok, text } = await check();
  if (!ok) failed++;
  console.log(`${ok ? "ok  " : "FAIL"} ${name}`);
  if (text !== "") console.log(text.trimEnd().replace(/^/gm, "    "));
}
report("check", checks.length - failed, failed);
