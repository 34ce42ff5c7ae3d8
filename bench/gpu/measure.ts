/**
 * An encoder on a GPU beside WebAssembly, in whichever runtime this is: latency and texts a second over batch and length,
 * each precision's products, attention and LayerNorm as shares of the adapter's own peaks, and what `auto` chooses.
 *
 * Candidates take turns at each size. Products and attention are timed through the Backend interface: so many of them in a
 * run, and half as many; the difference is theirs alone.
 *
 * Nothing here asks for Deno: `page.ts` runs it in Chromium.
 *
 * @module
 */
import type { Backend, PackedBatch } from "../../src/backend/backend.ts";
import { encode } from "../../src/backend/encoder.ts";
import type { GpuReport } from "../../src/backend/engine.ts";
import { type ModelBundle, Ner, quantizeEncoder } from "../../mod.ts";
import { describe, isSoftware } from "../../src/runtime/gpu/gpu.ts";
import { type Budget, type Candidate, takeTurns, type Timing } from "../measure.ts";
import { openOurs } from "../ours.ts";
import { type LengthShare, measureLengths } from "./lengths.ts";
import { batchOf, gpuBackend, operationTime } from "./operation.ts";
import { measurePeaks, type Peaks } from "./peaks.ts";

/** Arithmetic on the GPU. */
const PRECISIONS = ["f32", "f16", "int8"] as const;

/** All candidates at one size. */
export interface GpuCell {
  readonly batch: number;
  readonly length: number;
  readonly timings: readonly Timing[];
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
}

/** An operation of one precision, alone. */
export interface Share {
  readonly precision: string;
  /** `product 1024 x 1024 x 256`, `attention 8 x 128`, `LayerNorm 1024 x 256`. */
  readonly operation: string;
  /** In {@link unit}s. */
  readonly rate: number;
  /** Giga-operations a second; gigabytes, of what does little else than move them. */
  readonly unit: "GOP/s" | "GB/s";
  /** Of the adapter's peak: at that precision, or of its bandwidth. */
  readonly share: number | undefined;
}

/** What was measured in one runtime. */
export interface GpuBench {
  readonly runtime: string;
  readonly adapter: string;
  readonly software: boolean;
  readonly peaks: Peaks;
  readonly cells: readonly GpuCell[];
  readonly shares: readonly Share[];
  /** Attention by the length of a text. */
  readonly attention: readonly LengthShare[];
  /** By the batch that was expected. */
  readonly auto: readonly {
    readonly batch: number;
    readonly length: number;
    readonly report: GpuReport;
  }[];
  /** Candidates that are not there, and why. */
  readonly absent: readonly { readonly name: string; readonly reason: string }[];
}

/** Something that runs batches: a peer. */
export interface GpuPeer {
  readonly name: string;
  prepare(batch: PackedBatch): () => Promise<unknown>;
  close(): Promise<void> | void;
}

/** What to measure. */
export interface GpuSizes {
  readonly batches: readonly number[];
  readonly lengths: readonly number[];
  /** Tokens of products alone. */
  readonly rows: number;
  readonly smoke: boolean;
}

async function sharesOf(
  backend: Backend,
  precision: typeof PRECISIONS[number],
  peaks: Peaks,
  { rows, lengths, smoke }: GpuSizes,
): Promise<Share[]> {
  const { hidden, qkv, inner, context, update } = backend.workspace,
    { config, layers: [layer] } = backend;
  const length = Math.min(config.maxPositions, Math.max(...lengths));
  const sequences = Math.max(1, Math.floor(rows / length)),
    batch = batchOf(config.vocabSize, sequences, length);
  const tokens = batch.ids.length;
  const measured = async (
    operation: string,
    amount: number,
    peak: number | undefined,
    write: () => void,
    unit: Share["unit"] = "GOP/s",
  ): Promise<Share> => {
    const rate = amount / await operationTime(backend, batch, write, smoke) / 1e6;
    return { precision, operation, rate, unit, share: peak && rate / peak };
  };
  const linear = ({ inputs, outputs }: { inputs: number; outputs: number }): [string, number] => [
    `product ${tokens} x ${outputs} x ${inputs}`,
    2 * tokens * inputs * outputs,
  ];
  return [
    await measured(
      ...linear(layer.qkv),
      peaks[precision],
      () => backend.linear(hidden, layer.qkv, qkv),
    ),
    await measured(
      ...linear(layer.up),
      peaks[precision],
      () => backend.linear(hidden, layer.up, inner),
    ),
    await measured(
      ...linear(layer.down),
      peaks[precision],
      () => backend.linear(inner, layer.down, hidden),
    ),
    // In float32 at every precision.
    await measured(
      `attention ${sequences} x ${length}`,
      4 * sequences * length * length * config.hiddenSize,
      peaks.f32,
      () => backend.attention(qkv, context),
    ),
    // Two tensors are read and one is written; that a row is read again is the cache's affair.
    await measured(
      `LayerNorm ${tokens} x ${config.hiddenSize}`,
      3 * 4 * tokens * config.hiddenSize,
      peaks.bandwidth,
      () => backend.addNorm(hidden, update, layer.attentionNorm),
      "GB/s",
    ),
  ];
}

/** Measures everything. `note` is told what is being done. */
export async function measureGpu(
  runtime: string,
  gpu: GPU,
  bundle: ModelBundle,
  sizes: GpuSizes,
  peers: readonly GpuPeer[],
  budget: Budget,
  note: (text: string) => void,
): Promise<GpuBench> {
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new Error("there is no adapter");
  const { info } = adapter, { config } = bundle.weights;
  const tokens = Math.max(sizes.rows, ...sizes.batches.map((n) => n * Math.max(...sizes.lengths)));
  note("peaks");
  const peaks = await measurePeaks(gpu, sizes.smoke);
  const candidates: GpuPeer[] = [],
    absent: { name: string; reason: string }[] = [],
    shares: Share[] = [];
  const open: Backend[] = [];
  const add = async (name: string, make: () => Promise<Backend>): Promise<Backend | undefined> => {
    try {
      const backend = await make();
      open.push(backend);
      candidates.push({ name, prepare: (batch) => () => encode(backend, batch), close: () => {} });
      return backend;
    } catch (error) {
      absent.push({ name, reason: (error as Error).message.split("\n")[0] });
    }
  };
  const int8 = quantizeEncoder(bundle.weights).weights;
  for (const threads of [1, 2]) {
    await add(
      `wasm int8 ${threads}t`,
      async () => (await openOurs(threads)).encoder(int8, "int8", tokens),
    );
  }
  for (const precision of PRECISIONS) {
    note(`webgpu ${precision}`);
    const backend = await add(
      `webgpu ${precision}`,
      () => gpuBackend(gpu, precision === "int8" ? int8 : bundle.weights, precision, tokens),
    );
    if (backend) shares.push(...await sharesOf(backend, precision, peaks, sizes));
  }
  note("attention");
  const software = isSoftware(info);
  const attention = await measureLengths(gpu, bundle.weights, peaks.f32, {
    smoke: sizes.smoke,
    quick: sizes.smoke || software,
  });
  candidates.push(...peers);
  const cells: GpuCell[] = [], auto: GpuBench["auto"][number][] = [];
  for (const batch of sizes.batches) {
    for (const length of sizes.lengths) {
      note(`${batch} x ${length}`);
      const packed = batchOf(config.vocabSize, batch, length), ready: Candidate[] = [];
      const failed: { name: string; reason: string }[] = [];
      for (const { name, prepare } of candidates) {
        try {
          const run = prepare(packed);
          await run();
          ready.push({ name, run });
        } catch (error) {
          failed.push({ name, reason: String(error).split("\n")[0] });
        }
      }
      cells.push({ batch, length, timings: await takeTurns(ready, budget), failed });
      const ner = await Ner.fromBundle(bundle, {
        backend: "auto",
        gpu,
        expect: { tokens: batch * length, sequences: batch },
      });
      auto.push({ batch, length, report: ner.info().gpu! });
      ner.close();
    }
  }
  open.forEach((backend) => backend.close());
  for (const peer of peers) await peer.close();
  return {
    runtime,
    adapter: describe(info),
    software,
    peaks,
    cells,
    shares,
    attention,
    auto,
    absent,
  };
}
