/**
 * The GPU that the tests of this folder run on: what the runtime finds, a software adapter as well as another.
 *
 * Where there is none, tests of a GPU are skipped, which uvu counts and `deno task test` prints. On Debian,
 * `apt-get install mesa-vulkan-drivers libvulkan1` gives one.
 *
 * @module
 */
import { test } from "uvu";
import type { PackedBatch } from "../../../src/backend/backend.ts";
import { encode } from "../../../src/backend/encoder.ts";
import { deviceDescriptor } from "../../../src/backend/webgpu/device.ts";
import { WebGpuBackend, type WebGpuOptions } from "../../../src/backend/webgpu/webgpu.ts";
import type { EncoderWeights } from "../../../src/model/weights.ts";

/** Undefined where there is no GPU. */
export const adapter: GPUAdapter | undefined = await navigator.gpu?.requestAdapter() ?? undefined;

/** A test that needs a GPU. */
export const gpuTest: typeof test = adapter ? test : Object.assign(test.skip, test);

/** A device of its own, which is lost with no other test's. */
export async function newDevice(): Promise<GPUDevice> {
  const fresh = (await navigator.gpu.requestAdapter())!;
  return await fresh.requestDevice(deviceDescriptor(fresh));
}

/** The device that tests share which do nothing to it. */
export const device: GPUDevice = adapter ? await newDevice() : undefined!;

/** The precisions that it has. */
export const precisions: readonly WebGpuOptions["precision"][] = adapter?.features.has("shader-f16")
  ? ["f32", "f16", "int8"]
  : ["f32", "int8"];

/** Whether its language multiplies packed bytes. */
export const packedDot: boolean =
  (navigator.gpu as { wgslLanguageFeatures?: ReadonlySet<string> } | undefined)
    ?.wgslLanguageFeatures?.has("packed_4x8_integer_dot_product") ?? false;

/** A backend on the shared device. */
export function backendOf(
  weights: EncoderWeights,
  options: Partial<WebGpuOptions> = {},
): Promise<WebGpuBackend> {
  const defaults = { device, precision: "f32", maxTokens: 160, packedDot } as const;
  return WebGpuBackend.create(weights, { ...defaults, ...options });
}

/** One run of a backend that is closed after it. */
export async function emissionsOn(
  backend: WebGpuBackend,
  batch: PackedBatch,
): Promise<Float32Array> {
  try {
    return await encode(backend, batch);
  } finally {
    backend.close();
  }
}
