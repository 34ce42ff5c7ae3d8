/**
 * ONNX Runtime as a peer: its WebAssembly build, and its native one where that is installed.
 *
 * onnxruntime-web is taken as its users get it on this runtime: of its builds the plain one, which is the
 * smallest and the one for CPU; the others differ in what they offer to a GPU and hold the same SIMD
 * kernels, none of them relaxed.
 *
 * onnxruntime-node (hundreds of megabytes) is no dependency. It is found in the project or in a folder
 * given by the caller, and left out with a note where it is not.
 *
 * @module
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as Ort from "onnxruntime-web";
import type { PackedBatch } from "../src/backend/backend.ts";
import { encoderToOnnx, INPUTS, OUTPUT } from "../src/formats/onnx/write_encoder.ts";
import { randomInt8Weights, SHAPES } from "./models.ts";

/** An engine that can run an ONNX file. */
export interface Engine {
  /** As it is printed, threads included. */
  readonly name: string;
  readonly version: string;
  readonly threads: number;
  open(model: Uint8Array): Promise<OrtSession>;
}

/** Rows of ids, shorter ones padded and masked: one run's input. */
export interface OrtInput {
  readonly feeds: Ort.InferenceSession.FeedsType;
}

/** An encoder in ONNX Runtime. */
export interface OrtSession {
  /** Prepares a batch; outside of what the encoder's section times, since tensors can be used again. */
  input(batch: PackedBatch, pad?: number): OrtInput;
  /** Emissions `[sequences, longest, labels]`, padding included. */
  run(input: OrtInput): Promise<Float32Array>;
  close(): Promise<void>;
}

/** Why an engine does not take part. */
export interface Absent {
  readonly name: string;
  readonly reason: string;
}

/** Longest sequence of a batch. */
export function longest({ offsets }: PackedBatch): number {
  let most = 0;
  for (let i = 1; i < offsets.length; i++) most = Math.max(most, offsets[i] - offsets[i - 1]);
  return most;
}

function sessionOf(ort: typeof Ort, session: Ort.InferenceSession): OrtSession {
  return {
    input(batch, pad = 0): OrtInput {
      const { ids, offsets } = batch, rows = offsets.length - 1, width = longest(batch);
      const words = new BigInt64Array(rows * width).fill(BigInt(pad));
      const mask = new BigInt64Array(rows * width);
      for (let r = 0; r < rows; r++) {
        for (let t = offsets[r]; t < offsets[r + 1]; t++) {
          words[r * width + t - offsets[r]] = BigInt(ids[t]);
          mask[r * width + t - offsets[r]] = 1n;
        }
      }
      const known: Readonly<Record<string, BigInt64Array>> = {
        [INPUTS.ids]: words,
        [INPUTS.mask]: mask,
        [INPUTS.types]: new BigInt64Array(rows * width),
      };
      return {
        feeds: Object.fromEntries(
          session.inputNames.map((name) => [
            name,
            new ort.Tensor("int64", known[name], [rows, width]),
          ]),
        ),
      };
    },
    async run({ feeds }): Promise<Float32Array> {
      return (await session.run(feeds))[OUTPUT].data as Float32Array;
    },
    close: () => session.release(),
  };
}

/**
 * Starts onnxruntime-web, once with one thread and once with several.
 *
 * The number of threads is fixed when an instance starts, and there is one instance a file. So one thread
 * takes the file for browsers, several take the file for Node: both run the same WebAssembly, and the
 * former cannot start threads outside of browsers, where it wants to import a `blob:` URL.
 *
 * Throws where it does not run or makes do with fewer threads than asked for, which a trial shows.
 */
export async function ortWeb(threads: number): Promise<Engine> {
  // Bundled for another runtime this knows import.meta.url, but not import.meta.resolve.
  const resolved = createRequire(import.meta.url).resolve("onnxruntime-web/wasm");
  const dist = pathToFileURL(join(dirname(resolved), "/")).href;
  const file = threads === 1 ? "ort.wasm.min.mjs" : "ort.node.min.mjs";
  const ort = await import(dist + file) as typeof Ort;
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = dist;
  const open = async (model: Uint8Array): Promise<OrtSession> =>
    sessionOf(
      ort,
      await ort.InferenceSession.create(model, {
        executionProviders: ["wasm"],
        graphOptimizationLevel: "all",
      }),
    );
  const trial = await open(encoderToOnnx(randomInt8Weights(SHAPES.smoke), { int8: true }));
  await trial.run(trial.input({ ids: Int32Array.of(1, 2, 3, 4), offsets: Int32Array.of(0, 4) }));
  await trial.close();
  if (ort.env.wasm.numThreads !== threads) {
    throw new Error(`asked for ${threads} threads, it took ${ort.env.wasm.numThreads}`);
  }
  return {
    name: `ort-web ${threads}t`,
    version: ort.env.versions.web ?? "unknown",
    threads,
    open,
  };
}

/**
 * Loads onnxruntime-node from `folder`/node_modules, or from the project's if no folder is given.
 * Throws if it is not installed there.
 */
export function ortNode(threads: number, folder?: string): Engine {
  const from = folder === undefined ? import.meta.url : pathToFileURL(join(folder, "from.js"));
  const ort = createRequire(from)("onnxruntime-node") as typeof Ort;
  return {
    name: `ort-node ${threads}t`,
    version: ort.env.versions.node ?? "unknown",
    threads,
    open: async (model) =>
      sessionOf(
        ort,
        await ort.InferenceSession.create(model, {
          executionProviders: ["cpu"],
          graphOptimizationLevel: "all",
          intraOpNumThreads: threads,
          interOpNumThreads: 1,
          logSeverityLevel: 3,
        }),
      ),
  };
}

/** An engine's name and how to get it. */
export type Wanted<T> = readonly [name: string, start: () => T | Promise<T>];

/** ONNX Runtime as it is measured. */
export function ortEngines(nodeFolder: string | undefined): readonly Wanted<Engine>[] {
  return [
    ["ort-web 1t", () => ortWeb(1)],
    ["ort-web 2t", () => ortWeb(2)],
    ["ort-node 1t", () => ortNode(1, nodeFolder)],
  ];
}

/** All engines that can be had here, and why the others cannot. */
export async function findEngines<T>(
  wanted: readonly Wanted<T>[],
): Promise<{ engines: T[]; absent: Absent[] }> {
  const engines: T[] = [], absent: Absent[] = [];
  for (const [name, start] of wanted) {
    try {
      engines.push(await start());
    } catch (error) {
      // The loader's message goes on with the paths that it searched.
      absent.push({ name, reason: (error as Error).message.split("\n")[0] });
    }
  }
  return { engines, absent };
}
