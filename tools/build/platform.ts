/**
 * What esbuild has to be told about the sources: which runtime they are built for, how much of them, and whose packages they import.
 *
 * @module
 */
import { resolve } from "node:path";
import type { Plugin } from "esbuild";

/** Exchanges `src/runtime/platform.ts` for that of a runtime. */
export function platformOf(name: "browser" | "workerd" | "edge"): Plugin {
  return {
    name: "platform",
    setup(build): void {
      build.onResolve({ filter: /^\.{1,2}\/(.*\/)?platform\.ts$/ }, ({ path, resolveDir }) => ({
        path: resolve(resolveDir, `${path.slice(0, -3)}_${name}.ts`),
      }));
    },
  };
}

/** Leaves what is asked of the operating system as an import that package.json's `imports` name, for Deno another one. */
export const systemBeside: Plugin = {
  name: "system-beside",
  setup(build): void {
    build.onResolve({ filter: /^\.\/system\.ts$/ }, () => ({ path: "#system", external: true }));
  },
};

/** For the program of a browser's worker, which starts none of its own. */
export const noWorkers: Plugin = {
  name: "no-workers",
  setup(build): void {
    build.onResolve({ filter: /^\.\/browser_workers\.ts$/ }, ({ resolveDir }) => ({
      path: `${resolveDir}/browser_workers_none.ts`,
    }));
  },
};

/** Exchanges what reads and makes all models for what packed ones of WordPiece need: `edge-ner/core`. */
export const packedOnly: Plugin = {
  name: "packed-only",
  setup(build): void {
    build.onResolve(
      {
        filter:
          /^\.\/(compatible_table|components|engines|extras|inflate|packed_terms|placed_adapter|segments)\.ts$/,
      },
      ({ path, resolveDir }) => ({
        path: `${resolveDir}/${path.slice(2, -3)}_core.ts`,
      }),
    );
  },
};

/** Leaves packages as imports by their plain names: sources say `npm:NAME@VERSION`, which only Deno understands. */
export function packagesBeside(versions: Readonly<Record<string, string>>): Plugin {
  return {
    name: "packages-beside",
    setup(build): void {
      build.onResolve({ filter: /^npm:/ }, ({ path }) => {
        const [, name, version, rest] = /^npm:((?:@[^/]+\/)?[^/@]+)@([^/]+)(.*)$/.exec(path)!;
        // What is not a dependency is bundled, from where tsconfig.json says that it lies.
        if (versions[name] === undefined) return undefined;
        if (versions[name] !== version) {
          throw new Error(`${path}, but package.json has ${name} ${versions[name]}`);
        }
        return { path: name + rest, external: true };
      });
    },
  };
}
