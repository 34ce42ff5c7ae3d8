/**
 * Builds and packs the library and its models into a folder, once for all test programs that are told of it by PACKED:
 * `deno task pack FOLDER`.
 *
 * @module
 */
import { buildLibrary } from "./project.ts";

const [folder] = Deno.args;
if (folder === undefined) throw new Error("Name the folder: deno task pack FOLDER");
await Deno.mkdir(folder, { recursive: true });
for (const archive of await buildLibrary(folder)) {
  console.log(`${archive}: ${(await Deno.stat(archive)).size} bytes`);
}
