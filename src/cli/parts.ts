/**
 * What a model is made of, part by part: for the reports of `convert` and `inspect`.
 *
 * Both go by the package, which names every tensor by its role, also for a model that is not one yet.
 *
 * @module
 */
import { readSafetensors } from "../../mod.ts";

/** One tensor of a package. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** Tensors that belong together, and what they weigh. */
export interface Part {
  readonly name: string;
  /** Numbers that were trained: scales of int8 rows are not counted. */
  readonly parameters: number;
  readonly bytes: number;
}

const PARTS: readonly (readonly [RegExp, string])[] = [
  [/^embeddings\.word\./, "word embedding"],
  [/^embeddings\./, "other embeddings"],
  [/^layers\.\d+\.attention\./, "attention"],
  [/^layers\./, "feed-forward"],
  [/^classifier\./, "classifier"],
  [/^crf\./, "CRF"],
];

/** A package's tensors in the file's order of names, and the bytes that are not tensors. */
export function tensorsOf(bytes: Uint8Array): { tensors: TensorInfo[]; headerBytes: number } {
  const tensors = [...readSafetensors(bytes).tensors].map(([name, { dtype, shape, data }]) => ({
    name,
    dtype,
    shape,
    bytes: data.length,
  }));
  const data = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  return { tensors, headerBytes: bytes.length - data };
}

/** Number of trained numbers in a tensor. */
export function parametersOf({ name, shape }: TensorInfo): number {
  return name.endsWith(".scale") ? 0 : shape.reduce((product, size) => product * size, 1);
}

/** A package's parts; the last is its header, which holds the tokenizer and the configuration. */
export function partsOf(bytes: Uint8Array): Part[] {
  const { tensors, headerBytes } = tensorsOf(bytes);
  const parts = PARTS.map(([, name]) => ({ name, parameters: 0, bytes: 0 }));
  for (const tensor of tensors) {
    const part = parts[PARTS.findIndex(([pattern]) => pattern.test(tensor.name))];
    part.parameters += parametersOf(tensor);
    part.bytes += tensor.bytes;
  }
  parts.push({ name: "tokenizer and header", parameters: 0, bytes: headerBytes });
  return parts.filter((part) => part.bytes > 0);
}
