/**
 * The encoder against its peers: token ids to emissions, at several lengths and batch sizes.
 *
 * All engines run the same weights (src/formats/onnx/write_encoder.ts), are loaded at the same time and take turns
 * at every size, so that drift of the machine hits all alike. Sequences of a batch have one length: no engine
 * pays for padding here. Before anything is timed, every engine's emissions are compared with those of
 * onnxruntime-web in float32; an engine that computes something else fails the run.
 *
 * A mixed batch shows what lengths that differ cost: texts as they come, packed into one batch by us, padded
 * by the peers, and beside it batches of as many tokens in sequences of one length.
 *
 * Weak: ONNX Runtime's times include handing over its outputs, ours include copying them; a real program
 * also makes input tensors, which is not counted for either.
 *
 * @module
 */
import type { ModelConfig } from "../mod.ts";
import type { PackedBatch } from "../src/backend/backend.ts";
import { small, table } from "../src/cli/table.ts";
import { DifferenceMeter } from "../src/eval/parity.ts";
import { encoderToOnnx } from "../src/formats/onnx/write_encoder.ts";
import { encode } from "../src/backend/encoder.ts";
import {
  type Budget,
  type Candidate,
  ms,
  spread,
  takeTurns,
  type Timing,
  warmUp,
} from "./measure.ts";
import type { BenchModel } from "./models.ts";
import type { Engine } from "./ort.ts";
import { type Contender, counterpart, type Ours } from "./ours.ts";
import { rest } from "./rest.ts";

/** One engine at one precision. */
interface Peer extends Contender {
  /** Prepares a batch and returns the call to time. */
  prepare(batch: PackedBatch): () => Promise<Float32Array>;
  close(): Promise<void> | void;
}

/** How far an engine's emissions are from those of ONNX Runtime in float32. */
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
  /** Other medians' ratios, each with its name: our int8 over the peers' float32, one thread over two. */
  readonly across: Readonly<Record<string, number>>;
}

/** Texts of many lengths in one batch, int8. */
export interface Mixed {
  /** `mixed/MODEL`. */
  readonly name: string;
  /** Tokens of each sequence. */
  readonly lengths: readonly number[];
  readonly tokens: number;
  /** The mixed batch by every engine. */
  readonly timings: readonly Timing[];
  /** Ours over the peer's median. */
  readonly ratios: Readonly<Record<string, number>>;
  /** Our first engine alone: the mixed batch, and about as many tokens in sequences of one length. */
  readonly packed: Timing;
  readonly single: readonly {
    readonly length: number;
    readonly tokens: number;
    readonly timing: Timing;
  }[];
  /** Our time a token in the mixed batch over that in the best single-length one. */
  readonly ratio: number;
}

/** One model's results in one runtime. */
export interface EncoderReport {
  /** `Node 20.20.2`. */
  readonly runtime: string;
  readonly model: string;
  readonly source: string;
  readonly config: Omit<ModelConfig, "labels">;
  /** What the emissions were compared with, and on how many sequences. */
  readonly reference: string;
  readonly sequences: number;
  readonly agreement: readonly Agreement[];
  readonly cells: readonly Cell[];
  /** Sizes that would have taken too long. */
  readonly leftOut: readonly string[];
  readonly mixed: Mixed | undefined;
}

/** What is measured of an encoder. */
export interface EncoderSizes {
  readonly lengths: readonly number[];
  readonly batches: readonly number[];
  /** Sizes of more operations a run are left out. */
  readonly mostOperations: number;
  /** Tokens of each sequence of the mixed batch; if there are none, it is not measured. */
  readonly mixed: readonly number[];
  /** Lengths of the batches that it is compared with. */
  readonly single: readonly number[];
}

/** Largest relative L2 distance from float32 emissions. */
const LIMITS = { fp32: 1e-4, int8: 0.1 } as const;

/** The sizes that are measured. */
export const SIZES = {
  lengths: [8, 32, 64, 128, 512],
  batches: [1, 8, 32],
  mostOperations: 60e9,
  single: [8, 16, 32, 64, 128],
} as const;

/** Sizes of a smoke test. */
export const SMOKE_SIZES = {
  lengths: [4, 9],
  batches: [1, 2],
  mostOperations: Infinity,
  mixed: [3, 9, 5, 14],
  single: [4, 8],
} as const;

/** Tokens of the batch that warms engines up. */
const WARM_UP = 32;

/** One sequence of ids, all different, for each length. */
function batchOf({ vocabSize }: ModelConfig, lengths: readonly number[]): PackedBatch {
  const offsets = [0];
  for (const length of lengths) offsets.push(offsets[offsets.length - 1] + length);
  const ids = Int32Array.from(
    { length: offsets[lengths.length] },
    (_, i) => (i * 7919 + 5) % vocabSize,
  );
  return { ids, offsets: Int32Array.from(offsets) };
}

function repeat(length: number, count: number): readonly number[] {
  return new Array<number>(count).fill(length);
}

/** Opens every engine at both precisions. */
async function openPeers(
  model: BenchModel,
  ours: readonly Ours[],
  engines: readonly Engine[],
  maxTokens: number,
): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const precision of ["int8", "fp32"] as const) {
    for (const { name, threads, encoder } of ours) {
      const backend = await encoder(model.weights, precision, maxTokens);
      peers.push({
        name: `${name} ${precision}`,
        precision,
        threads,
        ours: true,
        prepare: (batch) => () => encode(backend, batch),
        close: () => backend.close(),
      });
    }
    const file = encoderToOnnx(model.weights, { int8: precision === "int8" });
    for (const { name, threads, open } of engines) {
      const session = await open(file);
      peers.push({
        name: `${name} ${precision}`,
        precision,
        threads,
        ours: false,
        prepare(batch) {
          const input = session.input(batch);
          return () => session.run(input);
        },
        close: () => session.close(),
      });
    }
  }
  return peers;
}

/**
 * Compares all peers on sequences, one by one: an engine that quantizes whole tensors depends on what else
 * is in a batch. The reference is the first of the others in float32, or ours if there is no other.
 */
async function agreementOf(
  peers: readonly Peer[],
  sequences: readonly Int32Array[],
): Promise<{ reference: string; agreement: Agreement[] }> {
  const floats = peers.filter(({ precision }) => precision === "fp32");
  const reference = floats.find(({ ours }) => !ours) ?? floats[0];
  const meters = peers.map(() => new DifferenceMeter());
  for (const ids of sequences) {
    const batch = { ids, offsets: Int32Array.of(0, ids.length) };
    const want = await reference.prepare(batch)();
    for (const [i, { prepare }] of peers.entries()) meters[i].add(await prepare(batch)(), want);
  }
  const agreement = peers.map(({ name, precision }, i): Agreement => {
    const { relativeL2 } = meters[i].value, limit = LIMITS[precision];
    return { name, relativeL2, limit, ok: relativeL2 <= limit };
  });
  return { reference: reference.name, agreement };
}

function ratiosOf(peers: readonly Peer[], timings: readonly Timing[]): Record<string, number> {
  const median = (name: string): number => timings.find((t) => t.name === name)?.median ?? NaN;
  const measured = peers.filter(({ ours, name }) => !ours && !Number.isNaN(median(name)));
  return Object.fromEntries(
    measured.map((p) => [p.name, median(counterpart(peers, p).name) / median(p.name)]),
  );
}

/** Names of the ratios of {@link Cell.across} that any of `cells` has. */
export function acrossNames(cells: readonly Cell[]): string[] {
  return [...new Set(cells.flatMap(({ across }) => Object.keys(across)))];
}

/** Ratios that are not between equals: what a user gains who comes from float32, or adds a thread. */
function acrossOf(peers: readonly Peer[], timings: readonly Timing[]): Record<string, number> {
  const median = (name: string): number => timings.find((t) => t.name === name)?.median ?? NaN;
  const ours = peers.filter((p) => p.ours && p.precision === "int8");
  const floats = peers.filter((p) => !p.ours && p.precision === "fp32").map((peer) => {
    const own = ours.find(({ threads }) => threads === peer.threads) ?? ours[0];
    return [`${own.name} / ${peer.name}`, median(own.name) / median(peer.name)] as const;
  });
  const threads = ours.slice(1).map((more) =>
    [`${ours[0].name} / ${more.name}`, median(ours[0].name) / median(more.name)] as const
  );
  return Object.fromEntries([...floats, ...threads].filter(([, ratio]) => !Number.isNaN(ratio)));
}

/** Times all engines at one size, those left out that cannot run it. */
async function measureCell(
  peers: readonly Peer[],
  batch: PackedBatch,
  budget: Budget,
): Promise<Pick<Cell, "timings" | "failed" | "ratios" | "across">> {
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
  const timings = await takeTurns(candidates, budget, rest);
  return {
    timings,
    failed,
    ratios: ratiosOf(peers, timings),
    across: acrossOf(peers, timings),
  };
}

/** How many sequences of one length have about as many tokens as the mixed batch. */
function countOf(mixed: readonly number[], length: number): number {
  return Math.max(1, Math.round(mixed.reduce((sum, n) => sum + n, 0) / length));
}

/** Times the mixed batch by every int8 engine, and by ours the single-length ones. */
async function measureMixed(
  name: string,
  all: readonly Peer[],
  config: ModelConfig,
  { mixed: lengths, single: singles }: EncoderSizes,
  budget: Budget,
): Promise<Mixed> {
  const peers = all.filter(({ precision }) => precision === "int8"),
    batch = batchOf(config, lengths);
  const single = singles.map((length) => {
    const count = countOf(lengths, length);
    return { length, tokens: count * length, batch: batchOf(config, repeat(length, count)) };
  });
  const timings = await takeTurns(
    peers.map(({ name, prepare }): Candidate => ({ name, run: prepare(batch) })),
    budget,
    rest,
  );
  // Apart from the peers, whose padding makes them slow, so that there are more rounds.
  const [packed, ...alone] = await takeTurns(
    [{ batch }, ...single].map(({ batch }): Candidate => ({
      name: peers[0].name,
      run: peers[0].prepare(batch),
    })),
    budget,
  );
  const tokens = batch.ids.length;
  const rows = single.map(({ length, tokens }, i) => ({ length, tokens, timing: alone[i] }));
  const best = Math.min(...rows.map(({ tokens, timing }) => timing.median / tokens));
  return {
    name,
    lengths,
    tokens,
    timings,
    ratios: ratiosOf(peers, timings),
    packed,
    single: rows,
    ratio: packed.median / tokens / best,
  };
}

/** Operations of a token's linear layers; attention, which grows with the length, comes on top. */
function operationsPerToken({ layers, hiddenSize: h, feedForwardSize: f }: ModelConfig): number {
  return 2 * layers * (4 * h * h + 2 * h * f);
}

/**
 * Times one model at all sizes whose name contains `filter`; undefined if there is none. `sequences` are
 * what the engines are compared on. `note` is told what is being done.
 */
export async function benchEncoder(
  runtime: string,
  load: () => Promise<BenchModel>,
  name: string,
  shape: ModelConfig,
  sequences: readonly Int32Array[],
  ours: readonly Ours[],
  engines: readonly Engine[],
  sizes: EncoderSizes,
  filter: string,
  budget: Budget,
  note: (text: string) => void,
): Promise<EncoderReport | undefined> {
  const named = sizes.batches.flatMap((batch) =>
    sizes.lengths.map((length) => ({ name: `encoder/${name}/b${batch}/s${length}`, batch, length }))
  ).filter((cell) => cell.name.includes(filter));
  const most = sizes.mostOperations / operationsPerToken(shape);
  const wanted = named.filter((cell) => cell.batch * cell.length <= most || cell.name === filter);
  const leftOut = named.filter((cell) => !wanted.includes(cell)).map((cell) => cell.name);
  const mixedName = `mixed/${name}`,
    withMixed = sizes.mixed.length > 0 && mixedName.includes(filter);
  if (named.length === 0 && !withMixed) return undefined;
  note(`encoder/${name}: loading`);
  const model = await load(), { config } = model.weights;
  const tokens = Math.max(
    WARM_UP,
    ...sequences.map(({ length }) => length),
    ...wanted.map(({ batch, length }) => batch * length),
    ...withMixed ? [1, ...sizes.single].map((n) => n * countOf(sizes.mixed, n)) : [],
  );
  const peers = await openPeers(model, ours, engines, tokens);
  const { reference, agreement } = await agreementOf(peers, sequences), cells: Cell[] = [];
  const warm = batchOf(config, [Math.min(WARM_UP, config.maxPositions)]);
  await warmUp(peers.map(({ name, prepare }) => ({ name, run: prepare(warm) })), budget.warmUp);
  for (const cell of wanted) {
    note(cell.name);
    const batch = batchOf(config, repeat(cell.length, cell.batch));
    cells.push({ ...cell, ...await measureCell(peers, batch, budget) });
  }
  if (withMixed) note(mixedName);
  const mixed = withMixed ? await measureMixed(mixedName, peers, config, sizes, budget) : undefined;
  for (const peer of peers) await peer.close();
  const { labels: _, ...rest } = config;
  return {
    runtime,
    model: name,
    source: model.source,
    config: rest,
    reference,
    sequences: sequences.length,
    agreement,
    cells,
    leftOut,
    mixed,
  };
}

/** A time a token in microseconds. */
function perToken({ median }: Timing, tokens: number): string {
  return ms(median / tokens * 1000);
}

/** The mixed batch as text. */
export function mixedText(
  { lengths, tokens, timings, ratios, packed, single, ratio }: Mixed,
): string {
  const range = `${Math.min(...lengths)} to ${Math.max(...lengths)}`;
  const shapes = [
    { shape: "mixed", tokens, timing: packed },
    ...single.map((s) => ({ ...s, shape: `${s.tokens / s.length} of ${s.length}` })),
  ];
  return `\n${lengths.length} sequences of ${range} tokens in one batch, ${tokens} tokens\n` +
    table(
      ["engine", "ms", "us a token", "edge-ner / this"],
      timings.map((
        t,
      ) => [t.name, spread(t), perToken(t, tokens), ratios[t.name]?.toFixed(2) ?? ""]),
    ) + `\n${packed.name} alone: the mixed batch, and as many tokens in sequences of one length\n` +
    table(
      ["sequences", "ms", "us a token"],
      shapes.map(({ shape, tokens, timing }) => [shape, spread(timing), perToken(timing, tokens)]),
    ) + `Mixed over best: ${ratio.toFixed(2)}\n`;
}

/** One model's results as text: times and ratios, one table of each a batch size. */
export function encoderText(report: EncoderReport): string {
  const { runtime, model, source, reference, sequences, agreement, cells, leftOut, mixed } = report;
  const parts = [
    `${runtime}, model "${model}" (${source}). Distance of the emissions of ${sequences} sequences from those of ` +
    `${reference}, relative L2:\n`,
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
      `\nBatch ${size}: other ratios\n`,
      table(
        ["", ...header],
        acrossNames(columns).map((
          name,
        ) => [name, ...columns.map(({ across }) => across[name]?.toFixed(2) ?? "")]),
      ),
      ...columns.flatMap(({ name, failed }) =>
        failed.map((f) => `${name}: ${f.name} failed (${f.reason})\n`)
      ),
    );
  }
  if (mixed) parts.push(mixedText(mixed));
  if (leftOut.length > 0) {
    parts.push(
      `\nLeft out for their size, --batch or --length ask for them: ${leftOut.join(", ")}\n`,
    );
  }
  return parts.join("");
}
