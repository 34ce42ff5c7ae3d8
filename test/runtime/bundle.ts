/**
 * Bundles a test program in a user's project, as that user's own esbuild would.
 *
 * @module
 */
import * as esbuild from "esbuild";
import { path, root } from "../../tools/check/programs.ts";

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
          build.onResolve({ filter: /^edge-ner(-meder|\/train|\/worker)?$/ }, async (args) => {
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
