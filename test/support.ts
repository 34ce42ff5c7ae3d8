/**
 * What the tests of backends share: kernel modules, shipped and emulated, and encoders of random weights.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { compileKernel, MODULES } from "../tools/build/assemblyscript.ts";
import type { DOT } from "../src/kernels/contract.ts";
import { classifierInputs, hasProjection, type ModelConfig } from "../src/model/config.ts";
import type { EncoderWeights, LinearWeights, NormWeights } from "../src/model/weights.ts";
import type { PackedBatch } from "../src/backend/backend.ts";

/** A committed kernel module. */
export async function shipped(name: "relaxed" | "pairs" | "baseline"): Promise<WebAssembly.Module> {
  const bytes = await readFile(new URL(`../wasm/${name}.wasm`, import.meta.url));
  return await WebAssembly.compile(bytes as Uint8Array<ArrayBuffer>);
}

const emulations = new Map<string, Promise<WebAssembly.Module>>();

/**
 * The relaxed or the pairs module with an engine's dot product spelt out, so that any machine can run any engine's;
 * compiled once.
 */
export function emulated(
  dot: keyof typeof DOT,
  family: "relaxed" | "pairs" = "relaxed",
): Promise<WebAssembly.Module> {
  const name = `${family} ${dot}`;
  const module = emulations.get(name) ??
    compileKernel({ ...MODULES[family], dot }).then((bytes) => WebAssembly.compile(bytes));
  emulations.set(name, module);
  return module;
}

/** Numbers in [0, 1) from a seed (mulberry32). */
export function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Roughly normal numbers of a standard deviation. */
export function normal(next: () => number, size: number, deviation: number): Float32Array {
  return Float32Array.from(
    { length: size },
    () => (next() + next() + next() + next() - 2) * Math.sqrt(3) * deviation,
  );
}

/** A configuration with what a test does not care about filled in. */
export function configOf(parts: Partial<ModelConfig>): ModelConfig {
  return {
    hiddenSize: 32,
    embeddingSize: parts.hiddenSize ?? 32,
    layers: 2,
    heads: 2,
    feedForwardSize: 64,
    vocabSize: 50,
    maxPositions: 64,
    typeVocabSize: 2,
    activation: "gelu",
    layerNormEpsilon: 1e-12,
    labels: ["O", "B-A", "I-A"],
    ...parts,
  };
}

/** Float32 weights of an encoder, random; large enough that every part shows in the result. */
export function randomWeights(config: ModelConfig, seed: number): EncoderWeights {
  const next = random(seed);
  const { hiddenSize: h, embeddingSize: e, feedForwardSize: f } = config;
  const matrix = (rows: number, columns: number, deviation = 1 / Math.sqrt(columns)) => ({
    type: "f32" as const,
    rows,
    columns,
    data: normal(next, rows * columns, deviation),
  });
  const linear = (rows: number, columns: number): LinearWeights => ({
    weight: matrix(rows, columns),
    bias: normal(next, rows, 0.1),
  });
  const norm = (width = h): NormWeights => ({
    gamma: normal(next, width, 0.2).map((v) => v + 1),
    beta: normal(next, width, 0.1),
  });
  return {
    config,
    wordEmbedding: matrix(config.vocabSize, e, 1),
    positionEmbedding: matrix(config.maxPositions, e, 0.3),
    typeEmbedding: config.typeVocabSize > 0 ? matrix(config.typeVocabSize, e, 0.3) : undefined,
    embeddingNorm: norm(e),
    embeddingProjection: hasProjection(config) ? linear(h, e) : undefined,
    layers: Array.from({ length: config.layers }, () => ({
      qkv: linear(3 * h, h),
      attentionOutput: linear(h, h),
      attentionNorm: norm(),
      up: linear(f, h),
      down: linear(h, f),
      feedForwardNorm: norm(),
    })),
    ...(config.head && { headDense: linear(config.head.size, h) }),
    classifier: linear(config.labels.length, classifierInputs(config)),
    ...(config.features !== undefined && {
      features: {
        input: matrix(config.features, e, 0.3),
        window: matrix(3 * config.features, config.labels.length, 0.3),
      },
    }),
  };
}

/** Sequences of random ids of the given lengths, packed; a third of all features are not 0. */
export function batchOf(
  config: ModelConfig,
  lengths: readonly number[],
  seed: number,
): PackedBatch {
  const next = random(seed), offsets = new Int32Array(lengths.length + 1);
  lengths.forEach((length, i) => offsets[i + 1] = offsets[i] + length);
  const ids = Int32Array.from(
    { length: offsets[lengths.length] },
    () => Math.floor(next() * config.vocabSize),
  );
  if (config.features === undefined) return { ids, offsets };
  const features = Float32Array.from(
    { length: ids.length * config.features },
    () => next() < 1 / 3 ? next() : 0,
  );
  return { ids, offsets, features };
}

/** Relative L2 distance of `got` from `want`. */
export function relativeL2(got: Float32Array, want: Float32Array): number {
  let difference = 0, norm = 0;
  for (let i = 0; i < want.length; i++) {
    difference += (got[i] - want[i]) ** 2;
    norm += want[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

/** The bytes of floats, so that equality means equal bits. */
export function bits(values: Float32Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length);
}
