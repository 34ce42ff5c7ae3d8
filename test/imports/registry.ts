/**
 * A registry of npm packages on this machine, for who asks for `npm:edge-ner`: the packed library, its models, and
 * what both the package and the sources depend on, packed from where it is installed. Nothing else is known here, so that
 * a dependency that nobody declared is not found; or all else is asked of another registry, for projects with tools of their own.
 *
 * @module
 */
import { HELD } from "../../tools/build/held.ts";
import { command, root } from "../../tools/check/programs.ts";
import { pack } from "../../tools/check/project.ts";

/** A manifest as far as a registry has to know it. */
interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

async function manifestIn(archive: string): Promise<Manifest> {
  return JSON.parse(await command("tar", ["-xzOf", archive, "package/package.json"]));
}

/** Packs the library's dependencies into `folder`, and returns the archives. */
async function packDependencies(folder: string): Promise<string[]> {
  const { dependencies } = JSON.parse(await Deno.readTextFile(new URL("package.json", root)));
  const packed = [...Object.keys(dependencies), ...HELD]
    .map((name) => pack(["."], folder, new URL(`node_modules/${name}/`, root)));
  return (await Promise.all(packed)).flat();
}

/** Serves `archives`, and the library's dependencies, which are packed into `folder`; or, with `upstream`, what that registry has. */
export async function startRegistry(
  archives: readonly string[],
  folder: string,
  upstream?: string,
): Promise<{ url: string } & AsyncDisposable> {
  const files = [...archives, ...upstream === undefined ? await packDependencies(folder) : []];
  const packages = new Map(
    await Promise.all(files.map(async (file) => {
      const manifest = await manifestIn(file), bytes = await Deno.readFile(file);
      const sum = new Uint8Array(await crypto.subtle.digest("SHA-512", bytes));
      return [manifest.name, { manifest, bytes, integrity: `sha512-${sum.toBase64()}` }] as const;
    })),
  );
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { origin, pathname } = new URL(request.url), archive = pathname.endsWith("/archive.tgz");
    const name = decodeURIComponent(pathname.slice(1)).replace(/\/archive\.tgz$/, "");
    const found = packages.get(name);
    if (found === undefined) {
      return upstream === undefined
        ? new Response("{}", { status: 404 })
        : Response.redirect(new URL(pathname.slice(1), upstream), 302);
    }
    if (archive) return new Response(found.bytes);
    const { manifest, integrity } = found, { version } = manifest;
    const dist = { tarball: `${origin}/${name}/archive.tgz`, integrity };
    return Response.json({
      name,
      "dist-tags": { latest: version },
      versions: { [version]: { ...manifest, dist } },
    });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
