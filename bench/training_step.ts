/**
 * Our side of the training section: one step for each line of input, in a process of its own, so that its memory
 * is that of training alone.
 *
 *     deno run -A bench/training_step.ts '{"layers": 4, ...}' THREADS [profile]
 *
 * Prints a line of JSON when it is ready and one for each step, as tools/peers/training_step.py does; with `profile`
 * also the milliseconds of each operation.
 *
 * @module
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { createTrainer, crossEntropyLoss, type TrainableModel } from "../train.ts";
import { profileOperations } from "./training_profile.ts";
import type { TrainingShape } from "./training.ts";

/** Weights as a fresh model has them; their values do not change how long a step takes. */
function makeModel(shape: TrainingShape): TrainableModel {
  const { hiddenSize: h, feedForwardSize: f, vocabSize, length, layers, heads, labels } = shape;
  const numbers = (size: number): Float32Array =>
    Float32Array.from({ length: size }, () => (Math.random() - 0.5) * 0.07);
  const matrix = (rows: number, columns: number) => ({
    type: "f32" as const,
    rows,
    columns,
    data: numbers(rows * columns),
  });
  const linear = (rows: number, columns: number) => ({
    weight: matrix(rows, columns),
    bias: new Float32Array(rows),
  });
  const norm = () => ({ gamma: new Float32Array(h).fill(1), beta: new Float32Array(h) });
  return {
    weights: {
      config: {
        hiddenSize: h,
        embeddingSize: h,
        layers,
        heads,
        feedForwardSize: f,
        vocabSize,
        maxPositions: length,
        typeVocabSize: 0,
        activation: "gelu",
        layerNormEpsilon: 1e-12,
        labels: Array.from({ length: labels }, (_, i) => `L${i}`),
      },
      wordEmbedding: matrix(vocabSize, h),
      positionEmbedding: matrix(length, h),
      typeEmbedding: undefined,
      embeddingNorm: norm(),
      embeddingProjection: undefined,
      layers: Array.from({ length: layers }, () => ({
        qkv: linear(3 * h, h),
        attentionOutput: linear(h, h),
        attentionNorm: norm(),
        up: linear(f, h),
        down: linear(h, f),
        feedForwardNorm: norm(),
      })),
      classifier: linear(labels, h),
    },
  };
}

const profile = process.argv[4] === "profile" ? profileOperations() : undefined;
const shape: TrainingShape = JSON.parse(process.argv[2]), threads = Number(process.argv[3]);
const { batch, length, vocabSize, labels, dropout } = shape, tokens = batch * length;
const below = (top: number): Int32Array =>
  Int32Array.from({ length: tokens }, () => Math.floor(Math.random() * top));
const example = {
  batch: {
    ids: below(vocabSize),
    offsets: Int32Array.from({ length: batch + 1 }, (_, i) => i * length),
  },
  loss: crossEntropyLoss(below(labels)),
};
const trainer = await createTrainer(makeModel(shape), { maxTokens: tokens, dropout, threads });
const print = (value: unknown): void => console.log(JSON.stringify(value));
print({ version: `${(trainer.memoryBytes / 1e6).toFixed(0)} MB of linear memory` });
let peak = 0;
for await (const _ of createInterface({ input: process.stdin })) {
  const start = performance.now(), used = process.cpuUsage();
  const { loss } = await trainer.step([example], 1e-4);
  const ms = performance.now() - start, { user, system } = process.cpuUsage(used);
  peak = Math.max(peak, process.memoryUsage().rss);
  print({ ms, cpu: (user + system) / 1000, bytes: peak, loss, operations: profile?.() });
}
trainer.close();
process.exit(0);
