/**
 * The encoder against its peers: token ids to emissions, at several lengths and batch sizes.
 *
 * All engines run the same weights (src/formats/onnx/write.ts), are loaded at the same time and take turns
 * at every size, so that drift of the machine hits all alike. Sequences of a batch have one length: no engine
 * pays for padding here. Before anything is timed, every engine's emissions are compared with our float32
 * ones; an engine that computes something else fails the run.
 *
 * Weak: ONNX Runtime's times include handing over its outputs, ours include copying them; a real program
 * also makes input tensors, which is not counted for either.
 *
 * @module
 */
import { defaultKernels, type ModelConfig } from "../mod.ts";
import type { PackedBatch } from "../src/backend/backend.ts";
import { chooseKernels } from "../src/backend/wasm/kernels.ts";
import { WasmBackend } from "../src/backend/wasm/wasm.ts";
import { small, table } from "../src/cli/table.ts";
import { difference } from "../src/eval/parity.ts";
import { encode } from "../src/model/encoder.ts";
import { type Budget, type Candidate, spread, takeTurns, type Timing } from "./measure.ts";
import type { BenchModel } from "./models.ts";
import { encoderToOnnx } from "../src/formats/onnx/write.ts";
import type { Engine, OrtInput, OrtSession } from "./ort.ts";

/** Arithmetic of an engine's matrix products. */
export type Precision = "int8" | "fp32";

/** One engine at one precision. */
interface Peer {
  /** `edge-ner 1t int8`, `ort-web 2t fp32`. */
  readonly name: string;
  readonly precision: Precision;
  readonly ours: boolean;
  /** Prepares a batch and returns the call to time. */
  prepare(batch: PackedBatch): () => Promise<Float32Array>;
  close(): Promise<void> | void;
}

/** How far a peer's emissions are from our float32 ones. */
export interface Agreement {
  readonly name: string;
  readonly relativeL2: number;
  readonly limit: number;
  readonly ok: boolean;
}

/** All engines at one size. */
export interface Cell {
  /** `encoder/MODEL/bB/sS`. */
  readonly name: string;
  readonly batch: number;
  readonly length: number;
  /** Of the engines that could run it, in their order. */
  readonly timings: readonly Timing[];
  /** Engines that could not: a size may need more memory than an engine can have. */
  readonly failed: readonly { readonly name: string; readonly reason: string }[];
  /** Ours over the peer's median, at the same precision: below 1 we are faster. */
  readonly ratios: Readonly<Record<string, number>>;
}

/** One model's results. */
export interface EncoderReport {
  readonly model: string;
  readonly source: string;
  readonly config: Omit<ModelConfig, "labels">;
  readonly agreement: readonly Agreement[];
  readonly cells: readonly Cell[];
}

/** Largest relative L2 distance from our float32 emissions. */
const LIMITS: Readonly<Record<Precision, number>> = { fp32: 1e-4, int8: 0.1 };

/** The sizes that are measured. */
export const SIZES = { lengths: [8, 32, 64, 128, 512], batches: [1, 8, 32] } as const;

/** Sizes of a smoke test. */
export const SMOKE_SIZES = { lengths: [4, 9], batches: [1, 2] } as const;

/** `batch` sequences of `length` ids, all different. */
function batchOf({ vocabSize }: ModelConfig, batch: number, length: number): PackedBatch {
  const ids = Int32Array.from({ length: batch * length }, (_, i) => (i * 7919 + 5) % vocabSize);
  return { ids, offsets: Int32Array.from({ length: batch + 1 }, (_, i) => i * length) };
}

async function ourPeer(model: BenchModel, precision: Precision, maxTokens: number): Promise<Peer> {
  const chosen = await chooseKernels(await defaultKernels());
  const int8 = precision === "int8";
  const backend = await WasmBackend.create(chosen, model.weights, int8, maxTokens);
  return {
    name: `edge-ner 1t ${precision}`,
    precision,
    ours: true,
    prepare: (batch) => () => encode(backend, batch),
    close: () => backend.close(),
  };
}

function ortPeer(name: string, precision: Precision, session: OrtSession): Peer {
  return {
    name: `${name} ${precision}`,
    precision,
    ours: false,
    prepare(batch) {
      const input: OrtInput = session.input(batch);
      return () => session.run(input);
    },
    close: () => session.close(),
  };
}

/** Opens every engine at both precisions. */
async function openPeers(
  model: BenchModel,
  engines: readonly Engine[],
  maxTokens: number,
): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const precision of ["int8", "fp32"] as const) {
    peers.push(await ourPeer(model, precision, maxTokens));
    const file = encoderToOnnx(model.weights, precision === "int8");
    for (const engine of engines) {
      peers.push(ortPeer(engine.name, precision, await engine.open(file)));
    }
  }
  return peers;
}

/** Compares all peers on two sequences. */
async function agreementOf(peers: readonly Peer[], config: ModelConfig): Promise<Agreement[]> {
  const batch = batchOf(config, 2, Math.min(24, config.maxPositions));
  const reference = peers.find((p) => p.ours && p.precision === "fp32")!;
  const want = await reference.prepare(batch)();
  const results: Agreement[] = [];
  for (const { name, precision, prepare } of peers) {
    const { relativeL2 } = difference(await prepare(batch)(), want), limit = LIMITS[precision];
    results.push({ name, relativeL2, limit, ok: relativeL2 <= limit });
  }
  return results;
}

function ratiosOf(peers: readonly Peer[], timings: readonly Timing[]): Record<string, number> {
  const median = (name: string): number => timings.find((t) => t.name === name)?.median ?? NaN;
  const ratios: Record<string, number> = {};
  for (const { name } of timings) {
    const peer = peers.find((p) => p.name === name)!;
    const ours = peers.find((p) => p.ours && p.precision === peer.precision)!;
    if (!peer.ours) ratios[name] = median(ours.name) / median(name);
  }
  return ratios;
}

/** Times all engines at one size, those left out that cannot run it. */
async function measureCell(
  peers: readonly Peer[],
  batch: PackedBatch,
  budget: Budget,
): Promise<Pick<Cell, "timings" | "failed" | "ratios">> {
  const candidates: Candidate[] = [], failed: { name: string; reason: string }[] = [];
  for (const { name, prepare } of peers) {
    try {
      const run = prepare(batch);
      await run();
      candidates.push({ name, run });
    } catch (error) {
      failed.push({ name, reason: String(error).split("\n")[0] });
    }
  }
  const timings = await takeTurns(candidates, budget);
  return { timings, failed, ratios: ratiosOf(peers, timings) };
}

/**
 * Times one model at all sizes whose name contains `filter`; undefined if there is none. `note` is told
 * what is being done.
 */
export async function benchEncoder(
  load: () => Promise<BenchModel>,
  name: string,
  engines: readonly Engine[],
  sizes: { readonly lengths: readonly number[]; readonly batches: readonly number[] },
  filter: string,
  budget: Budget,
  note: (text: string) => void,
): Promise<EncoderReport | undefined> {
  const wanted = sizes.batches.flatMap((batch) =>
    sizes.lengths.map((length) => ({ name: `encoder/${name}/b${batch}/s${length}`, batch, length }))
  ).filter((cell) => cell.name.includes(filter));
  if (wanted.length === 0) return undefined;
  note(`encoder/${name}: loading`);
  const model = await load(), { config } = model.weights;
  const tokens = Math.max(48, ...wanted.map(({ batch, length }) => batch * length));
  const peers = await openPeers(model, engines, tokens);
  const agreement = await agreementOf(peers, config), cells: Cell[] = [];
  for (const cell of wanted) {
    note(cell.name);
    const batch = batchOf(config, cell.batch, cell.length);
    cells.push({ ...cell, ...await measureCell(peers, batch, budget) });
  }
  for (const peer of peers) await peer.close();
  const { labels: _, ...shape } = config;
  return { model: name, source: model.source, config: shape, agreement, cells };
}

/** One model's results as text: times and ratios, one table of each a batch size. */
export function encoderText({ model, source, agreement, cells }: EncoderReport): string {
  const parts = [
    `Model "${model}" (${source}). Distance of the emissions from edge-ner fp32, relative L2:\n`,
    table(
      ["engine", "rel. L2", "limit", ""],
      agreement.map((a) => [a.name, small(a.relativeL2), small(a.limit), a.ok ? "ok" : "FAIL"]),
    ),
  ];
  for (const size of new Set(cells.map(({ batch }) => batch))) {
    const columns = cells.filter(({ batch }) => batch === size);
    const header = columns.map(({ length }) => `${length} tokens`);
    const time = (name: string, { timings }: Cell): string => {
      const timing = timings.find((t) => t.name === name);
      return timing ? spread(timing) : "failed";
    };
    const ratio = (name: string, { ratios }: Cell): string => ratios[name]?.toFixed(2) ?? "";
    const names = agreement.map(({ name }) => name);
    const others = names.filter((name) => columns.some(({ ratios }) => name in ratios));
    parts.push(
      `\nBatch ${size}: ms a batch, median (p25-p75)\n`,
      table(
        ["engine", ...header],
        names.map((name) => [name, ...columns.map((cell) => time(name, cell))]),
      ),
      `\nBatch ${size}: edge-ner / engine at the same precision; below 1 edge-ner is faster\n`,
      table(
        ["engine", ...header],
        others.map((name) => [name, ...columns.map((cell) => ratio(name, cell))]),
      ),
      ...columns.flatMap(({ name, failed }) =>
        failed.map((f) => `${name}: ${f.name} failed (${f.reason})\n`)
      ),
    );
  }
  return parts.join("");
}
