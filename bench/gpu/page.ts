/**
 * The GPU benchmark in a page, beside onnxruntime-web's WebGPU provider on the same adapter; started by `run.ts`, which serves
 * the model twice, as a package and as an ONNX file, and onnxruntime-web's own files.
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

async function bytesOf(url: string): Promise<Uint8Array> {
  return new Uint8Array(await (await fetch(url)).arrayBuffer());
}

/** onnxruntime-web on WebGPU, float32. */
async function ortPeer(): Promise<GpuPeer> {
  const url = "/ort/ort.webgpu.min.mjs", ort = await import(url) as Ort;
  ort.env.wasm.wasmPaths = "/ort/";
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(await bytesOf("/model.onnx"), {
    executionProviders: ["webgpu"],
    graphOptimizationLevel: "all",
  });
  return {
    name: "ort-web webgpu f32",
    prepare({ ids, offsets }: PackedBatch) {
      const rows = offsets.length - 1, width = ids.length / rows, shape = [rows, width];
      const known: Record<string, BigInt64Array> = {
        input_ids: BigInt64Array.from(ids, BigInt),
        attention_mask: new BigInt64Array(ids.length).fill(1n),
        token_type_ids: new BigInt64Array(ids.length),
      };
      const feeds = Object.fromEntries(
        session.inputNames.map((name) => [name, new ort.Tensor("int64", known[name], shape)]),
      );
      return () => session.run(feeds);
    },
    close: () => session.release(),
  };
}

/** Runs it; told by `run.ts` through the page. */
async function benchPage(
  runtime: string,
  sizes: GpuSizes,
  budget: Budget,
): Promise<GpuBench> {
  const bundle = readPackage(await bytesOf("/bench_model.safetensors")), peers: GpuPeer[] = [];
  const absent: GpuBench["absent"][number][] = [];
  try {
    peers.push(await ortPeer());
  } catch (error) {
    absent.push({ name: "ort-web webgpu f32", reason: (error as Error).message.split("\n")[0] });
  }
  const note = (text: string): void => console.log(text);
  const bench = await measureGpu(runtime, navigator.gpu, bundle, sizes, peers, budget, note);
  return { ...bench, absent: [...bench.absent, ...absent] };
}

Object.assign(globalThis, { benchPage });
