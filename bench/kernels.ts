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
import { padded, paddedHead } from "../src/backend/wasm/layout.ts";
import {
  ACTIVATION,
  ACTIVATION_NONE,
  COMMAND_BYTES,
  COMMANDS,
  CONTROL_BYTES,
  F32_DEPTH,
  LEVELS,
  PANEL,
  PANEL_PARAMS,
  ROW_PARAMS,
} from "../src/kernels/contract.ts";
import type { Kernels } from "../src/kernels/exports.ts";
import { Arena } from "../src/kernels/memory.ts";
import {
  chooseKernels,
  type ChosenKernels,
  type Family,
  instantiateKernels,
  type Sizes,
} from "../src/kernels/module.ts";
import { type Arguments, Program } from "../src/kernels/program.ts";
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
  /** Where a sequence of each length begins and ends. */
  readonly offsets: number;
  readonly control: number;
  /** Room for {@link MOST_COMMANDS}. */
  readonly program: number;
}

/** A command for each case of a module. */
const MOST_COMMANDS = 2048;

function place(sizes: readonly Size[], kernels: Sizes, lengths: readonly number[]): Buffers {
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
        // A product in one chunk packs all rows.
        4 * F32_DEPTH * padded(m),
        ...sizes.map(({ d }) =>
          Math.max(kernels.attention_f32_scratch(m, d), kernels.attention_int8_scratch(m, d))
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
    offsets: arena.take(lengths.length * 8),
    control: arena.take(CONTROL_BYTES),
    program: arena.take(MOST_COMMANDS * COMMAND_BYTES),
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

/** Makes a call of a command that is written once. */
type Caller = <Name extends keyof typeof COMMANDS>(
  operation: Name,
  args: Arguments<typeof COMMANDS[Name]>,
  chunks?: number,
) => () => void;

/** Commands of one module, each at a place of its own. */
function callerOf(kernels: Kernels, { memory, program, control }: Buffers): Caller {
  new Uint8Array(memory.buffer, control, CONTROL_BYTES).fill(0);
  let address = program;
  return (operation, args, chunks = 1) => {
    const own = address;
    new Program(COMMANDS, { memory, address: own, capacity: 1 }).add(operation, chunks, args);
    address += COMMAND_BYTES;
    return () => kernels.run(control, own, 1);
  };
}

/** All heads of one sequence. */
function attentionCases(
  call: Caller,
  operation: "attention_f32" | "attention_int8",
  { mix, suffix }: { mix: Mix; suffix: string },
  b: Buffers,
  { d, heads, counts }: Size,
): Case[] {
  const offsets = new Int32Array(b.memory.buffer, b.offsets);
  return counts.lengths.map((s, i): Case => {
    offsets.set([0, s], 2 * i);
    return {
      name: `kernels/${operation}${suffix}/${s}x${s}x${d}, ${heads} heads`,
      mix,
      operations: 4 * s * s * d * heads,
      run: call(operation, {
        qkv: b.x,
        stride: padded(3 * heads * d) * 4,
        offsets: b.offsets + 8 * i,
        heads,
        d,
        scale: 0.125,
        context: b.out,
        contextStride: padded(heads * d) * 4,
        scratch: b.scratch,
        scratchBytes: 0,
      }, heads),
    };
  });
}

/** What the two products have in common. */
function productOf(b: Buffers, m: number, n: number, depth: number) {
  return {
    m,
    k: padded(depth),
    c: b.out,
    stride: padded(n) * 4,
    panels: padded(n) / PANEL,
    chunkRows: m,
    chunkPanels: padded(n) / PANEL,
    scratch: b.scratch,
    scratchBytes: 0,
  };
}

/** What a family's product is made of. */
const MIX_OF: Readonly<Record<Family, Mix>> = { relaxed: "dot4", pairs: "pairs", baseline: "dot2" };

/** The int8 product and its quantization, of which each module has its own. */
function int8Cases(call: Caller, b: Buffers, kind: Family, size: Size): Case[] {
  const { h, f, counts } = size, mix: Mix = MIX_OF[kind];
  const norm = { update: 0, n: 0, gamma: 0, beta: 0, epsilon: 0 };
  const quantize = (m: number, n: number, x: number, activation: number) =>
    call("quantize", {
      ...norm,
      x,
      stride: padded(n) * 4,
      m,
      k: padded(n),
      packed: b.packed,
      rowParams: b.rows,
      levels: LEVELS,
      chunkRows: m,
      activation,
    });
  return [
    ...counts.product.flatMap((m) =>
      layersOf(size).map(([n, depth]): Case => ({
        name: `kernels/gemm_int8 ${kind}/${m}x${n}x${depth}`,
        mix,
        operations: 2 * m * n * depth,
        run: call("gemm_int8", {
          ...productOf(b, m, n, depth),
          packed: b.packed,
          rowParams: b.rows,
          weights: b.weights,
          columns: b.columns,
        }),
      }))
    ),
    ...attentionCases(
      call,
      "attention_int8",
      { mix: kind === "pairs" ? "dot2" : mix, suffix: ` ${kind}` },
      b,
      size,
    ),
    ...counts.rows.flatMap((m): Case[] => [
      ...[h, f].map((n): Case => ({
        name: `kernels/quantize ${kind}/${m}x${n}`,
        mix: "range",
        operations: 7 * m * n,
        run: quantize(m, n, b.x, ACTIVATION_NONE),
      })),
      {
        name: `kernels/quantize+gelu ${kind}/${m}x${f}`,
        mix: "gelu",
        operations: (29 + 7) * m * f,
        run: quantize(m, f, b.large, ACTIVATION.gelu),
      },
    ]),
  ];
}

/** What both modules share. */
function commonCases(k: Kernels, call: Caller, b: Buffers, size: Size): Case[] {
  const { h, f, labels, counts } = size;
  const gamma = b.weightsF32, norm = { gamma, beta: gamma + padded(h) * 4, epsilon: 1e-12 };
  return [
    ...attentionCases(call, "attention_f32", { mix: "madd", suffix: "" }, b, size),
    ...counts.rows.flatMap((m): Case[] => [
      ...layersOf(size).map(([n, depth]): Case => ({
        name: `kernels/gemm_f32/${m}x${n}x${depth}`,
        mix: "madd",
        operations: 2 * m * n * depth,
        run: call("gemm_f32", {
          ...productOf(b, m, n, depth),
          a: b.x,
          aStride: padded(depth) * 4,
          weights: b.weightsF32,
          bias: b.columns,
        }),
      })),
      {
        name: `kernels/gelu/${m}x${f}`,
        mix: "gelu",
        operations: 29 * m * f,
        run: call("activate", {
          x: b.large,
          n: f,
          activation: ACTIVATION.gelu,
          rows: m,
          chunkRows: m,
        }),
      },
      {
        name: `kernels/add_norm/${m}x${h}`,
        mix: "madd",
        operations: 9 * m * h,
        run: call("add_norm", { ...norm, x: b.x, update: b.large, n: h, rows: m, chunkRows: m }),
      },
      ...(["f32", "i8", "i4"] as const).map((type): Case => ({
        name: `kernels/embed_${type}/${m}x${h}`,
        mix: "madd",
        operations: (type === "f32" ? 10 : 11) * m * h,
        run: call(`embed_${type}`, {
          ...norm,
          x: b.out,
          n: h,
          ids: b.ids,
          positions: b.ids,
          words: b.weightsF32,
          scales: b.columns,
          positionTable: b.positions,
          rows: m,
          chunkRows: m,
        }),
      })),
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
      chooseKernels([module], { lanes: true }).catch((error: Error) => error.message)
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
  const counts = smoke ? SMOKE_COUNTS : COUNTS;
  const sizes = models.map((config) => sizeOf(config, counts));
  const peaks = await loadPeaks();
  const modules: { module: string; state: string }[] = [], cases: Case[] = [];
  for (const [i, chosen] of (await usable()).entries()) {
    if (typeof chosen === "string") {
      modules.push({ module: ["relaxed", "pairs", "baseline"][i] ?? `module ${i}`, state: chosen });
      continue;
    }
    const buffers = place(sizes, chosen.sizes, counts.lengths);
    const kernels = await instantiateKernels(chosen.module, buffers.memory);
    kernels.int8_set_signed(chosen.signed ? 1 : 0);
    fill(buffers);
    const call = callerOf(kernels, buffers);
    const first = cases.length === 0;
    modules.push({ module: chosen.kind, state: "ran" });
    for (const size of sizes) {
      kernels.crf_prepare(buffers.crf, size.labels);
      cases.push(...int8Cases(call, buffers, chosen.kind, size));
      // The first module that runs is the one that the library would choose; it stands for what is shared.
      if (first) cases.push(...commonCases(kernels, call, buffers, size));
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
