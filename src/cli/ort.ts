/**
 * onnxruntime-web as a second opinion: loads it if it is installed, and runs a token classifier on ids.
 *
 * It is an optional peer, of 14 MB, so it is found and imported only when `verify` asks. Which of its
 * files to import, and how it finds its WebAssembly, differs between runtimes; one thread keeps its sums
 * in one order.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import type * as Ort from "onnxruntime-web";
import { oneLine, UsageError } from "./errors.ts";

/** One model in ONNX Runtime. */
export interface OrtModel {
  /** Emissions `[ids.length, labels]` of one sequence with its special tokens. */
  run(ids: ArrayLike<number>): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Folder of the installed package's `dist`, or undefined if it is not installed. */
function findOrt(): string | undefined {
  try {
    return dirname(createRequire(import.meta.url).resolve("onnxruntime-web"));
  } catch {
    return undefined;
  }
}

/** Imports onnxruntime-web. Throws {@link UsageError} with what to install if it is absent. */
export async function loadOrt(): Promise<typeof Ort> {
  const dist = findOrt();
  if (dist === undefined) {
    throw new UsageError(
      "verify compares with onnxruntime-web, which is not installed; add it with " +
        "`npm install onnxruntime-web` (deno add npm:onnxruntime-web, bun add onnxruntime-web)",
    );
  }
  const node = !("deno" in process.versions) && !("bun" in process.versions);
  const file = node ? "ort.node.min.mjs" : "ort.wasm.min.mjs";
  const ort = await import(pathToFileURL(join(dist, file)).href) as typeof Ort;
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = 1;
  // Bun takes a path where the others take a URL.
  const folder = dist + "/";
  ort.env.wasm.wasmPaths = "bun" in process.versions ? folder : pathToFileURL(folder).href;
  if (!node) {
    // Given its bytes, it does not fetch, which not every runtime allows for files.
    const wasm = readFileSync(join(dist, "ort-wasm-simd-threaded.wasm"));
    ort.env.wasm.wasmBinary = new Uint8Array(wasm).buffer;
  }
  return ort;
}

/** Token ids and everything else that an exported BERT may want besides. */
function feedsFor(
  ort: typeof Ort,
  wanted: readonly string[],
  ids: ArrayLike<number>,
): Ort.InferenceSession.FeedsType {
  const length = ids.length;
  const tensor = (value: (i: number) => number): Ort.Tensor =>
    new ort.Tensor("int64", BigInt64Array.from({ length }, (_, i) => BigInt(value(i))), [
      1,
      length,
    ]);
  const known: Readonly<Record<string, () => Ort.Tensor>> = {
    input_ids: () => tensor((i) => ids[i]),
    attention_mask: () => tensor(() => 1),
    token_type_ids: () => tensor(() => 0),
    position_ids: () => tensor((i) => i),
  };
  return Object.fromEntries(wanted.map((name) => {
    if (!Object.hasOwn(known, name)) {
      throw new UsageError(
        `the model wants an input ${JSON.stringify(name)}; known are ${
          Object.keys(known).join(", ")
        }`,
      );
    }
    return [name, known[name]()];
  }));
}

/**
 * Opens an ONNX model of token classification with `labels` labels; `external` holds the files that it
 * keeps weights in, by the names that it calls them.
 */
export async function openOrt(
  ort: typeof Ort,
  model: Uint8Array,
  external: ReadonlyMap<string, Uint8Array> | undefined,
  labels: number,
): Promise<OrtModel> {
  const externalData = [...external ?? []].map(([path, data]) => ({ path, data }));
  let session: Ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(model, {
      executionProviders: ["wasm"],
      graphOptimizationLevel: "all",
      ...(externalData.length > 0 && { externalData }),
    });
  } catch (error) {
    throw new UsageError(`onnxruntime-web cannot load it: ${oneLine(String(error))}`);
  }
  return {
    async run(ids): Promise<Float32Array> {
      const outputs = await session.run(feedsFor(ort, session.inputNames, ids));
      const name = session.outputNames.find((name) => outputs[name].dims.at(-1) === labels);
      const tensor = name === undefined ? undefined : outputs[name];
      if (!(tensor?.data instanceof Float32Array) || tensor.data.length !== ids.length * labels) {
        throw new UsageError(
          `no output of the model is a float32 tensor of ${ids.length} tokens x ${labels} labels`,
        );
      }
      return tensor.data;
    },
    close: () => session.release(),
  };
}
