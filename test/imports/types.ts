/**
 * The package's types as people's projects see them: publint and attw find nothing to complain of, and a program that uses each
 * entry is right, and wrong where it should be, in every combination of how modules are resolved, what else is declared, and
 * how new the language's library is. Nothing is skipped: declarations are checked as strictly as the program.
 *
 * @module
 */
import type { Result } from "../runtime/shared.ts";
import type { Project, Workshop } from "./workshop.ts";

/** How modules are found. */
const RESOLUTIONS: Readonly<Record<string, readonly string[]>> = {
  node16: ["--module", "node16"],
  nodenext: ["--module", "nodenext"],
  bundler: ["--module", "preserve", "--moduleResolution", "bundler"],
};

/** What a program knows beside the language. */
const SURROUNDINGS: Readonly<
  Record<string, { readonly libraries: readonly string[]; readonly types: string }>
> = {
  "nothing else": { libraries: [], types: "" },
  "the DOM": { libraries: ["dom", "dom.iterable", "dom.asynciterable"], types: "" },
  "Node": { libraries: [], types: "node" },
};

/** The language's library. */
const LANGUAGES = ["es2022", "esnext"];

/** Options beside these: all that a strict project asks for, and declarations are looked into. */
const STRICT = [
  "--noEmit",
  "--strict",
  "--exactOptionalPropertyTypes",
  "--noUncheckedIndexedAccess",
  "--noUncheckedSideEffectImports",
  "--verbatimModuleSyntax",
  "--skipLibCheck",
  "false",
];

async function compile(
  project: Project,
  resolution: string,
  surroundings: string,
  language: string,
): Promise<void> {
  const { libraries, types } = SURROUNDINGS[surroundings];
  const lib = [language, ...libraries].join();
  const options = [...RESOLUTIONS[resolution], "--target", "es2022", "--lib", lib];
  await project.tool("tsc", ...STRICT, ...options, "--types", types, "main.mts");
}

/** All combinations, by their names. */
const COMBINATIONS = Object.keys(RESOLUTIONS).flatMap((resolution) =>
  Object.keys(SURROUNDINGS).flatMap((surroundings) =>
    LANGUAGES.map((language) => [resolution, surroundings, language] as const)
  )
);

/** Runs `action` as a case. */
async function result(name: string, action: () => Promise<unknown>): Promise<Result> {
  try {
    await action();
    return { name, ok: true, note: "" };
  } catch (error) {
    return { name, ok: false, note: error instanceof Error ? error.message : String(error) };
  }
}

/** Checks the types of the packed library and its models. */
export async function checkTypes(workshop: Workshop): Promise<Result[]> {
  const project = await workshop.project("types"), results: Result[] = [];
  for (const name of await installed(project)) {
    const folder = `node_modules/${name}`;
    results.push(
      await result(`publint, ${name}`, () => project.tool("publint", "--strict", folder)),
    );
  }
  for (const archive of workshop.archives) {
    const name = archive.slice(archive.lastIndexOf("/") + 1);
    // ES modules alone: CommonJS requires them in Node, and CommonJS programs of older resolution are told so.
    const attw = [archive, "--profile", "esm-only", "--no-emoji"];
    results.push(await result(`attw, ${name}`, () => project.tool("attw", ...attw)));
  }
  for (const [resolution, surroundings, language] of COMBINATIONS) {
    const name = `types: ${resolution}, ${surroundings}, ${language}`;
    results.push(await result(name, () => compile(project, resolution, surroundings, language)));
  }
  return results;
}

/** The packages of ours that a project has. */
async function installed(project: Project): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(`${project.path}/node_modules`));
  return entries.map(({ name }) => name).filter((name) => name.startsWith("edge-ner")).sort();
}
