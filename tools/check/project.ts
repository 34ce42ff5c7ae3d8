/**
 * A user's project: a folder where the packed library is installed, and programs bundled in it as that user's own
 * esbuild would. For whoever runs the library as others get it: tests of runtimes, cold starts.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { MODELS } from "../../models/registry.ts";
import { alone } from "../build/replace.ts";
import { command, path, root } from "./programs.ts";

/** Packs npm packages, paths from `cwd`, into `folder`, as they are published; returns the archives. */
export async function pack(
  packages: readonly string[],
  folder: string,
  cwd: URL = root,
): Promise<string[]> {
  const options = ["--json", "--ignore-scripts", "--pack-destination", folder];
  const packed = await command("npm", ["pack", ...options, ...packages], { cwd });
  return JSON.parse(packed).map(({ filename }: { filename: string }) => `${folder}/${filename}`);
}

/**
 * The archives of the library and its models: built and packed into `folder`; or, where PACKED names a folder, those that
 * `deno task pack` has left there, so that programs which run one after the other need not build the same.
 */
export async function packLibrary(folder: string): Promise<string[]> {
  const packed = Deno.env.get("PACKED");
  if (packed === undefined) return await buildLibrary(folder);
  const names = (await Array.fromAsync(Deno.readDir(packed))).map(({ name }) => name);
  const archives = names.filter((name) => name.endsWith(".tgz"));
  if (archives.length !== 1 + MODELS.length) {
    throw new Error(`PACKED is ${packed}, which holds ${names} and not what deno task pack leaves`);
  }
  return archives.map((name) => `${packed}/${name}`);
}

/** Builds and packs the library and its models into `folder`; returns the archives. */
export async function buildLibrary(folder: string): Promise<string[]> {
  const packages = [".", ...MODELS.map(({ name }) => `./models/${name}`)];
  // Another's build would exchange dist/ while it is packed.
  return await alone(new URL("node_modules/.pack.lock", root), async () => {
    await command(Deno.execPath(), ["task", "build:dist"], { cwd: root });
    return await pack(packages, folder);
  });
}

/**
 * Packs the npm package and installs it, and others by their names, without their scripts, in a new folder, as a user's
 * project has it. Returns the project's folder, which is removed when disposed of, if it can be.
 */
export async function installPackage(
  others: readonly string[] = [],
): Promise<{ path: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "edge-ner-user-" });
  const files = await packLibrary(folder);
  await Deno.writeTextFile(`${folder}/package.json`, '{ "private": true, "type": "module" }\n');
  await command("npm", [
    "install",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    ...files,
    ...others,
  ], {
    cwd: folder,
  });
  return {
    path: folder,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }).catch(() => {}),
  };
}

/**
 * Bundles `entry` (a path under the root) into `project`/`output`. `edge-ner` and its dependencies resolve
 * to what is installed in the project, or stay imports where `keep` is set.
 */
export async function bundle(
  entry: string,
  project: string,
  output: string,
  options: esbuild.BuildOptions & { keep?: boolean } = {},
): Promise<string> {
  const { keep, plugins, ...rest } = options;
  await esbuild.build({
    entryPoints: [path(new URL(entry, root))],
    outfile: `${project}/${output}`,
    absWorkingDir: project,
    bundle: true,
    format: "esm",
    target: "es2022",
    logLevel: "warning",
    plugins: [
      {
        name: "installed-package",
        setup(build): void {
          build.onResolve({ filter: /^edge-ner(-\w+|\/train|\/worker)?$/ }, async (args) => {
            if (args.pluginData === "again") return undefined;
            if (keep === true) return { path: args.path, external: true };
            return await build.resolve(args.path, {
              resolveDir: project,
              kind: args.kind,
              pluginData: "again",
            });
          });
        },
      },
      ...(plugins ?? []),
    ],
    ...rest,
  });
  await esbuild.stop();
  return `${project}/${output}`;
}
