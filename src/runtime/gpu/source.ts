/**
 * What a caller may hand in as a GPU, by what is asked of it: who uses this library without one needs no types of WebGPU.
 *
 * @module
 */
import type { Rule } from "../../ner/check_options.ts";

/** A `GPU`: `navigator.gpu`, or what `create([])` of the npm package `webgpu` makes. */
export interface GpuLike {
  /** As WebGPU has it. */
  requestAdapter(options?: { powerPreference?: "high-performance" }): Promise<unknown>;
}

/** A `GPUDevice`. */
export interface GpuDeviceLike {
  /** As WebGPU has it. */
  readonly lost: Promise<unknown>;
  /** As WebGPU has it. */
  createBuffer(descriptor: never): unknown;
}

/** A GPU, or a device of one, which stays the caller's own. */
export type GpuSource = GpuLike | GpuDeviceLike;

/** Whether it is a device, of whatever implementation: by what only a device can be asked. */
export function isDevice(source: object): source is GpuDeviceLike {
  return "createBuffer" in source;
}

/** What is accepted as one. */
export const GPU_RULE: Rule = [
  "a GPU (navigator.gpu, or create([]) of the npm package webgpu) or a GPUDevice",
  (value) =>
    typeof value === "object" && value !== null && ("requestAdapter" in value || isDevice(value)),
];
