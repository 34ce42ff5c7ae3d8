/**
 * A GPU's device: what to ask for, and its failures as errors.
 *
 * A device fails in ways that return no error where they happen: what is invalid is noted for whoever opened an error
 * scope, a lost device takes all calls and does nothing, and in some runtimes even maps a buffer of stale bytes. So everything
 * that is done with a device is done inside {@link Gpu.guarded}, and results carry a stamp (machine.ts).
 *
 * Flags are written as numbers: their globals are not there where a GPU is a package's.
 *
 * @module
 */
import { RuntimeError } from "../../errors.ts";

/** GPUBufferUsage. */
export const USAGE = {
  MAP_READ: 0x1,
  COPY_SRC: 0x4,
  COPY_DST: 0x8,
  UNIFORM: 0x40,
  STORAGE: 0x80,
} as const;

/** GPUMapMode.READ. */
export const MAP_READ = 1;

/** GPUShaderStage.COMPUTE. */
export const COMPUTE = 4;

/**
 * What to ask an adapter for: bindings and buffers as large as it has, since a table or a matrix is split where they are not
 * large enough, and half precision where there is some. The kernels need nothing beyond the limits that every adapter has.
 */
export function deviceDescriptor(adapter: GPUAdapter): GPUDeviceDescriptor {
  const { maxStorageBufferBindingSize, maxBufferSize } = adapter.limits;
  return {
    requiredLimits: { maxStorageBufferBindingSize, maxBufferSize },
    requiredFeatures: adapter.features.has("shader-f16") ? ["shader-f16"] : [],
  };
}

/** What an error scope may hold, and what it means here. */
const SCOPES = {
  "out-of-memory": "runtime/memory",
  validation: "runtime/gpu",
  internal: "runtime/gpu",
} as const;
const FILTERS = Object.keys(SCOPES) as (keyof typeof SCOPES)[];

/** A runtime may say that a device is lost only after what has failed for it. So long is waited to hear it, of a failure. */
const LOST_WITHIN_MS = 100;

/** A device whose failures are typed errors. */
export class Gpu {
  readonly device: GPUDevice;
  #lost: GPUDeviceLostInfo | undefined;

  /** Takes a device; it stays the caller's. */
  constructor(device: GPUDevice) {
    this.device = device;
    void device.lost.then((info) => this.#lost = info);
  }

  /** Throws a {@link RuntimeError} `runtime/gpu-lost` if the device is known to be lost. */
  check(): void {
    if (this.#lost === undefined) return;
    const { reason, message } = this.#lost;
    throw new RuntimeError(
      "runtime/gpu-lost",
      `the GPU's device ${reason === "destroyed" ? "was destroyed" : "is lost"}` +
        `${
          message ? ` (${message})` : ""
        }; the next call opens another, but of a device that was handed in: there, load the model again with a new one.`,
    );
  }

  /** {@link check} after a failure that may be the device's end. */
  async checkFailed(): Promise<void> {
    const wait = new Promise((resolve) => setTimeout(resolve, LOST_WITHIN_MS));
    await Promise.race([this.device.lost, wait]);
    this.check();
  }

  /**
   * Does something with the device, at once, and resolves to its result when it is known to be valid. `what` says what
   * was done, for messages. Rejects with a {@link RuntimeError}: `runtime/memory`, `runtime/gpu` or `runtime/gpu-lost`.
   */
  async guarded<T>(what: string, action: () => T): Promise<T> {
    this.check();
    for (const filter of FILTERS) this.device.pushErrorScope(filter);
    let result: T;
    let scopes: Promise<GPUError | null>[];
    try {
      result = action();
    } finally {
      // Scopes are a stack; a lost device may answer for none of them.
      scopes = FILTERS.map(() => this.device.popErrorScope().catch(() => null)).reverse();
    }
    const errors = await Promise.all(scopes);
    if (errors.some((error) => error !== null)) await this.checkFailed();
    else this.check();
    errors.forEach((error, i) => {
      if (error === null) return;
      throw new RuntimeError(SCOPES[FILTERS[i]], `${what}: the GPU says ${error.message}`);
    });
    return result;
  }
}
