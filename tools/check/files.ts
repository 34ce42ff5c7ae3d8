/**
 * The files of the repository, without what is installed or built.
 *
 * @module
 */

const SKIPPED = /^(node_modules|dist|\.git)$/;

/** Paths of all files under `root`, sorted. */
export async function allFiles(root: URL, folder = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(new URL(folder || ".", root))) {
    if (SKIPPED.test(entry.name)) continue;
    if (entry.isDirectory) found.push(...await allFiles(root, `${folder}${entry.name}/`));
    else if (entry.isFile) found.push(folder + entry.name);
  }
  return found.sort();
}

/** Whether a file is TypeScript or AssemblyScript of ours: no declarations, no fixtures. */
export function isSource(path: string): boolean {
  return /(?<!\.d)\.ts$/.test(path) && !/(^|\/)(\.ci|fixtures)\//.test(path);
}
