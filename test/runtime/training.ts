/**
 * Training in a runtime: the same seed must end in the same parameters everywhere, bit for bit.
 *
 * A small model with a CRF and all heads takes 50 steps with dropout, its losses in turn, on one thread and on two.
 * The SHA-256 of all its parameters is the one committed in `expected.json`. Numbers to begin with come from
 * integer arithmetic, so that no runtime brings its own.
 *
 * @module
 */
import type * as training from "../../train.ts";
import type { Loss, TrainableModel, Trainer } from "../../train.ts";
import { type Case, sha256 } from "./shared.ts";

/** What `train.ts` exports, whichever build of it is under test. */
export type Training = typeof training;

const STEPS = 50;

/** Whole numbers below n, the same everywhere (Numerical Recipes' LCG, exact in doubles). */
function generator(state: number): (n: number) => number {
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * n);
  };
}

/** A model of numbers that are multiples of 2^-12. */
function makeModel(): TrainableModel {
  const next = generator(1),
    width = 96,
    inner = 384,
    labels = 5,
    vocabSize = 200,
    maxPositions = 32;
  const vector = (size: number, middle = 0, range = 512): Float32Array =>
    Float32Array.from({ length: size }, () => middle + (next(range) - range / 2) / 4096);
  const matrix = (rows: number, columns: number, range = 1024) => ({
    type: "f32" as const,
    rows,
    columns,
    data: vector(rows * columns, 0, range),
  });
  const linear = (rows: number, columns: number) => ({
    weight: matrix(rows, columns),
    bias: vector(rows),
  });
  const norm = () => ({ gamma: vector(width, 1), beta: vector(width) });
  return {
    weights: {
      config: {
        hiddenSize: width,
        embeddingSize: width,
        layers: 2,
        heads: 4,
        feedForwardSize: inner,
        vocabSize,
        maxPositions,
        typeVocabSize: 2,
        activation: "gelu",
        layerNormEpsilon: 1e-12,
        labels: Array.from({ length: labels }, (_, i) => `L${i}`),
      },
      wordEmbedding: matrix(vocabSize, width, 4096),
      positionEmbedding: matrix(maxPositions, width),
      typeEmbedding: matrix(2, width),
      embeddingNorm: norm(),
      embeddingProjection: undefined,
      layers: [0, 1].map(() => ({
        qkv: linear(3 * width, width),
        attentionOutput: linear(width, width),
        attentionNorm: norm(),
        up: linear(inner, width),
        down: linear(width, inner),
        feedForwardNorm: norm(),
      })),
      classifier: linear(labels, width),
    },
    crf: { start: vector(labels), end: vector(labels), transitions: vector(labels * labels) },
    masked: { dense: linear(width, width), norm: norm(), bias: vector(vocabSize) },
    replaced: { dense: linear(width, width), prediction: linear(1, width) },
  };
}

/** Takes the steps. */
async function take(trainer: Trainer, library: Training, steps: number): Promise<void> {
  for (let i = 0; i < steps; i++) {
    const next = generator(100 + i), lengths = Array.from({ length: 6 }, () => 1 + next(32));
    const offsets = Int32Array.from([0, ...lengths]).map((_, s) =>
      lengths.slice(0, s).reduce((a, b) => a + b, 0)
    );
    const n = offsets[6],
      below = (size: number, top: number) => Int32Array.from({ length: size }, () => next(top));
    const ids = below(n, 200),
      teacher = Float32Array.from({ length: 5 * n }, () => (next(64) - 32) / 8);
    const allowed = Uint8Array.from({ length: 5 * n }, () => next(2));
    const tokens = Int32Array.from({ length: n }, (_, t) => t).filter((t) => t % 7 === 0);
    const losses: Loss[] = [
      library.crossEntropyLoss(below(n, 5)),
      library.crfLoss(below(n, 5), offsets),
      library.partialCrfLoss(allowed, offsets),
      library.distillationLoss(teacher, n, 2),
      library.maskedLoss(tokens, below(tokens.length, 200)),
      library.replacedLoss(below(n, 2)),
    ];
    // Two batches a step now and then: gradients that are accumulated.
    const turns = i % 10 === 9 ? [i, i + 1] : [i];
    const examples = turns.map((turn) => ({
      batch: { ids, offsets },
      loss: losses[turn % losses.length],
    }));
    await trainer.step(examples, 1e-3);
  }
}

/** SHA-256 of all parameters after the steps, little-endian. */
export async function trainedSha256(
  library: Training,
  threads: number,
): Promise<{ hash: string; chunks: readonly number[]; turns: readonly number[]; reason?: string }> {
  const options = { maxTokens: 192, seed: 7, dropout: 0.1, threads };
  const trainer = await library.createTrainer(makeModel(), options);
  await take(trainer, library, STEPS);
  const hash = await digest(trainer.parameters.map(({ name }) => trainer.read(name)));
  // Threads begin late, and a busy machine lets them wait; but once they have begun they come again and again.
  const turns = trainer.threads.chunks.map(() => 0);
  for (let i = 0; i < 20 && turns.some((count) => count < 3); i++) {
    const before = trainer.threads.chunks;
    await take(trainer, library, 10);
    trainer.threads.chunks.forEach((taken, thread) =>
      turns[thread] += taken > before[thread] ? 1 : 0
    );
  }
  const { chunks, reason } = trainer.threads;
  trainer.close();
  return { hash, chunks, turns, reason };
}

/** SHA-256 of all parameters after ten steps towards other attention weights, beside labels. */
export async function attentionSha256(library: Training, threads: number): Promise<string> {
  const options = { maxTokens: 192, seed: 7, dropout: 0.1, attention: true, threads };
  const trainer = await library.createTrainer(makeModel(), options);
  const offsets = Int32Array.of(0, 1, 20, 52), next = generator(5);
  const ids = Int32Array.from({ length: 52 }, () => next(200));
  for (let i = 0; i < 10; i++) {
    await trainer.step([{
      batch: { ids, offsets },
      loss: library.crossEntropyLoss(Int32Array.from({ length: 52 }, () => next(5))),
      attention: {
        layers: [1, 2],
        // Squares of differences from numbers that are multiples of 2^-6.
        evaluate({ weights, cotangent, scale }): number {
          let sum = 0;
          weights.forEach((own, layer) =>
            own.forEach((weight, k) => {
              const difference = weight - next(64) / 64;
              sum += difference * difference;
              cotangent[layer][k] += scale * 2 * difference;
            })
          );
          return sum;
        },
      },
    }], 1e-3);
  }
  const parts = trainer.parameters.map(({ name }) => trainer.read(name));
  trainer.close();
  return await digest(parts);
}

/** SHA-256 of numbers, little-endian. */
async function digest(parts: readonly Float32Array[]): Promise<string> {
  const bytes = new DataView(
    new ArrayBuffer(parts.reduce((sum, part) => sum + 4 * part.length, 0)),
  );
  let at = 0;
  for (const part of parts) for (const value of part) bytes.setFloat32(at, value, true), at += 4;
  return await sha256(new Uint8Array(bytes.buffer));
}

/** The cases. */
export function trainingCases(library: Training): readonly Case[] {
  return [1, 2].map((threads) => ({
    name: `${STEPS} steps of training on ${threads} thread${
      threads === 1 ? "" : "s"
    } give the committed parameters`,
    async run({ expected }): Promise<string> {
      const { hash, chunks, turns, reason } = await trainedSha256(library, threads);
      if (hash !== expected.parametersSha256) {
        throw new Error(
          `SHA-256 of the parameters is ${hash}, expected ${expected.parametersSha256}`,
        );
      }
      if (chunks.length !== threads || turns.some((count) => count < 3)) {
        throw new Error(
          `chunks by thread: ${chunks}, in ${turns} turns (${reason ?? "no reason is given"})`,
        );
      }
      const attention = await attentionSha256(library, threads);
      if (attention !== expected.attentionSha256) {
        throw new Error(
          `SHA-256 after losses on attention is ${attention}, expected ${expected.attentionSha256}`,
        );
      }
      return `chunks: ${chunks.join(", ")}`;
    },
  }));
}
