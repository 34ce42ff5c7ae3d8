/**
 * Other programs: running one, and finding those of the runtimes, which come from npm.
 *
 * @module
 */

/** The repository's root. */
export const root: URL = new URL("../../", import.meta.url);
const runtimes = new URL(".ci/runtimes/", root);

/** A URL's path on this machine. */
export function path(url: URL): string {
  return decodeURIComponent(url.pathname);
}

/** Runs a command; throws with its output when it fails. */
export async function command(
  program: string,
  args: readonly string[],
  options: { cwd?: string | URL; env?: Record<string, string> } = {},
): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    ...options,
  }).output();
  const out = new TextDecoder().decode(stdout);
  if (code !== 0) {
    throw new Error(
      `${program} ${args.join(" ")} exited with ${code}\n${out}${new TextDecoder().decode(stderr)}`,
    );
  }
  return out;
}

/**
 * The binary of a runtime that comes from npm, by its path under .ci/runtimes/node_modules; installs them
 * all on first use. The binaries themselves and not the npm wrappers, which cannot be ended by their id.
 */
export async function program(name: string): Promise<string> {
  const file = new URL(`node_modules/${name}`, runtimes);
  try {
    await Deno.stat(file);
  } catch {
    console.log("installing the runtimes into .ci/runtimes ...");
    await command("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: runtimes });
  }
  return path(file);
}
