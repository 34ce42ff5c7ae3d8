/**
 * Whether the packed library can be imported wherever people work: `deno task test:imports [--all] [--only WORD] [--write]`.
 *
 * Each way of importing (`ways.ts`) is tried in a project of its own, and has to find the entities that every runtime finds. `--all` takes those,
 * too, that install hundreds of megabytes; `--write` puts the table of all of them into docs/runtimes.md, `--only` those whose row holds a word.
 * Then the package's types are looked at (`types.ts`, `--only types`).
 *
 * @module
 */
import { parseArgs } from "node:util";
import { finish, readExpected, record } from "../runtime/harness.ts";
import type { ExpectedEntity } from "../runtime/shared.ts";
import { checkTypes } from "./types.ts";
import { TEXT, WAYS } from "./ways.ts";
import { Workshop } from "./workshop.ts";

const BEGIN = "<!-- imports:begin -->", END = "<!-- imports:end -->";

const { values } = parseArgs({
  options: {
    all: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    write: { type: "boolean", default: false },
  },
});

/** What has to be the same everywhere. */
function placesOf(entities: readonly ExpectedEntity[]): string {
  return entities.map(({ type, start, end }) => `${type} ${start} ${end}`).join();
}

/** Throws unless every recogniser that was asked found what it should. */
function check(answer: string, wanted: string): string {
  const found = JSON.parse(answer) as ExpectedEntity[][];
  const wrong = found.find((entities) => placesOf(entities) !== wanted);
  if (found.length === 0 || wrong !== undefined) throw new Error(`found ${answer}`);
  return `${found.length} of ${found.length} recognisers`;
}

/** Puts a table between the markers of a document. */
async function write(table: string): Promise<void> {
  const file = new URL("../../docs/runtimes.md", import.meta.url);
  const text = await Deno.readTextFile(file);
  const [before, rest] = text.split(BEGIN), after = rest.split(END)[1];
  await Deno.writeTextFile(file, `${before}${BEGIN}\n\n${table}\n\n${END}${after}`);
}

await finish("imports", async () => {
  const wanted = placesOf((await readExpected()).entities[0]), rows: string[][] = [];
  const words = values.only.toLowerCase();
  const chosen = WAYS.filter(({ runtime, way, quick }) =>
    (values.all || values.write || quick || words !== "") &&
    `${runtime} ${way}`.toLowerCase().includes(words)
  );
  await using workshop = await Workshop.open();
  for (const { runtime, way, found } of chosen) {
    const name = `${runtime}, ${way}`, began = Date.now();
    try {
      const note = check(await found(workshop), wanted);
      const seconds = ((Date.now() - began) / 1000).toFixed(0);
      record("", [{ name, ok: true, note: `${note}, ${seconds} s` }]);
      rows.push([runtime, way, "works"]);
    } catch (error) {
      record("", [{
        name,
        ok: false,
        note: error instanceof Error ? `${error.stack}` : `${error}`,
      }]);
      rows.push([runtime, way, "**fails**"]);
    }
  }
  if ("types publint attw".includes(words)) record("", await checkTypes(workshop));
  const table = [["runtime or tool", "imported as", ""], ["---", "---", "---"], ...rows]
    .map((row) => `| ${row.join(" | ")} |`).join("\n");
  console.log(`${JSON.stringify(TEXT.slice(0, 40))}...\n\n${table}\n`);
  if (values.write) await write(table);
});
