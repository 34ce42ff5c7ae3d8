/**
 * A corpus cut into shards: pieces of files that can be worked on apart, and whose results put side by side are the whole.
 *
 * A shard is a range of bytes; a line belongs to the shard that it begins in, so nobody has to read a file to cut it. A
 * packed file cannot be entered in the middle and is one shard: who wants many workers on it packs it in parts.
 *
 * @module
 */
import type { InputFile } from "./inputs.ts";

/** A piece of a file. */
export interface Shard extends InputFile {
  /** Its place among all, from 0. */
  readonly id: number;
  /** The first byte that is its own; of a packed file, 0. */
  readonly from: number;
  /** One past the last byte in which a line of its own may begin; of a packed file, infinite: null, as JSON has it. */
  readonly to: number | null;
}

/** Cuts files into shards of about so many bytes, in the order of the files. */
export function cutShards(inputs: readonly InputFile[], bytes: number): Shard[] {
  const shards: Shard[] = [];
  for (const input of inputs) {
    if (input.packing !== undefined) {
      shards.push({ ...input, id: shards.length, from: 0, to: null });
      continue;
    }
    for (let from = 0; from < input.size; from += bytes) {
      shards.push({ ...input, id: shards.length, from, to: Math.min(from + bytes, input.size) });
    }
  }
  return shards;
}

/** `part-00042.jsonl`. */
export function partName(id: number): string {
  return `part-${String(id).padStart(5, "0")}.jsonl`;
}

/** `dead-00042.jsonl`: the documents of a shard that could not be worked on. */
export function deadName(id: number): string {
  return `dead-${String(id).padStart(5, "0")}.jsonl`;
}
