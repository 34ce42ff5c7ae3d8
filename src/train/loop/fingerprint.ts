/**
 * What tells models, names and data apart, so that a run is not continued as another: short, and not proof against
 * design (FNV-1a, 32 bits).
 *
 * @module
 */
import type { Lexicons } from "../../model/lexicon.ts";
import { linearsOf } from "../../model/linears.ts";
import type { EncoderWeights } from "../../model/weights.ts";
import type { Sequence } from "./sequences.ts";

/** FNV-1a, 32 bits. */
const FNV_OFFSET = 0x811c9dc5, FNV_PRIME = 0x01000193;

/** Tells encoders apart, by all their linear maps. */
export function fingerprintOf(weights: EncoderWeights): string {
  let hash = FNV_OFFSET;
  const add = (data: ArrayBufferView): void => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    for (const byte of bytes) hash = Math.imul(hash ^ byte, FNV_PRIME);
  };
  for (const { weight, bias } of linearsOf(weights)) {
    add(weight.data);
    add(bias);
  }
  return (hash >>> 0).toString(16);
}

/** Tells lists of names apart. */
export function fingerprintOfNames(names: Readonly<Record<string, readonly string[]>>): string {
  const text = JSON.stringify(Object.entries(names).sort(([a], [b]) => a < b ? -1 : 1));
  let hash = FNV_OFFSET;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME);
  return (hash >>> 0).toString(16);
}

/** Tells lexicons apart. */
export function fingerprintOfLexicons({ types, inflected, lists }: Lexicons): string {
  let hash = FNV_OFFSET;
  for (const { fingerprints, rates } of lists) {
    for (const data of [fingerprints, rates ?? []]) {
      for (const value of data) hash = Math.imul(hash ^ value, FNV_PRIME);
    }
  }
  return `${types.join()}, ${inflected}, ${lists.length} lists, ${(hash >>> 0).toString(16)}`;
}

/** Tells data apart (FNV-1a over ids and labels, 32 bits): by accident two differ in it, not by design. */
export function fingerprint(sequences: readonly Partial<Sequence>[]): string {
  let hash = FNV_OFFSET;
  const add = (value: number): void => {
    hash = Math.imul(hash ^ value, FNV_PRIME);
  };
  for (const { ids = [], labels = [] } of sequences) {
    ids.forEach(add);
    labels.forEach(add);
    add(-1);
  }
  return `${sequences.length} sequences, ${(hash >>> 0).toString(16)}`;
}
