/**
 * One kernel at a time, on the device that tests share.
 *
 * @module
 */
import { Gpu } from "../../../src/backend/webgpu/device.ts";
import {
  FEW_ROWS,
  type KernelName,
  kernelOf,
  type Shapes,
  TILE_ROWS,
} from "../../../src/backend/webgpu/kernels.ts";
import { PANEL } from "../../../src/backend/webgpu/layout.ts";
import { Machine } from "../../../src/backend/webgpu/machine.ts";
import type { GpuArray } from "../../../src/backend/webgpu/memory.ts";
import { cutGrid } from "../../../src/backend/webgpu/steps.ts";
import { device, packedDot } from "./device.ts";

/** The int8 products that run on the device, in either size of tiles and either form of the dot. */
export const INT8_PRODUCTS: readonly KernelName[] = [
  ...packedDot ? ["product_int8", "product_int8_few"] as const : [],
  "product_int8_unpacked",
  "product_int8_few_unpacked",
];

/** A machine without an encoder. */
export function newMachine(): Machine {
  return new Machine(new Gpu(device), Infinity, {});
}

/** What is in an array. */
export function read(machine: Machine, result: GpuArray, bytes: number): Promise<ArrayBuffer> {
  return machine.run({ writes: [], steps: [], result, bytes });
}

/** Runs a kernel over `count` rows, `block` of them and `panels` panels a workgroup. */
async function run(
  machine: Machine,
  name: KernelName,
  shapes: Shapes,
  arrays: readonly GpuArray[],
  { count, block = 1, panels = 1 }: { count: number; block?: number; panels?: number },
): Promise<void> {
  const groups = (blocks: number) =>
    block > 1 ? [panels, blocks, 1] as const : [blocks, 1, 1] as const;
  const dispatches = cutGrid({ count, block, work: 1, groups }, 1e9);
  const steps = [{ kernel: kernelOf(name), shapes, arrays, dispatches }];
  await machine.run({ writes: [], steps, result: arrays[0], bytes: 16 });
}

/** Rows quantized: bytes, and scales and zero points. */
export async function quantizeOn(
  machine: Machine,
  x: GpuArray,
  [m, width]: readonly [number, number],
  levels: number,
): Promise<{ bytes: GpuArray; rows: GpuArray }> {
  const bytes = machine.memory.take(m * width), rows = machine.memory.take(m * 8);
  await run(machine, "quantize", { width: width / 4, levels }, [bytes, rows, x], { count: m });
  return { bytes, rows };
}

/** A product `[m, n]` of operands in memory, x first; n and k are padded. */
export async function productOn(
  machine: Machine,
  name: KernelName,
  operands: readonly GpuArray[],
  { m, n, k }: { m: number; n: number; k: number },
): Promise<Float32Array> {
  const y = machine.memory.take(m * n * 4), block = name.includes("few") ? FEW_ROWS : TILE_ROWS;
  const shapes = { k, y_width: n / 4, width: n / 4 }, panels = Math.ceil(n / PANEL);
  await run(machine, name, shapes, [y, ...operands], { count: m, block, panels });
  return new Float32Array(await read(machine, y, m * n * 4), 0, m * n);
}
