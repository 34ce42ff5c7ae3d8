/**
 * The program that runs in other runtimes than Deno: opens the engines, times the encoders and writes what
 * came out. `runtimes.ts` bundles and starts it; arguments: options in JSON, the file to write.
 *
 * @module
 */
import { writeFile } from "node:fs/promises";
import process from "node:process";
import { benchEncoders, type Inside, loadTexts, openEngines, thisRuntime } from "./inside.ts";
import type { Options } from "./options.ts";

const [json, file] = process.argv.slice(2);
const options = JSON.parse(json) as Options;
const engines = await openEngines(options), { ours, ort } = engines;
const encoder = await benchEncoders(options, engines, await loadTexts(options), false, () => {});
const inside: Inside = {
  ...thisRuntime(),
  engines: [...ours, ...ort.engines].map(({ name, version }) => ({ name, version })),
  absent: ort.absent,
  encoder,
};
await writeFile(file, JSON.stringify(inside));
// Workers of onnxruntime-web keep a process alive.
process.exit(0);
