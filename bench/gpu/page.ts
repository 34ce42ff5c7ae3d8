/**
 * The GPU benchmark in a page, beside onnxruntime-web's WebGPU provider and transformers.js (`device: "webgpu"`) on the same
 * adapter; started by `run.ts`, which serves the model as a package and as an export, and the peers' own files.
 *
 * All run the encoder on the same ids, in float32, and have emissions on the processor when they are done. transformers.js is
 * asked for its model alone, without its tokenizer and without gathering entities.
 *
 * @module
 */
import { readPackage } from "../../mod.ts";
import type { PackedBatch } from "../../src/backend/backend.ts";
import type { Budget } from "../measure.ts";
import { type GpuBench, type GpuPeer, type GpuSizes, measureGpu } from "./measure.ts";

/** What is used of onnxruntime-web, which is served as it is. */
interface Ort {
  readonly env: { wasm: { wasmPaths: string; numThreads: number }; logLevel: string };
  readonly Tensor: new (type: string, data: BigInt64Array, dims: number[]) => unknown;
  readonly InferenceSession: {
    create(model: Uint8Array, options: object): Promise<{
      readonly inputNames: readonly string[];
      run(feeds: Record<string, unknown>): Promise<unknown>;
      release(): Promise<void>;
    }>;
  };
}

/** What is used of transformers.js, bundled. */
interface TransformersJs {
  readonly env: {
    readonly version: string;
    readonly backends: { readonly onnx: { readonly wasm: Record<string, unknown> } };
    allowLocalModels: boolean;
    allowRemoteModels: boolean;
    useBrowserCache: boolean;
    localModelPath: string;
  };
  readonly Tensor: Ort["Tensor"];
  readonly AutoModelForTokenClassification: {
    from_pretrained(name: string, options: object): Promise<
      & ((feeds: Record<string, unknown>) => Promise<unknown>)
      & { dispose(): Promise<unknown> }
    >;
  };
}

async function bytesOf(url: string): Promise<Uint8Array> {
  return new Uint8Array(await (await fetch(url)).arrayBuffer());
}

/** A batch as an export's graph is fed, every text being as long as the others. */
function feedsOf(
  { ids, offsets }: PackedBatch,
  Tensor: Ort["Tensor"],
): Record<"input_ids" | "attention_mask" | "token_type_ids", unknown> {
  const rows = offsets.length - 1, shape = [rows, ids.length / rows];
  return {
    input_ids: new Tensor("int64", BigInt64Array.from(ids, BigInt), shape),
    attention_mask: new Tensor("int64", new BigInt64Array(ids.length).fill(1n), shape),
    token_type_ids: new Tensor("int64", new BigInt64Array(ids.length), shape),
  };
}

/** onnxruntime-web on WebGPU, float32. */
async function ortPeer(name: string): Promise<GpuPeer> {
  const url = "/ort/ort.webgpu.min.mjs", ort = await import(url) as Ort;
  ort.env.wasm.wasmPaths = "/ort/";
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(await bytesOf(EXPORTED), {
    executionProviders: ["webgpu"],
    graphOptimizationLevel: "all",
  });
  return {
    name,
    prepare(batch) {
      const feeds: Record<string, unknown> = feedsOf(batch, ort.Tensor);
      for (const key of Object.keys(feeds)) {
        if (!session.inputNames.includes(key)) delete feeds[key];
      }
      return () => session.run(feeds);
    },
    close: () => session.release(),
  };
}

/** transformers.js on WebGPU, float32; it runs on an onnxruntime-web of its own. */
async function transformersPeer(name: string): Promise<GpuPeer> {
  const url = "/transformers/transformers.js", loaded = await import(url) as TransformersJs;
  const { env, AutoModelForTokenClassification, Tensor } = loaded;
  const wasm = new URL("/transformers/ort-wasm-simd-threaded.asyncify", location.href).href;
  const wasmPaths = { mjs: `${wasm}.mjs`, wasm: `${wasm}.wasm` };
  Object.assign(env.backends.onnx.wasm, { numThreads: 1, wasmPaths });
  env.allowLocalModels = true;
  env.allowRemoteModels = false;
  env.useBrowserCache = false;
  env.localModelPath = "/";
  const options = { device: "webgpu", dtype: "fp32" };
  const model = await AutoModelForTokenClassification.from_pretrained("export", options);
  return {
    name,
    prepare(batch) {
      const feeds = feedsOf(batch, Tensor);
      return () => model(feeds);
    },
    close: async () => void await model.dispose(),
  };
}

/** Where `run.ts` serves the export's graph, as transformers.js looks for it. */
const EXPORTED = "/export/onnx/model.onnx";

const PEERS = [
  ["ort-web webgpu f32", ortPeer],
  ["transformers.js webgpu f32", transformersPeer],
] as const;

/** Runs it; told by `run.ts` through the page, with the peers that are not served, and why. */
async function benchPage(
  runtime: string,
  sizes: GpuSizes,
  budget: Budget,
  unserved: Readonly<Record<string, string>>,
): Promise<GpuBench> {
  const bundle = readPackage(await bytesOf("/bench_model.safetensors")), peers: GpuPeer[] = [];
  const absent: GpuBench["absent"][number][] = [];
  for (const [name, open] of PEERS) {
    try {
      if (unserved[name] !== undefined) throw new Error(unserved[name]);
      peers.push(await open(name));
    } catch (error) {
      absent.push({ name, reason: (error as Error).message.split("\n")[0] });
    }
  }
  const note = (text: string): void => console.log(text);
  const bench = await measureGpu(runtime, navigator.gpu, bundle, sizes, peers, budget, note);
  return { ...bench, absent: [...bench.absent, ...absent] };
}

Object.assign(globalThis, { benchPage });
