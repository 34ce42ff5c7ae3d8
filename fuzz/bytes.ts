/**
 * Mutations of bytes that know nothing of what the bytes mean.
 *
 * They are what damage looks like (flipped bits, a download that broke off, two files mixed up), with one
 * addition: varints of lengths that do not fit a number, since both formats have lengths in front of data.
 *
 * @module
 */
import { EDGES, type Random } from "./random.ts";

/** Parts one after the other. */
export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** A protobuf varint; of a negative number the ten bytes of its two's complement. */
export function varint(value: bigint): Uint8Array {
  let rest = BigInt.asUintN(64, value);
  const bytes: number[] = [];
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

function splice(bytes: Uint8Array, at: number, gone: number, put: Uint8Array): Uint8Array {
  return concat([bytes.subarray(0, at), put, bytes.subarray(Math.min(bytes.length, at + gone))]);
}

/** Most structure lies at the front (headers) or is spread thin; half of the places are near the front. */
function place(random: Random, bytes: Uint8Array): number {
  const span = random.once(2) ? Math.min(bytes.length, 512) : bytes.length;
  return random.int(span + 1);
}

type Mutation = (random: Random, bytes: Uint8Array) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  (random, bytes) => {
    const out = bytes.slice();
    for (let n = random.size(32); n > 0 && out.length > 0; n--) {
      const at = Math.min(out.length - 1, place(random, out));
      out[at] = out[at]! ^ (1 << random.int(8));
    }
    return out;
  },
  (random, bytes) => {
    const out = bytes.slice();
    const from = place(random, out);
    out.fill(random.pick([0, 0x7f, 0x80, 0xff]), from, from + random.size(64));
    return out;
  },
  (random, bytes) => splice(bytes, place(random, bytes), 0, random.bytes(random.size(64))),
  (random, bytes) => splice(bytes, place(random, bytes), random.size(256), new Uint8Array(0)),
  (random, bytes) => bytes.slice(0, place(random, bytes)),
  (random, bytes) => bytes.slice(random.size(64)),
  (random, bytes) => {
    const from = place(random, bytes);
    const part = bytes.subarray(from, from + random.size(4096));
    return splice(bytes, place(random, bytes), random.once(2) ? part.length : 0, part);
  },
  (random, bytes) => {
    // A length-delimited field that claims more than there is.
    const tag = (random.int(16) << 3) | 2;
    const bomb = concat([Uint8Array.of(tag), varint(random.pick(EDGES))]);
    return splice(bytes, place(random, bytes), random.int(4), bomb);
  },
  (random, bytes) => {
    // Groups or messages in each other: a few thousand deep, or ten times what a stack holds.
    const count = random.pick([10, 2000, 200_000]);
    const group = random.once(2);
    const nest = new Uint8Array(count).fill(group ? (31 << 3) | 3 : (random.int(12) << 3) | 2);
    return splice(bytes, place(random, bytes), 0, nest);
  },
  (random, bytes) => concat([bytes, random.once(2) ? bytes : random.bytes(random.size(4096))]),
];

/** One to four mutations, one after the other. */
export function mutateBytes(random: Random, bytes: Uint8Array): Uint8Array {
  let out = bytes;
  for (let n = random.size(4); n > 0; n--) out = random.pick(MUTATIONS)(random, out);
  return out;
}
