/**
 * Other programs: running one, and finding those of the runtimes, which come from npm.
 *
 * @module
 */

/** The repository's root. */
export const root: URL = new URL("../../", import.meta.url);

/** A URL's path on this machine. */
export function path(url: URL): string {
  return decodeURIComponent(url.pathname);
}

/** Runs a command; throws with its output when it fails. */
export async function command(
  program: string,
  args: readonly string[],
  options: { cwd?: string | URL; env?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    ...options,
  }).output();
  const out = new TextDecoder().decode(stdout);
  if (code !== 0) {
    const ended = options.signal?.aborted ? "took too long" : `exited with ${code}`;
    throw new Error(
      `${program} ${args.join(" ")} ${ended}\n${out}${new TextDecoder().decode(stderr)}`,
    );
  }
  return out;
}

/** The file `name` under `folder`'s node_modules, which npm fills on first use. */
async function installed(
  folder: string,
  name: string,
  options: readonly string[],
): Promise<string> {
  const where = new URL(`.ci/${folder}/`, root), file = new URL(`node_modules/${name}`, where);
  try {
    await Deno.stat(file);
  } catch {
    console.log(`installing .ci/${folder} ...`);
    await command("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", ...options], {
      cwd: where,
    });
  }
  return path(file);
}

/**
 * The binary of a runtime that comes from npm, by its path under .ci/runtimes/node_modules; installs them
 * all on first use. The binaries themselves and not the npm wrappers, which cannot be ended by their id.
 */
export function program(name: string): Promise<string> {
  return installed("runtimes", name, []);
}

/** The same of a runtime's arm64 build, under .ci/processors; forced, because npm knows that it does not run here. */
export function arm64Program(name: string): Promise<string> {
  return installed("processors", name, ["--force"]);
}
