/**
 * README.md's first lines as they stand, each in an empty folder: npm, Bun and Deno install the packages, and the program runs.
 * `deno task test:install`.
 *
 * The packages come from a registry on this machine, which has them as they would be published; caches are empty, so
 * that nothing is found that a newcomer has not.
 *
 * @module
 */
import { blocksOf, linesOf, wordsOf } from "../../docs/page.ts";
import { command, program } from "../../../tools/check/programs.ts";
import { finish, step } from "../harness.ts";
import { packLibrary } from "../../../tools/check/project.ts";
import { startRegistry } from "../../imports/registry.ts";

/** Lines of README.md that install, and those that run what they have installed, in their order. */
const lines = linesOf("README.md").filter((line) => /^(npm|bun|deno|node) /.test(line));
const installs = lines.filter((line) => /^\w+ (install|add) /.test(line));
const runs = lines.filter((line) => !installs.includes(line));
/** The program, and its name. */
const [, name, content] = /^\/\/ (\S+)\n([^]*)/.exec(
  blocksOf("README.md").find(({ content }) => /^\/\/ \S+\.m?js\n/.test(content))!.content,
)!;

/** What it says that it prints, line by line. */
const expected = /\/\/ (\S+ \S+ \d+ \d+ [\d.]+, then .*)/.exec(content!)![1]!.split(", then ");

await finish("install", async () => {
  const archives = await Deno.makeTempDir({ prefix: "edge-ner-archives-" });
  await using registry = await startRegistry(await packLibrary(archives), archives);
  await Deno.remove(archives, { recursive: true });
  const programs: Readonly<Record<string, string>> = {
    npm: "npm",
    node: "node",
    bun: await program("@oven/bun-linux-x64/bin/bun"),
    deno: Deno.execPath(),
  };
  for (const [i, install] of installs.entries()) {
    const run = runs[i]!;
    await step(`${install}; ${run}`, async () => {
      const folder = await Deno.makeTempDir({ prefix: "edge-ner-empty-" });
      const work = `${folder}/work`;
      await Deno.mkdir(work);
      const env = {
        npm_config_registry: registry.url,
        NPM_CONFIG_REGISTRY: registry.url,
        npm_config_cache: `${folder}/npm`,
        BUN_INSTALL_CACHE_DIR: `${folder}/bun`,
        DENO_DIR: `${folder}/deno`,
        NO_COLOR: "1",
      };
      const perform = (line: string): Promise<string> => {
        const [first, ...args] = wordsOf(line);
        return command(programs[first!]!, args, { cwd: work, env });
      };
      try {
        await perform(install);
        await Deno.writeTextFile(`${work}/${name}`, content!);
        const found = await perform(run);
        if (found.trim() !== expected.join("\n")) throw new Error(`it printed ${found}`);
        return expected.join("; ");
      } finally {
        await Deno.remove(folder, { recursive: true }).catch(() => {});
      }
    });
  }
  if (installs.length !== 3 || runs.length !== 3) throw new Error(`README.md has ${lines}`);
});
