/**
 * What the tests of training share: the training module, models from fixtures and at random.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import * as assert from "uvu/assert";
import { bundleFromCheckpoint } from "../../src/formats/hf/checkpoint.ts";
import { readSafetensors } from "../../src/formats/safetensors/read.ts";
import type { ModelBundle } from "../../src/model/bundle.ts";
import type { ModelConfig } from "../../src/model/config.ts";
import { visitEncoder } from "../../src/model/roles.ts";
import type { LinearWeights } from "../../src/model/weights.ts";
import { createTrainer } from "../../src/train/trainer.ts";
import type { Example, TrainableModel, Trainer, TrainerOptions } from "../../src/train/types.ts";
import { configOf, normal, random, randomWeights } from "../support.ts";

/** The committed training module. */
export async function trainModule(): Promise<WebAssembly.Module> {
  const bytes = await readFile(new URL("../../wasm/train.wasm", import.meta.url));
  return await WebAssembly.compile(bytes as Uint8Array<ArrayBuffer>);
}

const module = await trainModule();

/** A trainer of one thread; without dropout and clipping unless a test asks for them. */
export function trainerOf(
  model: TrainableModel,
  options: Partial<TrainerOptions> = {},
): Promise<Trainer> {
  const plain = { maxTokens: 64, dropout: 0, clip: Infinity };
  return createTrainer({ module, shared: false }, model, { ...plain, ...options });
}

/** The model of a run's checkpoint, to go on with. */
export function loaded(files: ReadonlyMap<string, Uint8Array>): ModelBundle {
  return bundleFromCheckpoint({
    model: files.get("model.safetensors")!,
    config: files.get("config.json")!,
    tokenizer: files.get("tokenizer.json"),
    crf: files.get("crf.safetensors"),
    features: files.get("features.safetensors"),
  });
}

/** Numbers of a fixture by name, as the type that they have. */
export interface Fixture {
  readonly f32: (name: string) => Float32Array;
  readonly i32: (name: string) => Int32Array;
  readonly u8: (name: string) => Uint8Array;
  readonly f64: (name: string) => Float64Array;
  readonly names: readonly string[];
}

/** A file that tools/fixtures/make_training.py wrote. */
export async function readFixture(name: string): Promise<Fixture> {
  const { tensors } = readSafetensors(
    await readFile(new URL(`fixtures/${name}.safetensors`, import.meta.url)),
  );
  const bytes = (key: string, dtype: string): ArrayBuffer => {
    const tensor = tensors.get(key);
    if (tensor?.dtype !== dtype) throw new Error(`${key} is ${tensor?.dtype}, not ${dtype}`);
    return Uint8Array.from(tensor.data).buffer;
  };
  return {
    f32: (key) => new Float32Array(bytes(key, "F32")),
    i32: (key) => new Int32Array(bytes(key, "I32")),
    u8: (key) => new Uint8Array(bytes(key, "U8")),
    f64: (key) => new Float64Array(bytes(key, "F64")),
    names: [...tensors.keys()],
  };
}

/** The configurations of tools/fixtures/make_training.py. */
export const FIXTURES: Readonly<Record<string, ModelConfig>> = {
  odd: configOf({
    hiddenSize: 12,
    embeddingSize: 12,
    heads: 2,
    feedForwardSize: 20,
    layers: 2,
    vocabSize: 23,
    maxPositions: 9,
    typeVocabSize: 2,
    labels: Array.from({ length: 5 }, (_, i) => `L${i}`),
  }),
  wide: configOf({
    hiddenSize: 16,
    embeddingSize: 8,
    heads: 2,
    feedForwardSize: 32,
    layers: 1,
    vocabSize: 24,
    maxPositions: 20,
    typeVocabSize: 0,
    activation: "gelu_tanh",
    labels: Array.from({ length: 3 }, (_, i) => `L${i}`),
  }),
  features: configOf({
    hiddenSize: 16,
    embeddingSize: 12,
    heads: 2,
    feedForwardSize: 20,
    layers: 1,
    vocabSize: 23,
    maxPositions: 9,
    typeVocabSize: 2,
    features: 7,
    labels: Array.from({ length: 5 }, (_, i) => `L${i}`),
  }),
};

/** A model whose tensors `get` gives by the names of src/train. */
export function modelOf(
  config: ModelConfig,
  get: (name: string, size: number) => Float32Array,
): TrainableModel {
  const vector = (name: string, size: number): Float32Array => {
    // The type embedding's second row is never used, and PyTorch's side has it too.
    return get(name, size);
  };
  const matrix = (name: string, rows: number, columns: number) => ({
    type: "f32" as const,
    rows,
    columns,
    data: get(name, rows * columns),
  });
  const linear = (name: string, rows: number, columns: number): LinearWeights => ({
    weight: matrix(`${name}.weight`, rows, columns),
    bias: vector(`${name}.bias`, rows),
  });
  const { hiddenSize: h, embeddingSize: e, vocabSize, labels: { length: l } } = config;
  return {
    weights: visitEncoder(config, { matrix, table: matrix, vector }),
    crf: {
      start: get("crf.start", l),
      end: get("crf.end", l),
      transitions: get("crf.transitions", l * l),
    },
    masked: {
      dense: linear("masked.dense", e, h),
      norm: { gamma: get("masked.norm.weight", e), beta: get("masked.norm.bias", e) },
      bias: get("masked.bias", vocabSize),
    },
    replaced: {
      dense: linear("replaced.dense", h, h),
      prediction: linear("replaced.prediction", 1, h),
    },
  };
}

/** A model of random numbers, with all heads. */
export function randomModel(config: ModelConfig, seed: number): TrainableModel {
  const next = random(seed), { hiddenSize: h } = config;
  const model = modelOf(config, (_, size) => normal(next, size, 1 / Math.sqrt(h)));
  return { ...model, weights: randomWeights(config, seed) };
}

/** Relative L2 distance; where both are 0 it is 0. */
export function distance(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) throw new Error(`${got.length} numbers; expected ${want.length}`);
  let difference = 0, norm = 0;
  for (let i = 0; i < want.length; i++) difference += (got[i] - want[i]) ** 2, norm += want[i] ** 2;
  return difference === 0 ? 0 : Math.sqrt(difference / norm);
}

/**
 * Checks an example's derivatives by some parameters against finite differences of its loss, in random directions; `h` is the step. The
 * tolerance is that of float32 losses of up to 10 over 2 h, and of the third derivative.
 */
export async function checkSlopes(
  trainer: Trainer,
  example: Example,
  { names, next, h }: {
    readonly names: readonly string[];
    readonly next: () => number;
    readonly h: number;
  },
): Promise<void> {
  // A step of rate 0 moves nothing and has the derivatives.
  await trainer.step([example], 0);
  for (const name of names) {
    const at = trainer.read(name), gradient = trainer.gradient(name)!;
    const direction = normal(next, at.length, 1);
    const moved = async (by: number): Promise<number> => {
      trainer.write(name, at.map((x, i) => x + by * direction[i]!));
      const loss = await trainer.evaluate([example]);
      trainer.write(name, at);
      return loss;
    };
    const slope = (await moved(h) - await moved(-h)) / (2 * h);
    const dot = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0);
    assert.ok(
      Math.abs(slope - dot) < 0.02 * Math.abs(dot) + 2e-3,
      `${name}: ${dot}, slope ${slope}`,
    );
  }
}
