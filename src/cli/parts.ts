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
  /** Numbers that were trained: scales of rows are none. */
  readonly parameters: number;
}

/** Tensors that belong together, and what they weigh. */
export interface Part {
  readonly name: string;
  /** Numbers that were trained. */
  readonly parameters: number;
  readonly bytes: number;
}

const PARTS: readonly (readonly [RegExp, string])[] = [
  [/^embeddings\.word\./, "word embedding"],
  [/^embeddings\./, "other embeddings"],
  [/^layers\.\d+\.attention\./, "attention"],
  [/^layers\./, "feed-forward"],
  [/^(head|classifier)\./, "classifier"],
  [/^crf\./, "CRF"],
  [/^features\./, "lexicon features"],
  [/^lexicons\./, "lexicons"],
  [/^terms\./, "own terms"],
  [/^tokenizer\./, "tokenizer and header"],
];

/** A package's tensors in the file's order of names, and the bytes that are not tensors. */
export function tensorsOf(bytes: Uint8Array): { tensors: TensorInfo[]; headerBytes: number } {
  const file = readSafetensors(bytes);
  const { embeddingSize } = JSON.parse(file.metadata.get("config") ?? "{}");
  const tensors = [...file.tensors].map(([name, { dtype, shape, data }]) => ({
    name,
    dtype,
    shape,
    bytes: data.length,
    // A byte of an int4 embedding holds two numbers, the last of an odd row one.
    parameters: name.endsWith(".scale") || /^(lexicons|terms|tokenizer)\./.test(name)
      ? 0
      : dtype === "U8"
      ? shape[0] * embeddingSize
      : shape.reduce((product, size) => product * size, 1),
  }));
  const data = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  return { tensors, headerBytes: bytes.length - data };
}

/** A package's parts; the last is its tokenizer, with the header, which holds the configuration, too. */
export function partsOf(bytes: Uint8Array): Part[] {
  const { tensors, headerBytes } = tensorsOf(bytes);
  const parts = PARTS.map(([, name]) => ({ name, parameters: 0, bytes: 0 }));
  for (const tensor of tensors) {
    const part = parts[PARTS.findIndex(([pattern]) => pattern.test(tensor.name))];
    part.parameters += tensor.parameters;
    part.bytes += tensor.bytes;
  }
  parts.at(-1)!.bytes += headerBytes;
  return parts.filter((part) => part.bytes > 0);
}
