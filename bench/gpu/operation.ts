/**
 * What the benchmark of GPUs does with a backend: opens one, fills a batch, and times one operation alone.
 *
 * @module
 */
import type { Backend, PackedBatch } from "../../src/backend/backend.ts";
import { deviceDescriptor } from "../../src/backend/webgpu/device.ts";
import { WebGpuBackend, type WebGpuOptions } from "../../src/backend/webgpu/webgpu.ts";
import type { EncoderWeights } from "../../mod.ts";

/** So many texts of one length. */
export function batchOf(vocabSize: number, batch: number, length: number): PackedBatch {
  return {
    ids: Int32Array.from({ length: batch * length }, (_, i) => i * 7919 % vocabSize),
    offsets: Int32Array.from({ length: batch + 1 }, (_, i) => i * length),
  };
}

/** A backend of ours on a device of its own; `made` is told of each buffer's bytes. */
export async function gpuBackend(
  gpu: GPU,
  weights: EncoderWeights,
  precision: WebGpuOptions["precision"],
  maxTokens: number,
  made: (bytes: number) => void = () => {},
): Promise<Backend> {
  const adapter = (await gpu.requestAdapter({ powerPreference: "high-performance" }))!;
  const device = await adapter.requestDevice(deviceDescriptor(adapter)), { createBuffer } = device;
  device.createBuffer = (descriptor) => {
    made(descriptor.size);
    return createBuffer.call(device, descriptor);
  };
  const { wgslLanguageFeatures } = gpu as { wgslLanguageFeatures?: ReadonlySet<string> };
  return await WebGpuBackend.create(weights, {
    device,
    precision,
    maxTokens,
    packedDot: wgslLanguageFeatures?.has("packed_4x8_integer_dot_product") ?? false,
    released: () => device.destroy(),
  });
}

/** Milliseconds of one operation: of a run with so many of it, less one with half as many; `quick`: but once. */
export async function operationTime(
  backend: Backend,
  batch: PackedBatch,
  write: () => void,
  quick: boolean,
): Promise<number> {
  const run = async (times: number): Promise<number> => {
    backend.begin(batch);
    for (let i = 0; i < times; i++) write();
    const start = performance.now();
    await backend.read(backend.workspace.emissions);
    return performance.now() - start;
  };
  await run(2);
  let times = 2;
  while (!quick && times < 256 && await run(times) < 40) times *= 2;
  let best = Infinity;
  for (let i = 0; i < (quick ? 1 : 5); i++) {
    best = Math.min(best, (await run(2 * times) - await run(times)) / times);
  }
  return best > 0 ? best : NaN;
}
