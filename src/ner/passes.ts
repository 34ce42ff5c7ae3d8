/**
 * Tokens through the encoder, many texts at a time.
 *
 * Texts are cut into windows where they are longer than the model's positions, and the windows of all texts
 * are packed one after the other, without padding, into passes of bounded size. What a text gives does not
 * depend on what it was packed with.
 *
 * @module
 */
import type { Pause } from "../backend/backend.ts";
import type { Engine } from "../backend/engine.ts";
import type { Encoding, Tokenizer } from "../tokenizer/types.ts";
import type { Queue } from "./turns.ts";
import { type Window, windowsOf } from "./windows.ts";

/** Tokens on their way through the encoder. */
export interface Job {
  readonly ids: Int32Array;
  /** Float32 `[tokens, features]`, of a model that takes them. */
  readonly features: Float32Array | undefined;
  /** Float32 `[tokens, labels]`, filled window by window. */
  readonly emissions: Float32Array;
}

/** One window of one text, as it is packed. */
export interface Piece {
  readonly job: Job;
  readonly window: Window;
}

/** A text's tokens, and what lexicons say of them. */
export interface EncodedText extends Pick<Encoding, "ids"> {
  /** Float32 `[tokens, features]`; for a model that takes them. */
  readonly features?: Float32Array | undefined;
}

/** The special tokens around each window, and where they come from. */
export type Specials = Pick<Tokenizer, "cls" | "sep">;

/** How passes share the encoder and the thread with all else. */
export interface Passes {
  readonly pause: Pause;
  /** The encoder's: it has tensors for one pass at a time. */
  readonly queue: Queue;
  /** Called before every pass; what it throws ends the run. */
  check(): void;
  /** Called after every pass with the tokens whose emissions it gave. */
  passed(tokens: number): void;
}

/**
 * Most values of a row-wise operation in one pass: what is quantized with an activation function before takes some 4 ns
 * a value, and cannot be interrupted. A text's window is one pass in any case.
 */
const PASS_VALUES = 1 << 20;

/** Tokens of an encoder's longest window, its special tokens left out. */
export function windowSize({ maxSequence }: Pick<Engine, "maxSequence">): number {
  return maxSequence - 2;
}

/** Emissions of each text, float32 `[tokens, labels]`, special tokens left out. */
export async function emissionsOf(
  engine: Engine,
  encodings: readonly EncodedText[],
  specials: Specials,
  passes: Passes,
): Promise<Float32Array[]> {
  const labels = engine.config.labels.length, size = windowSize(engine);
  const jobs = encodings.map(({ ids, features }): Job => ({
    ids,
    features,
    emissions: new Float32Array(ids.length * labels),
  }));
  await runWindows(
    engine,
    jobs.flatMap((job) => windowsOf(job.ids.length, size).map((window) => ({ job, window }))),
    specials,
    passes,
  );
  return jobs.map(({ emissions }) => emissions);
}

/** Fills in the emissions that windows keep. */
export async function runWindows(
  engine: Engine,
  windows: readonly Piece[],
  specials: Specials,
  { pause, queue, check, passed }: Passes,
): Promise<void> {
  const { hiddenSize, feedForwardSize } = engine.config;
  const few = Math.floor(PASS_VALUES / Math.max(hiddenSize, feedForwardSize));
  const most = engine.keepsThread
    ? Math.min(engine.maxTokens, Math.max(engine.maxSequence, few))
    : engine.maxTokens;
  let pieces: Piece[] = [], tokens = 0;
  const pass = async (): Promise<void> => {
    await queue.run(async () => {
      check();
      await encodePieces(engine, pieces, tokens, specials, pause);
    });
    passed(pieces.reduce((sum, { window }) => sum + window.keepEnd - window.keepStart, 0));
    pieces = [], tokens = 0;
    await pause();
  };
  for (const piece of windows) {
    const length = piece.window.end - piece.window.start + 2;
    if (tokens + length > most) await pass();
    pieces.push(piece);
    tokens += length;
  }
  if (pieces.length > 0) await pass();
}

/** One pass of the encoder over windows, each between [CLS] and [SEP]. */
async function encodePieces(
  engine: Engine,
  pieces: readonly Piece[],
  tokens: number,
  { cls, sep }: Specials,
  pause: Pause,
): Promise<void> {
  const labels = engine.config.labels.length;
  const ids = new Int32Array(tokens), offsets = new Int32Array(pieces.length + 1);
  const width = engine.config.features ?? 0, features = new Float32Array(tokens * width);
  let at = 0;
  pieces.forEach(({ job, window }, i) => {
    ids[at++] = cls;
    const own = job.features?.subarray(window.start * width, window.end * width);
    if (own) features.set(own, at * width);
    ids.set(job.ids.subarray(window.start, window.end), at);
    at += window.end - window.start;
    ids[at++] = sep;
    offsets[i + 1] = at;
  });
  const rows = await engine.encode({ ids, offsets, ...(width > 0 && { features }) }, pause);
  pieces.forEach(({ job, window }, i) => {
    const { start, keepStart, keepEnd } = window, first = offsets[i] + 1 + keepStart - start;
    job.emissions.set(
      rows.subarray(first * labels, (first + keepEnd - keepStart) * labels),
      keepStart * labels,
    );
  });
}
