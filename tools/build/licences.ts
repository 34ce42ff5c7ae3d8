/**
 * The licences of the packages that a bundle holds, as its THIRD_PARTY_LICENSES.txt.
 *
 * Whoever ships another's code ships its licence too; esbuild keeps only comments that say so, and most
 * packages keep theirs in a file. A bundled package without one is an error and not an omission.
 *
 * @module
 */

/** A licence's file by any of the names that packages give it; a NOTICE goes with it, as Apache's wants. */
const LICENCE = /^(licen[cs]e|copying)/i;
const NOTICE = /^notice/i;

/** Texts for packages that come without one: what their package.json and the heads of their files name. */
const OURS: Readonly<Record<string, string>> = {
  "@bufbuild/protobuf": "bufbuild_protobuf.txt",
};

/** The folder of the package that a bundled file is of, or undefined for a file of this repository. */
export function packageOf(input: string): string | undefined {
  return /^(.*\/)?node_modules\/(@[^/]+\/)?[^/]+(?=\/)/.exec(input)?.[0];
}

async function licenceOf(folder: URL): Promise<string> {
  const { name, version, license } = JSON.parse(
    await Deno.readTextFile(new URL("package.json", folder)),
  );
  const entries = (await Array.fromAsync(Deno.readDir(folder))).filter(({ isFile }) => isFile)
    .map((entry) => entry.name).sort();
  const inFolder = (file: string) => new URL(file, folder);
  const licences = entries.filter((entry) => LICENCE.test(entry)).map(inFolder);
  if (OURS[name] !== undefined) licences.push(new URL(`licences/${OURS[name]}`, import.meta.url));
  if (licences.length === 0) throw new Error(`${name} is bundled and has no licence file.`);
  const notices = entries.filter((entry) => NOTICE.test(entry)).map(inFolder);
  const read = [...licences, ...notices].map((url) => Deno.readTextFile(url));
  const texts = (await Promise.all(read)).map((text) => text.trim());
  return `${name} ${version} (${license})\n\n${texts.join("\n\n")}\n`;
}

/** The licences of all packages that any of `inputs` (paths from `root`) is of, in the order of their names. */
export async function licencesOf(inputs: readonly string[], root: URL): Promise<string> {
  const folders = new Set(inputs.map(packageOf).filter((folder) => folder !== undefined));
  const texts = await Promise.all([...folders].map((each) => licenceOf(new URL(`${each}/`, root))));
  return texts.sort().join(`\n${"-".repeat(80)}\n\n`);
}
