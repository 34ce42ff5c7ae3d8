/**
 * Everything that can be checked without running the library: `deno task check`.
 *
 * Format, lint, types (Deno's for all files, TypeScript's own for the published entry points, which adds the
 * files that only a bundler sees), documentation of all that mod.ts exports, and that wasm/ is what
 * kernels/ builds to. Every check runs even when an earlier one fails.
 *
 * @module
 */
import { report } from "./report.ts";

const root = new URL("../../", import.meta.url);

/** Written in AssemblyScript, whose types Deno does not know. */
const ASSEMBLYSCRIPT = /^kernels\//;
/** Import WebAssembly modules as workerd does; checked by tsc instead. */
const MODULE_IMPORTS =
  /^(src\/runtime\/platform_workerd|wasm\/modules|test\/runtime\/workerd\/worker)\.ts$/;
const SKIPPED = /^(node_modules|dist|\.git|\.ci|fixtures)$/;

async function typescriptFiles(folder = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(new URL(folder || ".", root))) {
    const path = folder + entry.name;
    if (entry.isDirectory && !SKIPPED.test(entry.name)) {
      found.push(...await typescriptFiles(`${path}/`));
    } else if (entry.isFile && /\.ts$/.test(path) && !/\.d\.ts$/.test(path)) found.push(path);
  }
  return found.filter((path) => !ASSEMBLYSCRIPT.test(path) && !MODULE_IMPORTS.test(path)).sort();
}

const checks: readonly (readonly [name: string, args: readonly string[]])[] = [
  ["format", ["fmt", "--check"]],
  ["lint", ["lint"]],
  ["types", ["check", "--quiet", ...await typescriptFiles()]],
  ["types of the package", [
    "run",
    "-A",
    "npm:typescript/tsc",
    "-p",
    "tools/build/tsconfig.json",
    "--noEmit",
  ]],
  ["documentation", ["doc", "--lint", "mod.ts", "train.ts"]],
  ["wasm/ is built from kernels/", ["run", "-A", "tools/build/wasm.ts", "--check"]],
];

let failed = 0;
for (const [name, args] of checks) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: root,
    stdin: "null",
    env: { NO_COLOR: "1" },
  }).output();
  console.log(`${code === 0 ? "ok  " : "FAIL"} ${name}`);
  if (code !== 0) {
    failed++;
    const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    console.log(output.trimEnd().replace(/^/gm, "    "));
  }
}
report("check", checks.length - failed, failed);
