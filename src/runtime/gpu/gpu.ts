/**
 * A runtime's GPU as backends are made on it: adapters, devices, and what is a GPU by its name alone.
 *
 * Deno and browsers have `navigator.gpu`. Node and Bun have none of their own, and are handed the one of the npm package
 * `webgpu` (Dawn); who has a device already, which he draws with for instance, hands in that. Nothing here is of a
 * package, and this file, which brings the shaders with it, is loaded when a GPU is asked for and not before.
 *
 * A device is opened for each backend, on an adapter of its own (Dawn gives an adapter one device only), asks for the
 * limits that the kernels gain from and the adapter has, and is destroyed with its backend; one that was handed in is not.
 *
 * Weak: a program on the processor is known by what it calls itself. A new one under another name would be let into the
 * race of `auto`, which it would lose.
 *
 * @module
 */
import {
  accelerate,
  type EngineRequest,
  type Gpu,
  type GpuAdapter,
  type GpuBackendOptions,
} from "../../backend/accelerate.ts";
import type { Backend } from "../../backend/backend.ts";
import { deviceDescriptor } from "../../backend/webgpu/device.ts";
import { WebGpuBackend } from "../../backend/webgpu/webgpu.ts";
import { RuntimeError } from "../../errors.ts";
import type { EncoderWeights } from "../../model/weights.ts";
import type { Accelerator } from "../../ner/options.ts";
import { type GpuSource, isDevice } from "./source.ts";

/** What is used of an adapter's description of itself: of the web's `GPUAdapterInfo`, which few programs' types know. */
export interface AdapterInfo {
  readonly vendor?: string;
  readonly architecture?: string;
  readonly device?: string;
  readonly description?: string;
  readonly isFallbackAdapter?: boolean;
}

/**
 * Programs that draw on the processor: SwiftShader (browsers), llvmpipe or lavapipe and softpipe (Mesa), WARP (Windows,
 * which describes it as its basic render driver).
 */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|\bwarp\b|basic render|software/i;

const words = (info: AdapterInfo): string[] =>
  [info.vendor, info.architecture, info.device, info.description].filter((word) =>
    !!word
  ) as string[];

/** Whether an adapter is a program on the processor. */
export function isSoftware(info: AdapterInfo): boolean {
  return info.isFallbackAdapter === true || SOFTWARE.test(words(info).join(" "));
}

/** What an adapter calls itself. */
export function describe(info: AdapterInfo): string {
  return info.description || words(info).join(" ") || "an adapter without a name";
}

function refuse(message: string, cause?: unknown): RuntimeError {
  return new RuntimeError("runtime/no-gpu", message, { cause });
}

/** The encoder on a device. */
async function backendOn(
  device: GPUDevice,
  weights: EncoderWeights,
  options: GpuBackendOptions,
  gpu: GPU | undefined,
  released?: () => void,
): Promise<Backend> {
  // Types of Deno have it not; implementations before 2023 neither.
  const { wgslLanguageFeatures } = (gpu ?? {}) as { wgslLanguageFeatures?: ReadonlySet<string> };
  const packedDot = wgslLanguageFeatures?.has("packed_4x8_integer_dot_product") ?? false;
  const { maxMemoryBytes, ...rest } = options;
  return await WebGpuBackend.create(weights, {
    ...rest,
    device,
    packedDot,
    ...(maxMemoryBytes !== undefined && { maxMemoryBytes }),
    ...(released && { released }),
  });
}

/** A GPU that is asked for adapters. */
function ofGpu(gpu: GPU): Gpu {
  return {
    async adapter(): Promise<GpuAdapter> {
      let adapter: GPUAdapter | null;
      try {
        adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
      } catch (cause) {
        throw refuse(`WebGPU gives no adapter: ${(cause as Error).message}`, cause);
      }
      if (adapter === null) {
        throw refuse(
          "WebGPU is here, but no adapter: there is no GPU, no driver, or it is blocked.",
        );
      }
      const own = adapter, info = own.info ?? {};
      return {
        description: describe(info),
        software: isSoftware(info),
        async backend(weights, options) {
          let device: GPUDevice;
          try {
            device = await own.requestDevice(deviceDescriptor(own));
          } catch (cause) {
            throw refuse(`${describe(info)} gives no device: ${(cause as Error).message}`, cause);
          }
          try {
            return await backendOn(device, weights, options, gpu, () => device.destroy());
          } catch (error) {
            device.destroy();
            throw error;
          }
        },
      };
    },
  };
}

/** A device that is the caller's own, and stays open when backends on it are closed. */
function ofDevice(device: GPUDevice): Gpu {
  const info = device.adapterInfo ?? {};
  return {
    adapter: () =>
      Promise.resolve({
        description: describe(info),
        software: isSoftware(info),
        backend: (weights, options) =>
          backendOn(device, weights, options, globalThis.navigator?.gpu),
      }),
  };
}

const NONE: Gpu = {
  adapter: () =>
    Promise.reject(
      refuse(
        "This runtime has no navigator.gpu. Deno and browsers have one (browsers on pages from https: or localhost, Firefox on " +
          "Linux behind its preference dom.webgpu.enabled); " +
          "in Node and Bun hand in that of the npm package webgpu: { gpu: create([]) }.",
      ),
    ),
};

/** What makes engines on a GPU: the runtime's own, or one that is handed in. */
export function acceleratorOf(source?: GpuSource): Accelerator {
  const given = (source ?? globalThis.navigator?.gpu) as GPU | GPUDevice | undefined;
  const gpu = given === undefined
    ? NONE
    : isDevice(given)
    ? ofDevice(given as GPUDevice)
    : ofGpu(given as GPU);
  return (request: EngineRequest) => accelerate(gpu, request);
}
