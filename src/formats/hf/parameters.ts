/**
 * Named parameters of a checkpoint, in one safetensors file or in shards: found by name, checked by shape, widened
 * to float32 where they are narrower.
 *
 * @module
 */
import { FormatError, InputError, isBytes, show } from "../../errors.ts";
import type { F32Matrix, LinearWeights, NormWeights } from "../../model/weights.ts";
import { checkFinite } from "../check.ts";
import { parseJsonObject } from "../json.ts";
import { readSafetensors, type SafeTensor, widenedFloats } from "../safetensors/read.ts";
import { textOf } from "./tokenizer.ts";

/** Tensors by name. */
export type Tensors = ReadonlyMap<string, SafeTensor>;

/** A shard's name may not lead out of the folder: names are looked up in what was handed in, never opened. */
function joinShards(
  files: ReadonlyMap<string, Uint8Array>,
  index: string,
): Map<string, SafeTensor> {
  const name = "model.safetensors.index.json";
  const map = parseJsonObject(index, "checkpoint/index", name)["weight_map"];
  if (typeof map !== "object" || map === null || Array.isArray(map)) {
    throw new FormatError("checkpoint/index", `${name} has no weight_map.`);
  }
  const shards = new Map<string, Tensors>();
  const all = new Map<string, SafeTensor>();
  for (const [tensor, shard] of Object.entries(map as Record<string, unknown>)) {
    const bytes = typeof shard === "string" ? files.get(shard) : undefined;
    if (bytes === undefined) {
      throw new FormatError(
        "checkpoint/shard",
        `${name} has ${JSON.stringify(tensor)} in ${show(shard)}, which was not handed in; ` +
          "pass that file's bytes under this name.",
      );
    }
    const key = shard as string;
    if (!shards.has(key)) shards.set(key, readSafetensors(bytes).tensors);
    const found = shards.get(key)!.get(tensor);
    if (found === undefined) {
      throw new FormatError(
        "checkpoint/shard",
        `${JSON.stringify(key)} has no tensor ${JSON.stringify(tensor)}, though ${name} says so.`,
      );
    }
    all.set(tensor, found);
  }
  return all;
}

/**
 * All parameters of one file, or of shards and their index. Throws {@link FormatError} `safetensors/...`,
 * `checkpoint/index` and `checkpoint/shard`; {@link InputError} `input/index` for shards without an index.
 */
export function readTensors(
  model: Uint8Array | ReadonlyMap<string, Uint8Array>,
  index: Uint8Array | string | undefined,
): Tensors {
  if (isBytes(model)) return readSafetensors(model).tensors;
  if (index === undefined) {
    throw new InputError(
      "input/index",
      "A checkpoint in several files needs its model.safetensors.index.json.",
    );
  }
  return joinShards(model, textOf(index, "model.safetensors.index.json"));
}

/** Reads parameters whose names begin with `prefix`, by the rest of the name and by shape. */
export class Parameters {
  readonly #tensors: Tensors;
  readonly #prefix: string;

  constructor(tensors: Tensors, prefix: string) {
    this.#tensors = tensors;
    this.#prefix = prefix;
  }

  has(name: string): boolean {
    return this.#tensors.has(this.#prefix + name);
  }

  shape(name: string): readonly number[] {
    const tensor = this.#tensors.get(this.#prefix + name);
    if (tensor === undefined) {
      throw new FormatError(
        "checkpoint/tensor",
        `The checkpoint has no tensor ${JSON.stringify(this.#prefix + name)}.`,
      );
    }
    return tensor.shape;
  }

  floats(name: string, shape: readonly number[]): Float32Array {
    const found = this.shape(name);
    if (found.join() !== shape.join()) {
      throw new FormatError(
        "checkpoint/tensor",
        `Tensor ${JSON.stringify(this.#prefix + name)} has shape [${found}], expected [${shape}].`,
      );
    }
    const full = this.#prefix + name;
    return checkFinite(full, widenedFloats(this.#tensors.get(full)!, full));
  }

  matrix(name: string, rows: number, columns: number): F32Matrix {
    return { type: "f32", rows, columns, data: this.floats(name, [rows, columns]) };
  }

  linear(name: string, rows: number, columns: number): LinearWeights {
    return {
      weight: this.matrix(`${name}.weight`, rows, columns),
      bias: this.floats(`${name}.bias`, [rows]),
    };
  }

  /** LayerNorm's parameters; checkpoints of TensorFlow's time call them gamma and beta. */
  norm(name: string, width: number): NormWeights {
    const old = this.has(`${name}.gamma`);
    return {
      gamma: this.floats(`${name}.${old ? "gamma" : "weight"}`, [width]),
      beta: this.floats(`${name}.${old ? "beta" : "bias"}`, [width]),
    };
  }
}
