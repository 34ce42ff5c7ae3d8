/**
 * What an adapter can do at best through WebGPU: multiply-and-add in float32 and float16, dot products of four bytes, and
 * moving bytes. Loops of nothing else, on many threads, with operands in registers; the rest of the benchmark is told as
 * shares of these.
 *
 * Each thread has sixteen chains that do not wait for one another, of vectors of four, and writes what depends on all of them, so that
 * nothing can be left out. Operands come from a buffer, so that nothing is known when the shader is compiled. A loop counts
 * to fewer than 65,535, where Mesa's driver for processors stops it without a word.
 *
 * Weak: what a driver makes of the chains is its affair; an adapter whose matrix units are not reachable through WebGPU
 * has a higher peak on paper. Measured by the wall clock around a submit, of which as many dispatches are made as take
 * some tens of milliseconds.
 *
 * @module
 */

/** Peaks of an adapter; operations are multiplications and additions, two for each fused one. */
export interface Peaks {
  /** Giga-operations a second. */
  readonly f32: number;
  /** Undefined without `shader-f16`. */
  readonly f16: number | undefined;
  readonly int8: number;
  /** Gigabytes a second, read and written. */
  readonly bandwidth: number;
}

const CHAINS = 16, ROUNDS = 256, SIZE = 64;

const list = (line: (i: number) => string, between = "\n"): string =>
  Array.from({ length: CHAINS }, (_, i) => line(i)).join(between);

/** Chains of x = x * a + b, in vectors of four. */
function fma(type: "f32" | "f16"): string {
  return `${type === "f16" ? "enable f16;" : ""}
@group(0) @binding(0) var<storage, read> given: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;
@compute @workgroup_size(${SIZE}) fn main(@builtin(global_invocation_id) id: vec3u) {
  let a = vec4<${type}>(given[id.x & 15u]);
  let b = vec4<${type}>(given[(id.x + 1u) & 15u]);
  ${list((i) => `var x${i} = a + vec4<${type}>(${type}(${i}));`)}
  for (var round = 0u; round < ${ROUNDS}u; round++) {
    ${list((i) => `x${i} = fma(x${i}, a, b);`)}
  }
  out[id.x] = vec4f(${list((i) => `x${i}`, " + ")});
}`;
}

/** Chains of dot products of four bytes, whose sums are the next operands. */
const DOT = `
@group(0) @binding(0) var<storage, read> given: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4u>;
@compute @workgroup_size(${SIZE}) fn main(@builtin(global_invocation_id) id: vec3u) {
  let a = given[id.x & 15u];
  ${list((i) => `var x${i} = vec4i(a) + vec4i(${i});`)}
  for (var round = 0u; round < ${ROUNDS}u; round++) {
    ${
  list((i) =>
    ["x", "y", "z", "w"].map((c) => `x${i}.${c} += dot4I8Packed(bitcast<u32>(x${i}.${c}), a.${c});`)
      .join(" ")
  )
}
  }
  out[id.x] = bitcast<vec4u>(${list((i) => `x${i}`, " + ")});
}`;

const COPY = `
@group(0) @binding(0) var<storage, read> given: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;
@compute @workgroup_size(${SIZE}) fn main(@builtin(global_invocation_id) id: vec3u) {
  out[id.x] = given[id.x] + vec4f(1.0);
}`;

/** Flags by their numbers: where a GPU is a package's, their globals are not there. */
const STORAGE = 0x80, COPY_DST = 8, COPY_SRC = 4, MAP_READ = 1, READ = 1;

/** Milliseconds that a device takes for so many dispatches. */
type Dispatch = (times: number) => Promise<number>;

async function dispatcher(
  device: GPUDevice,
  code: string,
  bytes: number,
  groups: number,
): Promise<Dispatch> {
  const module = device.createShaderModule({ code });
  const pipeline = await device.createComputePipelineAsync({
    layout: "auto",
    compute: { module, entryPoint: "main" },
  });
  const given = device.createBuffer({ size: bytes, usage: STORAGE | COPY_DST });
  const out = device.createBuffer({ size: bytes, usage: STORAGE | COPY_SRC });
  const back = device.createBuffer({ size: 16, usage: MAP_READ | COPY_DST });
  device.queue.writeBuffer(given, 0, new Float32Array(64).map((_, i) => 0.5 + i / 256));
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [given, out].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  return async (times) => {
    const encoder = device.createCommandEncoder();
    for (let i = 0; i < times; i++) {
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(groups);
      pass.end();
    }
    encoder.copyBufferToBuffer(out, 0, back, 0, 16);
    const start = performance.now();
    device.queue.submit([encoder.finish()]);
    await back.mapAsync(READ);
    back.unmap();
    return performance.now() - start;
  };
}

/** Milliseconds of one dispatch: the difference that more of them make, the best of some. */
async function each(dispatch: Dispatch, smoke: boolean): Promise<number> {
  await dispatch(1);
  let times = 1;
  while (!smoke && times < 1024 && await dispatch(times) < 40) times *= 2;
  let best = Infinity;
  for (let i = 0; i < (smoke ? 1 : 5); i++) {
    best = Math.min(best, (await dispatch(2 * times) - await dispatch(times)) / times);
  }
  // So short, or so disturbed, that the clock cannot see it.
  return best > 0 ? best : NaN;
}

/** Measures an adapter's peaks; `smoke`: on few threads, to see that it runs. */
export async function measurePeaks(gpu: GPU, smoke: boolean): Promise<Peaks> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("there is no adapter");
  const half = adapter.features.has("shader-f16");
  const device = await adapter.requestDevice({ requiredFeatures: half ? ["shader-f16"] : [] });
  const groups = smoke ? 4 : 4096, bytes = groups * SIZE * 16;
  const operations = groups * SIZE * ROUNDS * CHAINS * 4;
  const rate = async (code: string, operations: number): Promise<number> =>
    operations / await each(await dispatcher(device, code, bytes, groups), smoke) / 1e6;
  try {
    return {
      f32: await rate(fma("f32"), 2 * operations),
      f16: half ? await rate(fma("f16"), 2 * operations) : undefined,
      // Four multiplications and four additions.
      int8: await rate(DOT, 8 * operations),
      bandwidth: await rate(COPY, 2 * bytes),
    };
  } finally {
    device.destroy();
  }
}
