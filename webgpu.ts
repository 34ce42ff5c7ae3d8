/**
 * A GPU for recognisers of `edge-ner/core`, which has neither shaders nor what chooses between a GPU and WebAssembly. `edge-ner`
 * itself loads both when they are asked for, and needs none of this.
 *
 * ```ts ignore
 * import { Ner } from "edge-ner/core";
 * import { acceleratorOf } from "edge-ner/webgpu";
 *
 * const ner = await Ner.fromBytes(model, { kernels, backend: "auto", accelerator: acceleratorOf() });
 * console.log(ner.info().gpu);
 * ```
 *
 * @module
 */
export { acceleratorOf } from "./src/runtime/gpu/gpu.ts";
export type { GpuDeviceLike, GpuLike, GpuSource } from "./src/runtime/gpu/source.ts";
export type { Accelerator } from "./src/ner/options.ts";
