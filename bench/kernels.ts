/**
 * Kernels one by one, each next to the peak of its own instruction mix, at the sizes of the models that are
 * measured.
 *
 * Buffers hold ordinary numbers in no particular arrangement: a kernel's time does not depend on where a
 * weight belongs, only on sizes and on there being no denormals. What kernels compute is for the tests.
 *
 * Operations counted: matrix products 2 M N K; attention its two products, 4 S S d a head, softmax not
 * counted; quantization 7 an element (range: max, min, mul, add; scaling: mul, add, subtract), GELU 29,
 * LayerNorm 9, an embedding's row 2 more (1 where it is not scaled); Viterbi an addition and a comparison
 * for each pair of labels and token; forward and backward a multiplication and an addition for each pair, an
 * exp and a log for each label.
 *
 * Speeds are those of the fastest sample, for kernel and peak alike: both do the same work each time, so all
 * that is slower is the machine's. The median and the spread are given beside them.
 *
 * Weak: weights are reused from call to call and stay in the cache, as those of a small model do and those
 * of a large one do not. The peak of a mix that only resembles a kernel's (GELU with quantization, LayerNorm)
 * is a yardstick and no bound.
 *
 * @module
 */
import { defaultKernels, type ModelConfig } from "../mod.ts";
import { Arena } from "../src/kernels/memory.ts";
import type { Kernels } from "../src/kernels/exports.ts";
import { makeMemory } from "../src/kernels/memory.ts";
import { chooseKernels, type ChosenKernels, instantiateKernels } from "../src/kernels/module.ts";
import { padded, paddedHead, PANEL, PANEL_PARAMS, ROW_PARAMS } from "../src/backend/wasm/layout.ts";
import { table } from "../src/cli/table.ts";
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

/** Numbers of rows and tokens that kernels get. */
interface Counts {
  /** Of the int8 product: every tile and every remainder. */
  readonly product: readonly number[];
  /** Of what works row by row, and of the float32 product. */
  readonly rows: readonly number[];
  /** Lengths of sequences for attention and the CRF. */
  readonly lengths: readonly number[];
}

const COUNTS: Counts = {
  product: [1, 2, 3, 4, 5, 8, 16, 32, 64, 128, 512],
  rows: [1, 4, 32, 128],
  lengths: [8, 32, 64, 128, 512],
};

const SMOKE_COUNTS: Counts = { product: [1, 5], rows: [3], lengths: [5] };

/** One model's widths, and how often what. */
interface Size {
  readonly counts: Counts;
  /** Hidden size, feed-forward size, columns of a head (padded), heads, labels. */
  readonly h: number;
  readonly f: number;
  readonly d: number;
  readonly heads: number;
  readonly labels: number;
}

function sizeOf(config: ModelConfig, counts: Counts): Size {
  const { hiddenSize: h, feedForwardSize: f, heads, labels } = config;
  return { counts, h, f, d: paddedHead(config), heads, labels: labels.length };
}

/** Outputs and inputs of a model's linear layers: qkv, attention's output, up, down, classifier. */
function layersOf({ h, f, labels }: Size): readonly (readonly [n: number, k: number])[] {
  return [[3 * h, h], [h, h], [f, h], [h, f], [labels, h]];
}

/** Buffers for the largest size, in one memory. */
interface Buffers {
  readonly memory: WebAssembly.Memory;
  readonly x: number;
  /** Inputs of GELU, which it leaves as they are; see {@link fill}. */
  readonly large: number;
  readonly packed: number;
  readonly rows: number;
  /** int8 weights. */
  readonly weights: number;
  /** float32 weights; an embedding's table too, one row an output of the feed-forward's first layer. */
  readonly weightsF32: number;
  readonly columns: number;
  readonly out: number;
  readonly scratch: number;
  readonly ids: number;
  readonly positions: number;
  readonly emissions: number;
  readonly crf: number;
  readonly state: number;
  readonly back: number;
  /** Rows of scores of the forward and the backward recursion. */
  readonly alpha: number;
}

function place(sizes: readonly Size[], kernels: Kernels): Buffers {
  const most = (of: (size: Size) => number): number => Math.max(...sizes.map(of));
  const arena = new Arena();
  const m = most(({ counts }) => Math.max(...counts.product, ...counts.rows, ...counts.lengths));
  const wide = padded(most((s) => Math.max(s.f, 3 * s.heads * s.d)));
  const weights = most((s) => padded(Math.max(s.f, 3 * s.h)) * padded(s.h));
  const labels = most((s) => s.labels);
  const taken = {
    x: arena.take(m * wide * 4),
    large: arena.take(m * wide * 4),
    packed: arena.take(m * wide * 2),
    rows: arena.take(m * ROW_PARAMS),
    weights: arena.take(weights),
    weightsF32: arena.take(weights * 4),
    columns: arena.take(wide / PANEL * PANEL_PARAMS),
    out: arena.take(m * wide * 4),
    scratch: arena.take(
      Math.max(
        ...sizes.map(({ d }) =>
          Math.max(kernels.attention_scratch(m, d), kernels.attention_int8_scratch(m, d))
        ),
      ),
    ),
    ids: arena.take(m * 4),
    positions: arena.take(m * padded(most((s) => s.h)) * 4),
    emissions: arena.take(m * labels * 4),
    crf: arena.take(kernels.crf_bytes(labels)),
    state: arena.take(2 * labels * 8),
    back: arena.take(m * labels * 2),
    alpha: arena.take((m + 1) * labels * 8),
  };
  return { ...taken, memory: arena.memory() };
}

/** Fills memory with small floats, and with what they are not where that belongs. */
function fill(
  { memory, large, packed, weights, weightsF32, ids, positions, crf, state }: Buffers,
): void {
  const floats = new Float32Array(memory.buffer), doubles = new Float64Array(memory.buffer);
  // A prime period, so that rows differ; no zeros, no denormals, nothing that can grow out of range.
  for (let i = 1 << 14; i < floats.length; i++) floats[i] = (i % 251 - 125.5) / 125;
  // GELU works in place. Of numbers this large it makes the same numbers; smaller ones would wither, call by
  // call, to denormals.
  for (let i = large >> 2; i < packed >> 2; i++) floats[i] = 6 + (i % 251) / 250;
  new Int8Array(memory.buffer, weights, weightsF32 - weights)
    .forEach((_, i, bytes) => bytes[i] = i % 251 - 125);
  for (let i = crf / 8; i < state / 8; i++) doubles[i] = (i % 251 - 125.5) / 125;
  // Rows of a table in no order; as positions they count up.
  const rows = new Int32Array(memory.buffer, ids, (positions - ids) >> 2);
  for (let i = 0; i < rows.length; i++) rows[i] = i;
}

/** All heads of one sequence, one after the other. */
function attentionCases(
  attend: Kernels["attention_f32"],
  kind: string,
  mix: Mix,
  b: Buffers,
  { d, heads, counts }: Size,
): Case[] {
  const wide = padded(3 * heads * d) * 4, narrow = padded(heads * d) * 4, part = heads * d * 4;
  return counts.lengths.map((s): Case => ({
    name: `kernels/attention${kind}/${s}x${s}x${d}, ${heads} heads`,
    mix,
    operations: 4 * s * s * d * heads,
    run: () => {
      for (let i = 0; i < heads; i++) {
        const query = b.x + i * d * 4;
        // deno-fmt-ignore
        attend(query, query + part, query + 2 * part, wide, s, d, 0.125, b.out + i * d * 4, narrow, b.scratch);
      }
    },
  }));
}

/** The int8 product and its quantization, of which each module has its own. */
function int8Cases(k: Kernels, b: Buffers, kind: string, size: Size): Case[] {
  const { h, f, counts } = size, mix: Mix = kind === "relaxed" ? "dot4" : "dot2";
  const quantize = (m: number, n: number, x: number, activation: number): void =>
    k.int8_quantize(x, padded(n) * 4, m, padded(n), b.packed, b.rows, activation, 0, m);
  return [
    ...counts.product.flatMap((m) =>
      layersOf(size).map(([n, depth]): Case => ({
        name: `kernels/int8_gemm ${kind}/${m}x${n}x${depth}`,
        mix,
        operations: 2 * m * n * depth,
        run: () =>
          // deno-fmt-ignore
          k.int8_gemm(m, padded(depth), b.packed, b.rows, b.weights, b.columns, b.out, padded(n) * 4, 0, padded(n) / PANEL, 0, m),
      }))
    ),
    ...attentionCases(k.attention_int8, `_int8 ${kind}`, mix, b, size),
    ...counts.rows.flatMap((m): Case[] => [
      ...[h, f].map((n): Case => ({
        name: `kernels/int8_quantize ${kind}/${m}x${n}`,
        mix: "range",
        operations: 7 * m * n,
        run: () => quantize(m, n, b.x, 0),
      })),
      {
        name: `kernels/int8_quantize+gelu ${kind}/${m}x${f}`,
        mix: "gelu",
        operations: (29 + 7) * m * f,
        run: () => quantize(m, f, b.large, 1),
      },
    ]),
  ];
}

/** What both modules share. */
function commonCases(k: Kernels, b: Buffers, size: Size): Case[] {
  const { h, f, labels, counts } = size;
  const embed = (m: number, type: string, call: () => void): Case => ({
    name: `kernels/embed_${type}/${m}x${h}`,
    mix: "madd",
    operations: (type === "f32" ? 10 : 11) * m * h,
    run: call,
  });
  const { ids, weightsF32: words, columns: scales, positions } = b;
  const gamma = b.weightsF32, beta = gamma + padded(h) * 4;
  return [
    ...attentionCases(k.attention_f32, "_f32", "madd", b, size),
    ...counts.rows.flatMap((m): Case[] => [
      ...layersOf(size).map(([n, depth]): Case => ({
        name: `kernels/f32_gemm/${m}x${n}x${depth}`,
        mix: "madd",
        operations: 2 * m * n * depth,
        run: () =>
          // deno-fmt-ignore
          k.f32_gemm(m, padded(depth), b.x, padded(depth) * 4, b.weightsF32, b.columns, b.out, padded(n) * 4, 0, padded(n) / PANEL),
      })),
      {
        name: `kernels/gelu/${m}x${f}`,
        mix: "gelu",
        operations: 29 * m * f,
        run: () => k.activate(b.large, f, 1, 0, m),
      },
      {
        name: `kernels/add_norm/${m}x${h}`,
        mix: "madd",
        operations: 9 * m * h,
        run: () => k.add_norm(b.x, b.large, h, gamma, beta, 1e-12, 0, m),
      },
      // deno-fmt-ignore
      embed(m, "int8", () => k.embed_int8(b.out, h, ids, ids, words, scales, positions, gamma, beta, 1e-12, 0, m)),
      // deno-fmt-ignore
      embed(m, "int4", () => k.embed_int4(b.out, h, ids, ids, words, scales, positions, gamma, beta, 1e-12, 0, m)),
      // deno-fmt-ignore
      embed(m, "f32", () => k.embed_f32(b.out, h, ids, ids, words, positions, gamma, beta, 1e-12, 0, m)),
    ]),
    // The first token takes no step.
    ...counts.lengths.flatMap((m): Case[] => [
      {
        name: `kernels/crf_viterbi/${m} tokens, ${labels} labels`,
        mix: "best",
        operations: 2 * (m - 1) * labels * labels,
        run: () => k.crf_viterbi(b.emissions, m, labels, b.crf, b.state, b.back, 1),
      },
      {
        name: `kernels/crf_forward/${m} tokens, ${labels} labels`,
        mix: "sums",
        operations: 2 * (m - 1) * labels * (labels + 1),
        run: () => k.crf_forward(b.emissions, m, labels, b.crf, b.alpha, b.scratch, 1),
      },
      {
        name: `kernels/crf_backward/${m} tokens, ${labels} labels`,
        mix: "sums",
        operations: 2 * (m - 1) * labels * (labels + 1),
        run: () => k.crf_backward(b.emissions, m, labels, b.crf, b.alpha, b.state, b.scratch, 1),
      },
    ]),
  ];
}

/** The shipped modules in the order of preference, with the reason where one may not run. */
async function usable(): Promise<(ChosenKernels | string)[]> {
  return await Promise.all(
    (await defaultKernels()).map((module) =>
      chooseKernels([module]).catch((error: Error) => error.message)
    ),
  );
}

/** Times all kernels whose name contains `filter`, at the sizes of `models`. */
export async function benchKernels(
  filter: string,
  models: readonly ModelConfig[],
  budget: Budget,
  smoke: boolean,
): Promise<KernelReport> {
  const sizes = models.map((config) => sizeOf(config, smoke ? SMOKE_COUNTS : COUNTS));
  const peaks = await loadPeaks();
  const modules: { module: string; state: string }[] = [], cases: Case[] = [];
  for (const [i, chosen] of (await usable()).entries()) {
    if (typeof chosen === "string") {
      modules.push({ module: ["relaxed", "baseline"][i] ?? `module ${i}`, state: chosen });
      continue;
    }
    const rulers = await instantiateKernels(chosen.module, makeMemory(1, false));
    const buffers = place(sizes, rulers);
    const kernels = await instantiateKernels(chosen.module, buffers.memory);
    kernels.int8_set_signed(chosen.signed ? 1 : 0);
    fill(buffers);
    const first = cases.length === 0;
    modules.push({ module: chosen.kind, state: "ran" });
    for (const size of sizes) {
      kernels.crf_prepare(buffers.crf, size.labels);
      cases.push(...int8Cases(kernels, buffers, chosen.kind, size));
      // The first module that runs is the one that the library would choose; it stands for what is shared.
      if (first) cases.push(...commonCases(kernels, buffers, size));
    }
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
