/**
 * Kernels one by one, each next to the peak of its own instruction mix.
 *
 * Buffers hold ordinary numbers in no particular arrangement: a kernel's time does not depend on where a
 * weight belongs, only on sizes and on there being no denormals. What kernels compute is for the tests.
 *
 * Operations counted: matrix products 2 M N K; attention its two products, 4 S S d a head, softmax not
 * counted; quantization 7 an element (range: max, min, mul, add; scaling: mul, add, subtract), LayerNorm 9
 * an element; Viterbi an addition and a comparison for each pair of labels and token.
 *
 * Speeds are those of the fastest sample, for kernel and peak alike: both do the same work each time, so all
 * that is slower is the machine's. The median and the spread are given beside them.
 *
 * Weak: weights are reused from call to call and stay in the cache, as those of a small model do and those
 * of a large one do not.
 *
 * @module
 */
import { Arena } from "../src/backend/wasm/arena.ts";
import {
  chooseKernels,
  type ChosenKernels,
  instantiateKernels,
  type Kernels,
} from "../src/backend/wasm/kernels.ts";
import { padded, PANEL, PANEL_PARAMS, ROW_PARAMS } from "../src/backend/wasm/layout.ts";
import { table } from "../src/cli/table.ts";
import { defaultKernels } from "../mod.ts";
import { type Budget, type Candidate, ms, takeTurns, type Timing } from "./measure.ts";
import { loadPeaks, type Mix } from "./mixes.ts";

/** One kernel at one size. */
export interface KernelRow {
  /** `kernels/KERNEL/SIZE`, with the module where it matters. */
  readonly name: string;
  readonly timing: Timing;
  /** Operations a nanosecond, in the fastest sample. */
  readonly gops: number;
  /** What its speed is compared with. */
  readonly mix: string;
  readonly peakGops: number;
  /** `100 * gops / peakGops`. */
  readonly percentOfPeak: number;
}

/** Results of the section. */
export interface KernelReport {
  /** Which int8 modules ran here, and why the others did not. */
  readonly modules: readonly { readonly module: string; readonly state: string }[];
  readonly rows: readonly KernelRow[];
}

/** A kernel call that can be timed. */
interface Case extends Candidate {
  readonly operations: number;
  readonly mix: Mix;
}

/** Rows, hidden size, feed-forward size, head size, labels. */
interface Size {
  readonly m: number;
  readonly h: number;
  readonly f: number;
  readonly d: number;
  readonly labels: number;
}

const SIZES: readonly Size[] = [
  { m: 32, h: 256, f: 1024, d: 64, labels: 13 },
  { m: 128, h: 256, f: 1024, d: 64, labels: 13 },
  { m: 128, h: 768, f: 3072, d: 64, labels: 13 },
];

const SMOKE_SIZES: readonly Size[] = [{ m: 5, h: 32, f: 48, d: 16, labels: 3 }];

/** Buffers for the largest size, in one memory. */
interface Buffers {
  readonly memory: WebAssembly.Memory;
  readonly x: number;
  readonly packed: number;
  readonly rows: number;
  readonly weights: number;
  readonly weightsF32: number;
  readonly columns: number;
  readonly out: number;
  readonly scratch: number;
  readonly crf: number;
  readonly state: number;
  readonly back: number;
}

function place(sizes: readonly Size[]): Buffers {
  const most = (of: (size: Size) => number): number => Math.max(...sizes.map(of));
  const arena = new Arena();
  const m = most((s) => s.m), wide = padded(most((s) => Math.max(s.f, 3 * s.h)));
  const weights = most((s) => padded(s.f) * padded(s.h)), labels = most((s) => s.labels);
  const taken = {
    x: arena.take(m * wide * 4),
    packed: arena.take(m * wide * 2),
    rows: arena.take(m * ROW_PARAMS),
    weights: arena.take(weights),
    weightsF32: arena.take(weights * 4),
    columns: arena.take(wide / PANEL * PANEL_PARAMS),
    out: arena.take(m * wide * 4),
    // attention_scratch of kernels/attention.ts, and room to spare.
    scratch: arena.take(padded(m) * (most((s) => s.d) + 8) * 4),
    crf: arena.take((2 * labels + 2 * labels * labels) * 8),
    state: arena.take(2 * labels * 8),
    back: arena.take(m * labels * 2),
  };
  return { ...taken, memory: arena.memory() };
}

/** Fills memory with small floats, and int8 weights and their scales where they belong. */
function fill({ memory, weights, weightsF32, crf, state }: Buffers): void {
  const floats = new Float32Array(memory.buffer), doubles = new Float64Array(memory.buffer);
  // A prime period, so that rows differ; no zeros, no denormals, nothing that can grow out of range.
  for (let i = 1 << 14; i < floats.length; i++) floats[i] = (i % 251 - 125.5) / 125;
  new Int8Array(memory.buffer, weights, weightsF32 - weights)
    .forEach((_, i, bytes) => bytes[i] = i % 251 - 125);
  for (let i = crf / 8; i < state / 8; i++) doubles[i] = (i % 251 - 125.5) / 125;
}

/** The int8 product, the one kernel that each module has its own of. */
function int8Cases(k: Kernels, b: Buffers, kind: string, sizes: readonly Size[]): Case[] {
  const mix: Mix = kind === "relaxed" ? "dot4" : "dot2";
  return sizes.flatMap(({ m, h, f }) =>
    ([[h, h], [f, h], [h, f]] as const).map(([n, depth]): Case => ({
      name: `kernels/int8_gemm ${kind}/${m}x${n}x${depth}`,
      mix,
      operations: 2 * m * n * depth,
      run: () =>
        // deno-fmt-ignore
        k.int8_gemm(m, padded(depth), b.packed, b.rows, b.weights, b.columns, b.out, padded(n) * 4, 0, padded(n) / PANEL, 0, m),
    }))
  );
}

/** Quantization differs between modules in how it packs. */
function quantizeCases(k: Kernels, b: Buffers, kind: string, sizes: readonly Size[]): Case[] {
  return sizes.flatMap(({ m, h, f }) =>
    [h, f].map((n): Case => ({
      name: `kernels/int8_quantize ${kind}/${m}x${n}`,
      mix: "range",
      operations: 7 * m * n,
      run: () => k.int8_quantize(b.x, padded(n) * 4, m, padded(n), b.packed, b.rows, 0, 0, m),
    }))
  );
}

/** What both modules share. */
function commonCases(k: Kernels, b: Buffers, sizes: readonly Size[]): Case[] {
  return sizes.flatMap(({ m, h, f, d, labels }): Case[] => [
    ...([[h, h], [f, h], [h, f]] as const).map(([n, depth]): Case => ({
      name: `kernels/f32_gemm/${m}x${n}x${depth}`,
      mix: "madd",
      operations: 2 * m * n * depth,
      run: () =>
        // deno-fmt-ignore
        k.f32_gemm(m, padded(depth), b.x, padded(depth) * 4, b.weightsF32, b.columns, b.out, padded(n) * 4, 0, padded(n) / PANEL),
    })),
    {
      name: `kernels/attention/${m}x${m}x${d}, ${h / d} heads`,
      mix: "madd",
      operations: 4 * m * m * h,
      run: () => {
        for (let head = 0; head < h; head += d) {
          const query = b.x + head * 4;
          // deno-fmt-ignore
          k.attention_f32(query, query + h * 4, query + 2 * h * 4, padded(3 * h) * 4, m, d, 0.125, b.out + head * 4, padded(h) * 4, b.scratch);
        }
      },
    },
    {
      name: `kernels/add_norm/${m}x${h}`,
      mix: "madd",
      operations: 9 * m * h,
      run: () => k.add_norm(b.x, b.out, h, b.weightsF32, b.weightsF32 + h * 4, 1e-12, 0, m),
    },
    {
      name: `kernels/crf_viterbi/${m} tokens, ${labels} labels`,
      mix: "best",
      operations: 2 * m * labels * labels,
      run: () => k.crf_viterbi(b.x, m, labels, b.crf, b.state, b.back, 1),
    },
  ]);
}

/** The shipped modules in the order of preference, with the reason where one may not run. */
async function usable(): Promise<(ChosenKernels | string)[]> {
  return await Promise.all(
    (await defaultKernels()).map((module) =>
      chooseKernels([module]).catch((error: Error) => error.message)
    ),
  );
}

/** Times all kernels whose name contains `filter`. */
export async function benchKernels(
  filter: string,
  budget: Budget,
  smoke: boolean,
): Promise<KernelReport> {
  const sizes = smoke ? SMOKE_SIZES : SIZES, peaks = await loadPeaks();
  const modules: { module: string; state: string }[] = [], cases: Case[] = [];
  for (const [i, chosen] of (await usable()).entries()) {
    if (typeof chosen === "string") {
      modules.push({ module: ["relaxed", "baseline"][i] ?? `module ${i}`, state: chosen });
      continue;
    }
    const buffers = place(sizes);
    const kernels = await instantiateKernels(chosen.module, buffers.memory);
    kernels.int8_set_signed(chosen.signed ? 1 : 0);
    fill(buffers);
    // The first module that runs is the one that the library would choose; it stands for what is shared.
    if (cases.length === 0) cases.push(...commonCases(kernels, buffers, sizes));
    modules.push({ module: chosen.kind, state: "ran" });
    cases.push(
      ...int8Cases(kernels, buffers, chosen.kind, sizes),
      ...quantizeCases(kernels, buffers, chosen.kind, sizes),
    );
  }
  const rows: KernelRow[] = [];
  // Sizes that differ only in what a kernel does not look at give the same case.
  const wanted = new Map(cases.filter((c) => c.name.includes(filter)).map((c) => [c.name, c]));
  for (const it of wanted.values()) {
    const peak = peaks[it.mix];
    const [timing, best] = await takeTurns([it, peak], budget);
    const gops = it.operations / timing.min / 1e6;
    const peakGops = peak.operations / best.min / 1e6;
    rows.push({
      name: it.name,
      timing,
      gops,
      mix: peak.what,
      peakGops,
      percentOfPeak: 100 * gops / peakGops,
    });
  }
  rows.sort((a, b) => a.name < b.name ? -1 : 1);
  return { modules, rows };
}

/** The section as text. */
export function kernelText({ modules, rows }: KernelReport): string {
  const refused = modules.filter(({ state }) => state !== "ran")
    .map(({ module, state }) => `The ${module} module did not run: ${state}\n`);
  const cells = rows.map((r) => [
    r.name.replace("kernels/", ""),
    ms(r.timing.median * 1000),
    `${ms(r.timing.p25 * 1000)}-${ms(r.timing.p75 * 1000)}`,
    r.gops.toFixed(1),
    r.peakGops.toFixed(1),
    `${r.percentOfPeak.toFixed(0)} %`,
    r.mix,
  ]);
  const header = [
    "kernel",
    "median us",
    "p25-p75",
    "GOP/s",
    "peak",
    "of peak",
    "instructions of the peak",
  ];
  return refused.join("") + table(header, cells);
}
